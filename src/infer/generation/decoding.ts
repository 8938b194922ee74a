// How next tokens are chosen: the choices people make, and the state that choosing needs from step to step.
import { ConfigError } from "../../errors.ts";
import { randomStream } from "../../tensor/index.ts";
import { applyRules, type LogitRules } from "./logit-rules.ts";

/** Choices for generation; names and meanings as transformers' `GenerationConfig`. */
export interface GenerationOptions {
  /** The most tokens of a text, the one that ends it included; 20 by default. */
  readonly maxNewTokens?: number;
  /** No text ends before it has as many tokens; 0 by default. */
  readonly minNewTokens?: number;
  /** Candidates kept side by side; 1, the default, takes the likeliest token each time. */
  readonly numBeams?: number;
  /** A beam's score is its log probability over length to this power; 1 by default. */
  readonly lengthPenalty?: number;
  /** Whether a beam search ends with as many finished texts as beams, or (`false`, the default, and `never`) when none can get better. */
  readonly earlyStopping?: boolean | "never";
  /** Texts for each example; several need beams or sampling. */
  readonly numReturnSequences?: number;
  /** Draw tokens at random; null, the default, does not. */
  readonly sampling?: SamplingOptions | null;
  /** What changes scores before a token is chosen; nothing by default. */
  readonly rules?: LogitRules;
  /** The tokens that begin, end and pad a text, where they are other ones than the model's. */
  readonly special?: Partial<SpecialTokens>;
}

export interface SamplingOptions {
  readonly seed: number;
  /** Divides the logits; 1 by default. */
  readonly temperature?: number;
  /** Only this many likeliest tokens; null, the default: all. */
  readonly topK?: number | null;
  /** Only the likeliest tokens that together have this probability; 1 by default. */
  readonly topP?: number;
}

/** Every choice made. */
export type ResolvedGeneration = Required<Omit<GenerationOptions, "sampling">> & {
  readonly sampling: Required<SamplingOptions> | null;
};

/**
 * The choices with their defaults.
 * @throws {ConfigError} naming every one that is out of range, or does not go with another.
 */
export function resolveGeneration(options: GenerationOptions = {}): ResolvedGeneration {
  const { maxNewTokens = 20, minNewTokens = 0, numBeams = 1, numReturnSequences = 1 } = options;
  const { lengthPenalty = 1, earlyStopping = false, sampling = null, rules = {}, special = {} } = options;
  const { temperature = 1, topK = null, topP = 1, seed = 0 } = sampling ?? {};
  const issues: { path: string; expected: string; got: string }[] = [];
  const check = (path: string, fits: boolean, expected: string, got: unknown) =>
    fits || issues.push({ path, expected, got: String(got) });
  const isWhole = (value: number, least: number) => Number.isInteger(value) && value >= least;
  check("maxNewTokens", isWhole(maxNewTokens, 1), "a whole number ≥ 1", maxNewTokens);
  check("minNewTokens", isWhole(minNewTokens, 0), "a whole number ≥ 0", minNewTokens);
  check("minNewTokens", !(minNewTokens > maxNewTokens), `at most maxNewTokens ${maxNewTokens}`, minNewTokens);
  check("numBeams", isWhole(numBeams, 1), "a whole number ≥ 1", numBeams);
  check("numReturnSequences", isWhole(numReturnSequences, 1), "a whole number ≥ 1", numReturnSequences);
  const most = sampling === null ? numBeams : numReturnSequences;
  check("numReturnSequences", !(numReturnSequences > most), `at most numBeams ${numBeams}`, numReturnSequences);
  check("lengthPenalty", Number.isFinite(lengthPenalty), "a number", lengthPenalty);
  check("sampling", sampling === null || numBeams === 1, "numBeams 1, which alone draws tokens", `${numBeams} beams`);
  check("temperature", temperature > 0 && Number.isFinite(temperature), "a number > 0", temperature);
  check("topK", topK === null || isWhole(topK, 1), "a whole number ≥ 1, or null", topK);
  check("topP", topP > 0 && topP <= 1, "a share in (0, 1]", topP);
  if (issues.length > 0) throw new ConfigError(issues);
  return {
    maxNewTokens,
    minNewTokens,
    numBeams,
    lengthPenalty,
    earlyStopping,
    numReturnSequences,
    sampling: sampling === null ? null : { temperature, topK, topP, seed },
    rules,
    special,
  };
}

/** One text as it was written. */
export interface Generated {
  /** Without the start token; with the one that ends it, where it came to its end. */
  readonly tokenIds: readonly number[];
  /** Of a beam: log probability over length to the penalty's power. Null without beams. */
  readonly score: number | null;
}

/** The choice of tokens for one batch, step by step. */
export interface Decoding {
  /** Rows of the program for each example. */
  readonly copies: number;
  /** The tokens to be read next, `[B · copies]`. */
  readonly tokens: readonly number[];
  /** For each row the row that its tokens before came from; null: its own. */
  readonly sources: readonly number[] | null;
  /** 1 for rows that still write. */
  readonly active: readonly number[];
  readonly isDone: boolean;
  /** Chooses by the logits `[B · copies, V]` of the tokens read last. */
  advance(logits: Float32Array): void;
  /** The texts of each example, the best first. */
  result(): Generated[][];
}

/** The tokens that a decoding must know of. */
export interface SpecialTokens {
  readonly startId: number;
  readonly padId: number;
  readonly endIds: readonly number[];
}

/**
 * The likeliest token, or one drawn at random, in every row for itself. `sources` are the texts that are read, one for each example; only
 * rules about them need them.
 */
export function rowDecoding(
  batch: number,
  options: ResolvedGeneration,
  special: SpecialTokens,
  sources: readonly (readonly number[])[] = [],
): Decoding {
  const { maxNewTokens, sampling, rules } = options;
  const copies = sampling === null ? 1 : options.numReturnSequences;
  const rows = batch * copies;
  const texts = Array.from({ length: rows }, () => [] as number[]);
  const active = Array.from({ length: rows }, () => 1);
  const randoms = texts.map((_, row) => randomStream(sampling?.seed ?? 0, "generation", row));
  let tokens = Array.from({ length: rows }, () => special.startId);
  let length = 0;
  return {
    copies,
    sources: null,
    active,
    get tokens() {
      return tokens;
    },
    get isDone() {
      return length === maxNewTokens || !active.includes(1);
    },
    advance(logits) {
      const width = logits.length / rows;
      tokens = texts.map((text, row) => {
        if (active[row] === 0) return special.padId;
        const scores = logits.subarray(row * width, (row + 1) * width);
        applyRules(scores, rules, text, { ...options, ...special, source: sources[Math.floor(row / copies)] ?? [] });
        const token = sampling === null ? largestOf(scores) : drawn(warp(scores, sampling), randoms[row]!.uniform());
        text.push(token);
        if (special.endIds.includes(token)) active[row] = 0;
        return token;
      });
      length++;
    },
    result: () =>
      Array.from({ length: batch }, (_, example) =>
        texts.slice(example * copies, (example + 1) * copies).map((tokenIds) => ({ tokenIds, score: null })),
      ),
  };
}

function largestOf(scores: Float32Array): number {
  let best = 0;
  for (let id = 1; id < scores.length; id++) if (scores[id]! > scores[best]!) best = id;
  return best;
}

/**
 * Probabilities of the tokens that temperature, top-k and top-p leave, in this order: `[V]`, 0 for the others.
 * @see transformers `TemperatureLogitsWarper`, `TopKLogitsWarper`, `TopPLogitsWarper`
 */
export function warp(
  logits: Float32Array,
  { temperature, topK, topP }: Pick<Required<SamplingOptions>, "temperature" | "topK" | "topP">,
): Float64Array {
  const scores = Float64Array.from(logits, (logit) => Math.fround(logit / temperature));
  if (topK !== null && topK < scores.length) {
    const least = scores.toSorted().at(-topK)!;
    for (let id = 0; id < scores.length; id++) if (scores[id]! < least) scores[id] = Number.NEGATIVE_INFINITY;
  }
  const probabilities = softmaxOf(scores);
  if (topP === 1) return probabilities;
  const order = Array.from(probabilities.keys()).sort((a, b) => probabilities[a]! - probabilities[b]!);
  let below = 0;
  // the likeliest token stays whatever its share
  for (const id of order.slice(0, -1)) {
    below += probabilities[id]!;
    if (below <= 1 - topP) scores[id] = Number.NEGATIVE_INFINITY;
  }
  return softmaxOf(scores);
}

function softmaxOf(scores: Float64Array): Float64Array {
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / total);
}

/** The token at which the running sum of probabilities passes `at`, in [0, 1). */
function drawn(probabilities: Float64Array, at: number): number {
  let sum = 0;
  let last = 0;
  for (let id = 0; id < probabilities.length; id++) {
    if (probabilities[id] === 0) continue;
    sum += probabilities[id]!;
    last = id;
    if (sum > at) break;
  }
  return last;
}
