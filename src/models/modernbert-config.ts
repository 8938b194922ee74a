// What a ModernBERT's config.json says, in our names.

import { UnsupportedError } from "../errors.ts";
import { type EncoderConfig, type EncoderDefaults, parseEncoderConfig } from "./config.ts";
import type { ConfigReader } from "./config-reader.ts";
import { ENCODER_KEYS, type EncoderKeys } from "./model-facts.ts";

/** What a ModernBERT has besides. */
export interface ModernBertOwn {
  /** Of each layer, whether its tokens attend to those near them alone. */
  readonly isLocal: readonly boolean[];
  /** How far a token of a local layer looks, either way. */
  readonly reach: number;
  /** θ of the rotary positions, of local layers and of the others. */
  readonly localTheta: number;
  readonly globalTheta: number;
  readonly normBias: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  /** Of what the MLP's output reads. */
  readonly mlpDropout: number;
  readonly classifierBias: boolean;
  readonly classifierAct: string;
}

export type ModernBertConfig = EncoderConfig & ModernBertOwn;

export const MODERNBERT_KEYS: EncoderKeys = {
  ...ENCODER_KEYS,
  hiddenAct: "hidden_activation",
  hiddenDropout: "embedding_dropout",
  attentionDropout: "attention_dropout",
};

const DEFAULTS: EncoderDefaults<ModernBertOwn> = {
  modelType: "modernbert",
  keys: MODERNBERT_KEYS,
  padTokenId: 50_283,
  firstPosition: () => 0,
  own(reader, { numLayers }) {
    const attentionDropout = reader.rate("attention_dropout", 0);
    const classifierDropout = reader.rate("classifier_dropout", 0);
    return {
      typeVocabSize: 0,
      layerNormEpsilon: reader.positive("norm_eps", 1e-5),
      isGated: true,
      hiddenDropout: reader.rate("embedding_dropout", 0),
      attentionDropout,
      attentionOutputDropout: attentionDropout,
      headDropout: { text: classifierDropout, tokens: classifierDropout, span: classifierDropout },
      pooling: poolingOf(reader),
      isLocal: localLayers(reader, numLayers),
      reach: Math.floor(reader.whole("local_attention", 128) / 2),
      localTheta: theta(reader, "sliding_attention", "local_rope_theta", 10_000),
      globalTheta: theta(reader, "full_attention", "global_rope_theta", 160_000),
      normBias: flag(reader, "norm_bias"),
      attentionBias: flag(reader, "attention_bias"),
      mlpBias: flag(reader, "mlp_bias"),
      mlpDropout: reader.rate("mlp_dropout", 0),
      classifierBias: flag(reader, "classifier_bias"),
      classifierAct: reader.activation("classifier_activation", "gelu"),
    };
  },
};

/**
 * A ModernBERT's configuration. Errors as `parseEncoderConfig`.
 * @throws {UnsupportedError} when its rotary positions are scaled.
 * @see transformers `ModernBertConfig`
 */
export function parseModernBertConfig(json: unknown, file: string): ModernBertConfig {
  const { rope_scaling: scaling } = (json ?? {}) as Readonly<Record<string, unknown>>;
  if (scaling != null) throw scaled(file, "rope_scaling", scaling);
  const config = parseEncoderConfig(json, file, DEFAULTS);
  for (const layers of ["sliding_attention", "full_attention"] as const) {
    const { rope_type: type = "default" } = ropeOf(json, layers);
    if (type !== "default") throw scaled(file, `rope_type of ${layers}`, type);
  }
  return config;
}

const scaled = (file: string, key: string, value: unknown) =>
  new UnsupportedError(`${file}: ${key} ${JSON.stringify(value)}`, ["default"]);

type Json = Readonly<Record<string, unknown>>;

/** Rotary settings of one kind of layer, where config.json has them by kind. */
function ropeOf(json: unknown, layers: string): Json {
  const all = (json as { readonly rope_parameters?: Json | null } | null)?.rope_parameters;
  return (all?.[layers] ?? {}) as Json;
}

function theta(reader: ConfigReader, layers: string, old: string, usual: number): number {
  const { rope_theta: value } = ropeOf(reader.source, layers);
  if (value === undefined) return reader.positive(old, usual);
  if (typeof value === "number" && value > 0) return value;
  reader.problem(`rope_parameters.${layers}.rope_theta`, "a positive number", value);
  return usual;
}

function localLayers(reader: ConfigReader, numLayers: number): boolean[] {
  const { layer_types: types } = reader.source;
  if (types == null) {
    const every = reader.whole("global_attn_every_n_layers", 3);
    return Array.from({ length: numLayers }, (_, layer) => layer % every !== 0);
  }
  const known = ["sliding_attention", "full_attention"];
  if (!Array.isArray(types) || types.length !== numLayers || !types.every((type) => known.includes(String(type)))) {
    reader.problem("layer_types", `${known.join(" or ")} for each layer`, types);
    return [];
  }
  return types.map((type) => type === "sliding_attention");
}

function poolingOf(reader: ConfigReader): EncoderConfig["pooling"] {
  const pooling = reader.source["classifier_pooling"] ?? "cls";
  if (pooling !== "cls" && pooling !== "mean") reader.problem("classifier_pooling", "cls or mean", pooling);
  return pooling === "mean" ? "mean" : "first";
}

function flag(reader: ConfigReader, key: string): boolean {
  const value = reader.source[key] ?? false;
  if (typeof value !== "boolean") reader.problem(key, "true or false", value);
  return value === true;
}
