// Models by `model_type`: the table of types, and what is asked of it.
import { UnsupportedError } from "../errors.ts";
import type { Weights } from "../tensor/index.ts";
import { BERT } from "./bert.ts";
import type { EncoderDecoderModel } from "./encoder-decoder.ts";
import type { EncoderModel } from "./encoder-model.ts";
import type { ModelFacts } from "./model-facts.ts";
import { ROBERTA } from "./roberta.ts";
import { T5 } from "./t5.ts";
import { unwrapped } from "./wrappers.ts";

/** A model of any type. */
export type Model = EncoderModel | EncoderDecoderModel;
/** What any model's config.json says. */
export type ModelConfig = Model["config"];

/** A model type: the model that a config.json describes, its tensors under our names, and what is known of it besides. */
export interface ModelType<M extends Model = Model> {
  readonly facts: ModelFacts;
  /** The model of a config.json; the names of the stored tensors may tell what that leaves open. */
  open(json: unknown, file?: string, stored?: Pick<Weights, "has">): M;
  /** Tensors of a checkpoint under the model's names. */
  sanitize(config: M["config"], weights: Weights, file: string): Weights;
}

/** Every model type: one line each. */
const TYPES: readonly ModelType[] = [BERT, ROBERTA, T5];

const BY_NAME: ReadonlyMap<unknown, ModelType> = new Map(TYPES.map((type) => [type.facts.modelType, type]));

/** The facts of every model type. */
export const MODEL_FACTS: readonly ModelFacts[] = TYPES.map(({ facts }) => facts);

/** The `model_type`s of models that only read. */
export const ENCODER_TYPES: readonly string[] = [BERT, ROBERTA].map(({ facts }) => facts.modelType);

/** The type of a config.json. @throws {UnsupportedError} when `model_type` is not one of ours. */
function typeOf(json: unknown, file: string): ModelType {
  const name = (json as { readonly model_type?: unknown } | null)?.model_type;
  const type = BY_NAME.get(name);
  if (type === undefined)
    throw new UnsupportedError(`${file}: model_type ${JSON.stringify(name)}`, [...BY_NAME.keys()] as string[]);
  return type;
}

/** What is known of the model type of a config.json. @throws {UnsupportedError} when `model_type` is not one of ours. */
export function factsOf(json: unknown, file = "config.json"): ModelFacts {
  return typeOf(json, file).facts;
}

/**
 * The model that a config.json describes, of any type; the names of its stored tensors tell a T5's head.
 * Errors as the type's own.
 * @throws {UnsupportedError} when `model_type` is not one of ours.
 */
export function anyModel(json: unknown, file = "config.json", stored?: Pick<Weights, "has">): Model {
  return typeOf(json, file).open(json, file, stored);
}

/** The encoder that a config.json describes. @throws {UnsupportedError} for another model. Errors as `anyModel`. */
export function encoderModel(json: unknown, file = "config.json"): EncoderModel {
  const model = anyModel(json, file);
  if (!model.writes) return model;
  throw new UnsupportedError(`${file}: model_type ${JSON.stringify(model.facts.modelType)}`, ENCODER_TYPES);
}

/**
 * A checkpoint's tensors under this model's names, wrappers' prefixes left out (`unwrapped`): see `sanitizeEncoder` and `sanitizeT5`.
 * @throws {CheckpointError} when two tensors claim one name.
 */
export function sanitize(config: ModelConfig, weights: Weights, file = "checkpoint"): Weights {
  return typeOf({ model_type: config.modelType }, file).sanitize(config, unwrapped(weights, file).weights, file);
}
