// Beam search as transformers 5 does it, number by number in float32, so that both choose the same texts.
import type { Decoding, Generated, ResolvedGeneration, SpecialTokens } from "./decoding.ts";
import { applyRules } from "./logit-rules.ts";

/** What an impossible candidate's score is lowered by; in float32 it swallows the score itself. */
const NEVER = -1e9;

interface Beam {
  readonly tokenIds: readonly number[];
  /** Log probability; of a finished text over its length to the penalty's power. */
  readonly score: number;
  readonly isFinished: boolean;
}

interface Candidate extends Beam {
  /** Beam that it continues. */
  readonly source: number;
}

interface Example {
  running: readonly Beam[];
  finished: readonly Beam[];
  /** Whether a running beam may still beat a finished text; once false it stays so. */
  canImprove: boolean;
  /** For each running beam, the beam before it. */
  sources: readonly number[];
}

/**
 * The best texts among `numBeams` kept side by side. `sources` are the texts that are read; only rules about them need them.
 * @see transformers `GenerationMixin._beam_search`
 */
export function beamDecoding(
  batch: number,
  options: ResolvedGeneration,
  special: SpecialTokens,
  sources: readonly (readonly number[])[] = [],
): Decoding {
  const { numBeams, maxNewTokens, numReturnSequences } = options;
  const beam = (score: number): Beam => ({ tokenIds: [], score, isFinished: false });
  const examples: Example[] = Array.from({ length: batch }, () => ({
    // all beams are alike at first: only one may continue
    running: Array.from({ length: numBeams }, (_, i) => beam(i === 0 ? 0 : NEVER)),
    finished: Array.from({ length: numBeams }, () => beam(NEVER)),
    canImprove: true,
    sources: Array.from({ length: numBeams }, (_, i) => i),
  }));
  let length = 0;
  let isDone = false;
  return {
    copies: numBeams,
    get tokens() {
      return examples.flatMap(({ running }) => running.map(({ tokenIds }) => tokenIds.at(-1) ?? special.startId));
    },
    get sources() {
      return examples.flatMap(({ sources }, example) => sources.map((source) => example * numBeams + source));
    },
    get active() {
      return examples.flatMap(({ running, canImprove }) => running.map(() => Number(canImprove)));
    },
    get isDone() {
      return isDone;
    },
    advance(logits) {
      const width = logits.length / (batch * numBeams);
      length++;
      let allEnd = true;
      for (const [i, example] of examples.entries()) {
        const rows = example.running.map(({ tokenIds }, n) => {
          const row = i * numBeams + n;
          const scores = logProbabilities(logits.subarray(row * width, (row + 1) * width));
          applyRules(scores, options.rules, tokenIds, { ...options, ...special, source: sources[i] ?? [] });
          return scores;
        });
        const candidates = bestContinuations(example.running, rows, numBeams * Math.max(2, 1 + special.endIds.length));
        const ended = candidates.map(
          ({ tokenIds }) => length === maxNewTokens || special.endIds.includes(tokenIds.at(-1)!),
        );
        advanceExample(example, candidates, ended, length, options);
        allEnd &&= ended.every(Boolean);
      }
      isDone = isOver(examples, allEnd, options);
    },
    result: () =>
      examples.map(({ finished }) =>
        finished.slice(0, numReturnSequences).map(({ tokenIds, score }): Generated => ({ tokenIds, score })),
      ),
  };
}

/** `x − log Σ eˣ`, rounded to float32. */
function logProbabilities(logits: Float32Array): Float32Array {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - largest);
  const shift = Math.fround(Math.log(total));
  return logits.map((logit) => Math.fround(logit - largest) - shift);
}

/** The `count` best (beam, token) pairs by the sum of log probabilities, the best first. */
function bestContinuations(running: readonly Beam[], rows: readonly Float32Array[], count: number): Candidate[] {
  const best: { score: number; source: number; token: number }[] = [];
  rows.forEach((row, source) => {
    const before = running[source]!.score;
    for (let token = 0; token < row.length; token++) {
      const score = Math.fround(row[token]! + before);
      if (best.length === count && score <= best[count - 1]!.score) continue;
      let at = best.length;
      while (at > 0 && best[at - 1]!.score < score) at--;
      best.splice(at, 0, { score, source, token });
      if (best.length > count) best.pop();
    }
  });
  return best.map(({ score, source, token }) => ({
    tokenIds: [...running[source]!.tokenIds, token],
    score,
    source,
    isFinished: false,
  }));
}

/** Which candidates run on, and which are among the best finished texts. */
function advanceExample(
  example: Example,
  candidates: readonly Candidate[],
  ended: readonly boolean[],
  length: number,
  { numBeams, lengthPenalty, earlyStopping, maxNewTokens }: ResolvedGeneration,
): void {
  const lowered = (score: number, isLowered: boolean) => (isLowered ? Math.fround(score + NEVER) : score);
  const divided = (score: number, tokens: number) => Math.fround(score / Math.fround(tokens ** lengthPenalty));
  const next = largestFirst(
    candidates.map((candidate, i) => ({ ...candidate, score: lowered(candidate.score, ended[i]!) })),
    numBeams,
  );
  const isFull = earlyStopping === true && example.finished.every(({ isFinished }) => isFinished);
  const texts = candidates.map(({ tokenIds, score }, i): Beam => {
    // only the best `numBeams` may end; the others stand by to run on
    const isFinished = ended[i]! && i < numBeams;
    let final = divided(score, length);
    for (const isLowered of [isFull, !example.canImprove, !isFinished]) final = lowered(final, isLowered);
    return { tokenIds, score: final, isFinished };
  });
  example.finished = largestFirst([...example.finished, ...texts], numBeams);
  example.running = next;
  example.sources = next.map(({ source }) => source);
  const reach = earlyStopping === "never" && lengthPenalty > 0 ? maxNewTokens : length;
  const possible = divided(next[0]!.score, reach);
  const worst = Math.min(...example.finished.map(({ score }) => score));
  example.canImprove &&= example.finished.some(({ isFinished }) => possible > (isFinished ? worst : NEVER));
}

/** The best `count` by score; of equals the first. */
function largestFirst<T extends { readonly score: number }>(all: readonly T[], count: number): T[] {
  return all.toSorted((a, b) => b.score - a.score).slice(0, count);
}

function isOver(examples: readonly Example[], allEnd: boolean, { earlyStopping }: ResolvedGeneration): boolean {
  const improves = examples.some(({ canImprove }) => canImprove);
  const isFull = earlyStopping === true && examples.every(({ finished }) => finished.every((beam) => beam.isFinished));
  return !improves || isFull || allEnd;
}
