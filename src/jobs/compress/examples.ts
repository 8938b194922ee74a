// Parts of encoded examples: halves, subsets and sums, with their targets; a question keeps its windows together.
import { type EncodedExamples, isSpans, isTargets, isTexts, isWindows } from "../../data/index.ts";
import { randomStream } from "../../tensor/index.ts";

/** Examples as scores count them: questions, not windows. */
export function exampleCount(examples: EncodedExamples): number {
  return isWindows(examples) ? examples.questions.length : examples.count;
}

/** How many examples are looked at: of long texts fewer do, since each token counts. */
export interface SampleSize {
  readonly least: number;
  readonly most: number;
  /** As many examples as have about so many tokens. */
  readonly tokens: number;
}

/** How many of the examples a sample of this size has, by their mean length. */
export function sampleCount(examples: EncodedExamples, { least, most, tokens }: SampleSize): number {
  const meanTokens = examples.totalTokens / exampleCount(examples);
  return Math.max(least, Math.min(most, Math.floor(tokens / meanTokens)));
}

/** Tokens that are to be written; 0 where nothing is. */
export function targetTokens(examples: EncodedExamples): number {
  return isTargets(examples) ? examples.targetLengths.reduce((sum, length) => sum + length, 0) : 0;
}

/** Two halves by a fixed shuffle: the same for every run, model and machine. */
export function halves(examples: EncodedExamples): readonly [EncodedExamples, EncodedExamples] {
  const order = shuffled(examples, "halves");
  const middle = Math.ceil(order.length / 2);
  const part = (indices: number[]) => examplesAt(examples, ascending(indices));
  return [part(order.slice(0, middle)), part(order.slice(middle))];
}

/**
 * So many of the examples by a fixed shuffle, in their own order, a question with all its windows; all, where there are no more. Files are
 * often sorted by label, topic or length, so the first examples are no sample.
 */
export function drawn(examples: EncodedExamples, count: number): EncodedExamples {
  return examplesAt(examples, ascending(drawingOrder(examples).slice(0, count)));
}

/** The examples that `drawn` leaves. */
export function notDrawn(examples: EncodedExamples, count: number): EncodedExamples {
  return examplesAt(examples, ascending(drawingOrder(examples).slice(count)));
}

const drawingOrder = (examples: EncodedExamples) => shuffled(examples, "sample");
const shuffled = (examples: EncodedExamples, key: string) =>
  randomStream(0, key).shuffle(upTo(0, exampleCount(examples)));
const ascending = (indices: readonly number[]) => [...indices].sort((a, b) => a - b);

const upTo = (from: number, to: number) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

/** The examples at ascending `indices`. */
function examplesAt(examples: EncodedExamples, indices: readonly number[]): EncodedExamples {
  if (!isWindows(examples)) return rowsAt(examples, indices);
  const place = new Map(indices.map((index, i) => [index, i]));
  const rows = upTo(0, examples.count).filter((row) => place.has(examples.owners[row]!));
  const part = {
    ...rowsAt(examples, rows),
    questions: indices.map((index) => examples.questions[index]!),
    owners: Int32Array.from(rows, (row) => place.get(examples.owners[row]!)!),
  };
  return part;
}

/** The rows at `indices`, in this order; windows lose nothing but their neighbours. */
function rowsAt(examples: EncodedExamples, indices: readonly number[]): EncodedExamples {
  const pick = <A extends Int32Array | Float64Array>(array: A, make: (length: number) => A): A => {
    const out = make(indices.length);
    indices.forEach((index, i) => {
      out[i] = array[index]!;
    });
    return out;
  };
  const whole = (array: Int32Array) => pick(array, (n) => new Int32Array(n));
  const lengths = whole(examples.lengths);
  const spans = isSpans(examples)
    ? {
        startPositions: whole(examples.startPositions),
        endPositions: whole(examples.endPositions),
        offsets: (window: number) => examples.offsets(indices[window]!),
      }
    : {};
  return {
    ...examples,
    count: indices.length,
    lengths,
    lines: whole(examples.lines),
    labels: pick(examples.labels, (n) => new Float64Array(n)),
    totalTokens: lengths.reduce((sum, length) => sum + length, 0),
    tokens: (index) => examples.tokens(indices[index]!),
    segmentStart: (index) => examples.segmentStart(indices[index]!),
    ...(examples.labelList ? { labelList: (index: number) => examples.labelList!(indices[index]!) } : {}),
    ...spans,
    ...(isTargets(examples)
      ? {
          targetLengths: whole(examples.targetLengths),
          target: (index: number) => examples.target(indices[index]!),
        }
      : {}),
    ...(isTexts(examples) ? { targetTexts: indices.map((index) => examples.targetTexts[index]!) } : {}),
  };
}

/** The examples of both, one after the other; they must be of one kind. */
export function joined(a: EncodedExamples, b: EncodedExamples): EncodedExamples {
  const at = <E extends EncodedExamples, T>(first: E, second: E, index: number, of: (one: E, own: number) => T): T =>
    index < first.count ? of(first, index) : of(second, index - first.count);
  return {
    ...a,
    count: a.count + b.count,
    lengths: joinedIntegers(a.lengths, b.lengths),
    lines: joinedIntegers(a.lines, b.lines),
    labels: joinedNumbers(a.labels, b.labels),
    totalTokens: a.totalTokens + b.totalTokens,
    truncatedCount: a.truncatedCount + b.truncatedCount,
    longest: Math.max(a.longest, b.longest),
    tokens: (index) => at(a, b, index, (of, own) => of.tokens(own)),
    segmentStart: (index) => at(a, b, index, (of, own) => of.segmentStart(own)),
    ...(a.labelList && b.labelList
      ? { labelList: (index: number) => at(a, b, index, (of, own) => of.labelList!(own)) }
      : {}),
    ...(isTargets(a) && isTargets(b)
      ? {
          targetLengths: joinedIntegers(a.targetLengths, b.targetLengths),
          target: (index: number) => at(a, b, index, (of, own) => of.target(own)),
        }
      : {}),
    ...(isTexts(a) && isTexts(b) ? { targetTexts: [...a.targetTexts, ...b.targetTexts] } : {}),
    ...(isSpans(a) && isSpans(b)
      ? {
          startPositions: joinedIntegers(a.startPositions, b.startPositions),
          endPositions: joinedIntegers(a.endPositions, b.endPositions),
          offsets: (window: number) => at(a, b, window, (of, own) => of.offsets(own)),
        }
      : {}),
    ...(isWindows(a) && isWindows(b)
      ? {
          questions: [...a.questions, ...b.questions],
          owners: joinedIntegers(
            a.owners,
            b.owners.map((owner) => owner + a.questions.length),
          ),
        }
      : {}),
  };
}

// by set: an argument for each number would overflow the stack from about 120,000 examples on
function joinedIntegers(a: Int32Array, b: Int32Array): Int32Array {
  const out = new Int32Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

function joinedNumbers(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
