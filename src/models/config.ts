// What an encoder's config.json says, in our names, with every mistake of the file at once.
import { UnsupportedError } from "../errors.ts";
import { ConfigReader } from "./config-reader.ts";
import type { EncoderKeys } from "./model-facts.ts";
import { areSizes, MOST_LAYERS, type T5Config } from "./t5-config.ts";

export interface EncoderConfig {
  readonly modelType: string;
  readonly vocabSize: number;
  /** Columns of the tables of embeddings; where they are not those of the hidden states, a linear layer is between. */
  readonly embeddingSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  /** Neurons of each layer's MLP where they differ; 0: the MLP was removed. Our key of config.json: `mlp_sizes`. */
  readonly mlpSizes?: readonly number[];
  readonly numLayers: number;
  readonly numHeads: number;
  /** Rows of the table of positions, and the row of the first token. */
  readonly maxPositions: number;
  readonly firstPosition: number;
  /** 0: the model has no segments. */
  readonly typeVocabSize: number;
  readonly padTokenId: number;
  readonly layerNormEpsilon: number;
  readonly hiddenAct: string;
  /** Each MLP has a factor: `act(a) · b`. */
  readonly isGated: boolean;
  /** Of the embeddings, and of what an MLP gives. */
  readonly hiddenDropout: number;
  readonly attentionDropout: number;
  /** Of what an attention gives. */
  readonly attentionOutputDropout: number;
  readonly headDropout: HeadDropout;
  /** The head over a text reads its first token alone, or the mean of all. */
  readonly pooling: "first" | "mean";
  /** Names of the classes; one name for regression. */
  readonly labels: readonly string[];
}

/** Dropout in the heads of tasks. */
export interface HeadDropout {
  /** Over a whole text. */
  readonly text: number;
  /** Over each token. */
  readonly tokens: number;
  /** Of a head that points at answers. */
  readonly span: number;
}

/** More than any model has: names are made before the weights can contradict. */
const MOST_LABELS = 1_000_000;

/** How the configurations of one type of encoder differ from those of others. */
export interface EncoderDefaults<Own extends object = object> {
  readonly modelType: string;
  readonly keys: EncoderKeys;
  /** Where config.json does not say it. */
  readonly padTokenId: number;
  /** Positions before that of the first token. */
  readonly firstPosition: (padTokenId: number) => number;
  /** What this type says otherwise than BERT, or besides. */
  readonly own?: (reader: ConfigReader, usual: EncoderConfig) => Partial<EncoderConfig> & Own;
}

/**
 * An encoder's configuration from its config.json.
 * @throws {UnsupportedError} when `model_type` is not one of ours, or positions are not absolute.
 * @throws {CheckpointError} naming every key that is missing or of the wrong kind.
 */
export function parseEncoderConfig<Own extends object>(
  json: unknown,
  file: string,
  defaults: EncoderDefaults<Own>,
): EncoderConfig & Own {
  const reader = new ConfigReader(json, file);
  const { source } = reader;
  const { modelType, keys } = defaults;
  if (modelType !== source.model_type)
    throw new UnsupportedError(`${file}: model_type ${JSON.stringify(source.model_type)}`, [modelType]);
  const positions = source.position_embedding_type ?? "absolute";
  if (positions !== "absolute")
    throw new UnsupportedError(`${file}: position_embedding_type ${JSON.stringify(positions)}`, ["absolute"]);
  checkDirection(source, file);
  const hiddenSize = reader.whole(keys.hiddenSize);
  const numHeads = reader.whole(keys.numHeads);
  if (hiddenSize % numHeads !== 0)
    reader.problem(keys.numHeads, `a divisor of ${keys.hiddenSize} ${hiddenSize}`, numHeads);
  const padTokenId = reader.whole("pad_token_id", defaults.padTokenId, 0);
  const hiddenDropout = reader.rate(keys.hiddenDropout, 0.1);
  const classifierDropout = reader.rate("classifier_dropout", hiddenDropout);
  const usual: EncoderConfig = {
    modelType,
    vocabSize: reader.whole("vocab_size"),
    embeddingSize: hiddenSize,
    hiddenSize,
    intermediateSize: reader.whole(keys.intermediateSize),
    ...mlpSizesOf(reader, source[keys.numLayers]),
    numLayers: reader.whole(keys.numLayers, undefined, 0, MOST_LAYERS),
    numHeads,
    maxPositions: reader.whole("max_position_embeddings"),
    typeVocabSize: reader.whole("type_vocab_size", 2),
    padTokenId,
    firstPosition: defaults.firstPosition(padTokenId),
    layerNormEpsilon: reader.positive("layer_norm_eps", 1e-12),
    hiddenAct: reader.activation(keys.hiddenAct, "gelu"),
    isGated: false,
    hiddenDropout,
    attentionDropout: reader.rate(keys.attentionDropout, 0.1),
    attentionOutputDropout: hiddenDropout,
    headDropout: { text: classifierDropout, tokens: classifierDropout, span: 0 },
    pooling: "first",
    labels: labelsOf(source, () => reader.whole("num_labels", 2, 1, MOST_LABELS)),
  };
  const config = { ...usual, ...defaults.own?.(reader, usual) } as EncoderConfig & Own;
  reader.finish();
  return config;
}

function mlpSizesOf(reader: ConfigReader, numLayers: unknown): Pick<EncoderConfig, "mlpSizes"> {
  const { mlp_sizes: mlpSizes } = reader.source;
  if (mlpSizes === undefined) return {};
  if (!areSizes(mlpSizes, numLayers)) reader.problem("mlp_sizes", "a whole number ≥ 0 for each layer", mlpSizes);
  return { mlpSizes: mlpSizes as readonly number[] };
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
