// What an encoder's config.json says, in our names, with every mistake of the file at once.
import { CheckpointError, type CheckpointIssue, UnsupportedError } from "../errors.ts";
import { areSizes, MOST_LAYERS, type T5Config } from "./t5-config.ts";

export interface EncoderConfig {
  readonly modelType: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  /** Neurons of each layer's MLP where they differ; 0: the MLP was removed. Our key of config.json: `mlp_sizes`. */
  readonly mlpSizes?: readonly number[];
  readonly numLayers: number;
  readonly numHeads: number;
  /** Rows of the table of positions, and the row of the first token. */
  readonly maxPositions: number;
  readonly firstPosition: number;
  readonly typeVocabSize: number;
  readonly padTokenId: number;
  readonly layerNormEpsilon: number;
  readonly hiddenAct: string;
  readonly hiddenDropout: number;
  readonly attentionDropout: number;
  readonly classifierDropout: number;
  /** Names of the classes; one name for regression. */
  readonly labels: readonly string[];
}

/** More than any model has: names are made before the weights can contradict. */
const MOST_LABELS = 1_000_000;

/** How the configurations of one type of encoder differ from those of others. */
export interface EncoderDefaults {
  readonly modelType: string;
  /** Where config.json does not say it. */
  readonly padTokenId: number;
  /** Positions before that of the first token. */
  readonly firstPosition: (padTokenId: number) => number;
}

/**
 * An encoder's configuration from its config.json.
 * @throws {UnsupportedError} when `model_type` is not one of ours, or positions are not absolute.
 * @throws {CheckpointError} naming every key that is missing or of the wrong kind.
 */
export function parseEncoderConfig(json: unknown, file: string, defaults: EncoderDefaults): EncoderConfig {
  const source = (typeof json === "object" && json !== null ? json : {}) as Readonly<Record<string, unknown>>;
  const { modelType } = defaults;
  if (modelType !== source.model_type)
    throw new UnsupportedError(`${file}: model_type ${JSON.stringify(source.model_type)}`, [modelType]);
  const positions = source.position_embedding_type ?? "absolute";
  if (positions !== "absolute")
    throw new UnsupportedError(`${file}: position_embedding_type ${JSON.stringify(positions)}`, ["absolute"]);
  checkDirection(source, file);
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
  const rate = (key: string, fallback: number): number => {
    const value = source[key] ?? fallback;
    if (typeof value === "number" && value >= 0 && value < 1) return value;
    problem(key, "a probability in [0, 1)", source[key]);
    return 0;
  };
  const hiddenSize = whole("hidden_size");
  const numHeads = whole("num_attention_heads");
  if (hiddenSize % numHeads !== 0) problem("num_attention_heads", `a divisor of hidden_size ${hiddenSize}`, numHeads);
  const epsilon = source.layer_norm_eps ?? 1e-12;
  if (typeof epsilon !== "number" || !(epsilon > 0)) problem("layer_norm_eps", "a positive number", epsilon);
  const hiddenAct = source.hidden_act ?? "gelu";
  if (typeof hiddenAct !== "string") problem("hidden_act", "the name of an activation", hiddenAct);
  const padTokenId = whole("pad_token_id", defaults.padTokenId, 0);
  const hiddenDropout = rate("hidden_dropout_prob", 0.1);
  const mlpSizes = source.mlp_sizes;
  if (mlpSizes !== undefined && !areSizes(mlpSizes, source.num_hidden_layers))
    problem("mlp_sizes", "a whole number ≥ 0 for each layer", mlpSizes);
  const config: EncoderConfig = {
    modelType,
    vocabSize: whole("vocab_size"),
    hiddenSize,
    intermediateSize: whole("intermediate_size"),
    ...(mlpSizes === undefined ? {} : { mlpSizes: mlpSizes as readonly number[] }),
    numLayers: whole("num_hidden_layers", undefined, 0, MOST_LAYERS),
    numHeads,
    maxPositions: whole("max_position_embeddings"),
    typeVocabSize: whole("type_vocab_size", 2),
    padTokenId,
    firstPosition: defaults.firstPosition(padTokenId),
    layerNormEpsilon: epsilon as number,
    hiddenAct: typeof hiddenAct === "string" ? hiddenAct : "",
    hiddenDropout,
    attentionDropout: rate("attention_probs_dropout_prob", 0.1),
    classifierDropout: rate("classifier_dropout", hiddenDropout),
    labels: labelsOf(source, () => whole("num_labels", 2, 1, MOST_LABELS)),
  };
  if (issues.length > 0) throw new CheckpointError(file, issues);
  return config;
}

/**
 * Keys that make a decoder of an encoder: attention to earlier tokens alone, and to another model's states.
 * @throws {UnsupportedError} naming those that are set.
 */
function checkDirection(source: Readonly<Record<string, unknown>>, file: string): void {
  const set = ["is_decoder", "add_cross_attention"].filter((key) => (source[key] ?? false) !== false);
  if (set.length === 0) return;
  const values = set.map((key) => `${key} ${JSON.stringify(source[key])}`);
  throw new UnsupportedError(`${file}: ${values.join(", ")}`, ["false, an encoder that attends to all tokens"]);
}

/** The most tokens a sequence may have; relative positions have no end. */
export function maxSequenceLength(config: EncoderConfig | T5Config): number {
  return "maxPositions" in config ? config.maxPositions - config.firstPosition : Number.POSITIVE_INFINITY;
}

function labelsOf(source: Readonly<Record<string, unknown>>, countOf: () => number): readonly string[] {
  const map = source.id2label;
  if (typeof map === "object" && map !== null) {
    return Object.entries(map)
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(([, label]) => String(label));
  }
  return Array.from({ length: countOf() }, (_, i) => `LABEL_${i}`);
}
