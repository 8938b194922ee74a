// What a T5's config.json says, in our names: v1.0 and v1.1 (Flan) differ in nothing but its keys.
import { CheckpointError, type CheckpointIssue, UnsupportedError } from "../errors.ts";

/** More than any model has: parts and tables are made before the weights can contradict. */
export const MOST_LAYERS = 1000;
const MOST_BUCKETS = 100_000;

export interface T5Config {
  readonly modelType: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** Of one head; heads together need not be as wide as the hidden states. */
  readonly headDim: number;
  readonly intermediateSize: number;
  /** Neurons of each MLP where they differ, the encoder's first; 0: the MLP was removed. Our key of config.json: `mlp_sizes`. */
  readonly mlpSizes?: readonly number[];
  /** Each MLP's output has a bias, which stands for removed neurons, and stays where the MLP is gone. Our key: `mlp_bias`. */
  readonly mlpBias: boolean;
  /** What each MLP's activation reads has a bias, which holds its thresholds. Our key: `mlp_input_bias`. */
  readonly mlpInputBias: boolean;
  /** Of the encoder. */
  readonly numLayers: number;
  readonly numDecoderLayers: number;
  readonly numHeads: number;
  readonly numBuckets: number;
  readonly maxDistance: number;
  readonly layerNormEpsilon: number;
  readonly hiddenAct: string;
  /** `act(wi_0 x) · wi_1 x` in the MLP instead of `act(wi x)`. */
  readonly isGated: boolean;
  readonly dropout: number;
  /** The vocabulary's embeddings are the head too. */
  readonly tiedHead: boolean;
  /** The head's input is scaled by D^−½. */
  readonly scaledHead: boolean;
  readonly padTokenId: number;
  readonly decoderStartTokenId: number;
  /** Tokens that end a text. */
  readonly eosTokenIds: readonly number[];
  /** None: it says text. */
  readonly labels: readonly string[];
}

/** What differs between the types of T5, and what they take where config.json does not say it. */
export interface T5Defaults {
  readonly modelType: string;
  readonly feedForward: string;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly head: (
    source: Readonly<Record<string, unknown>>,
    stored: { has(name: string): boolean },
  ) => Pick<T5Config, "tiedHead" | "scaledHead">;
}

const T5_DEFAULTS: T5Defaults = { modelType: "t5", feedForward: "relu", numLayers: 6, numHeads: 8, head: headOf };

/**
 * A T5's configuration from its config.json. `stored` says which tensors the checkpoint holds: transformers 5 writes
 * `tie_word_embeddings: true` for every T5, and only an `lm_head` of its own tells an untied one.
 * @throws {UnsupportedError} when `model_type` is another.
 * @throws {CheckpointError} naming every key that is missing or of the wrong kind.
 * @see transformers `T5Config`
 */
export function parseT5Config(
  json: unknown,
  file = "config.json",
  stored: { has(name: string): boolean } = new Set<string>(),
  defaults: T5Defaults = T5_DEFAULTS,
): T5Config {
  const source = (typeof json === "object" && json !== null ? json : {}) as Readonly<Record<string, unknown>>;
  const { modelType } = defaults;
  if (source.model_type !== modelType)
    throw new UnsupportedError(`${file}: model_type ${JSON.stringify(source.model_type)}`, [modelType]);
  const issues: CheckpointIssue[] = [];
  const problem = (name: string, expected: string, got: unknown) =>
    issues.push({ name, expected, got: JSON.stringify(got) ?? "nothing" });
  const whole = (key: string, fallback?: number, least = 1, most = Number.MAX_SAFE_INTEGER): number => {
    const value = source[key] ?? fallback;
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    const range = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `≥ ${least}`;
    problem(key, `a whole number ${range}`, source[key]);
    return least;
  };
  const { isGated, hiddenAct } = feedForward(source.feed_forward_proj ?? defaults.feedForward, problem);
  const dropout = source.dropout_rate ?? 0.1;
  if (typeof dropout !== "number" || !(dropout >= 0 && dropout < 1))
    problem("dropout_rate", "a probability in [0, 1)", dropout);
  const epsilon = source.layer_norm_epsilon ?? 1e-6;
  if (typeof epsilon !== "number" || !(epsilon > 0)) problem("layer_norm_epsilon", "a positive number", epsilon);
  const numLayers = whole("num_layers", defaults.numLayers, 1, MOST_LAYERS);
  const numDecoderLayers = whole("num_decoder_layers", numLayers, 1, MOST_LAYERS);
  const padTokenId = whole("pad_token_id", 0, 0);
  const buckets = whole("relative_attention_num_buckets", 32, 4, MOST_BUCKETS);
  const distance = whole("relative_attention_max_distance", 128, 1, MOST_BUCKETS);
  if (distance <= buckets / 2) problem("relative_attention_max_distance", `more than ${buckets / 2}`, distance);
  const config: T5Config = {
    modelType,
    vocabSize: whole("vocab_size"),
    hiddenSize: whole("d_model"),
    headDim: whole("d_kv", 64),
    intermediateSize: whole("d_ff"),
    ...ownMlpKeys(source, [numLayers, numDecoderLayers], problem),
    numLayers,
    numDecoderLayers,
    numHeads: whole("num_heads", defaults.numHeads),
    numBuckets: buckets,
    maxDistance: distance,
    layerNormEpsilon: epsilon as number,
    hiddenAct,
    isGated,
    dropout: dropout as number,
    ...defaults.head(source, stored),
    padTokenId,
    decoderStartTokenId: whole("decoder_start_token_id", padTokenId, 0),
    eosTokenIds: endTokens(source.eos_token_id ?? 1, problem),
    labels: [],
  };
  if (issues.length > 0) throw new CheckpointError(file, issues);
  return config;
}

/** What our own keys say of the MLPs. */
function ownMlpKeys(
  source: Readonly<Record<string, unknown>>,
  [encoder, decoder]: readonly [number, number],
  problem: Problem,
): Pick<T5Config, "mlpSizes" | "mlpBias" | "mlpInputBias"> {
  const { mlp_sizes: mlpSizes } = source;
  if (mlpSizes !== undefined && !areSizes(mlpSizes, encoder + decoder))
    problem("mlp_sizes", `a whole number ≥ 0 for each of ${encoder} + ${decoder} layers`, mlpSizes);
  const flag = (key: string) => {
    const value = source[key] ?? false;
    if (typeof value !== "boolean") problem(key, "true or false", value);
    return value === true;
  };
  return {
    ...(mlpSizes === undefined ? {} : { mlpSizes: mlpSizes as readonly number[] }),
    mlpBias: flag("mlp_bias"),
    mlpInputBias: flag("mlp_input_bias"),
  };
}

/** Whether a value is a list of `count` sizes, zeros among them. */
export function areSizes(value: unknown, count: unknown): boolean {
  return Array.isArray(value) && value.length === count && value.every((size) => Number.isInteger(size) && size >= 0);
}

function headOf(
  { tie_word_embeddings: tie, scale_decoder_outputs: scale }: Readonly<Record<string, unknown>>,
  stored: { has(name: string): boolean },
): Pick<T5Config, "tiedHead" | "scaledHead"> {
  const scaledHead = typeof scale === "boolean" ? scale : tie !== false;
  const isOwn = scale === undefined ? tie === false : scale === false || stored.has("lm_head.weight");
  return { scaledHead, tiedHead: !isOwn };
}

type Problem = (name: string, expected: string, got: unknown) => void;

/** `relu`, `gated-silu`; `gated-gelu` means the tanh form, as in T5's first release. */
function feedForward(value: unknown, problem: Problem): Pick<T5Config, "isGated" | "hiddenAct"> {
  const parts = typeof value === "string" ? value.split("-") : [];
  const fits = parts.length === 1 || (parts.length === 2 && parts[0] === "gated");
  if (!fits) problem("feed_forward_proj", "the name of an activation, or gated- and the name", value);
  const isGated = parts.length === 2;
  return { isGated, hiddenAct: value === "gated-gelu" ? "gelu_new" : (parts.at(-1) ?? "relu") };
}

function endTokens(value: unknown, problem: Problem): readonly number[] {
  const ids = Array.isArray(value) ? (value as unknown[]) : [value];
  if (ids.every((id) => typeof id === "number" && Number.isInteger(id) && id >= 0)) return ids as number[];
  problem("eos_token_id", "a token id, or several", value);
  return [];
}
