// Models by `model_type`: the table of types, and what is asked of it.
import { nearest, UnsupportedError } from "../errors.ts";
import type { Weights } from "../tensor/index.ts";
import { BERT } from "./bert.ts";
import { DISTILBERT } from "./distilbert.ts";
import { ELECTRA } from "./electra.ts";
import type { EncoderDecoderModel } from "./encoder-decoder.ts";
import type { EncoderModel } from "./encoder-model.ts";
import type { ModelFacts } from "./model-facts.ts";
import { MODERNBERT } from "./modernbert.ts";
import { MPNET } from "./mpnet.ts";
import { MT5 } from "./mt5.ts";
import { CAMEMBERT, ROBERTA, XLM_ROBERTA } from "./roberta.ts";
import { T5 } from "./t5.ts";
import { type Unwrapped, unwrappedFrom } from "./wrappers.ts";

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

/** Types of models that only read: one line each. */
const READERS: readonly ModelType<EncoderModel>[] = [
  BERT,
  ROBERTA,
  XLM_ROBERTA,
  CAMEMBERT,
  DISTILBERT,
  ELECTRA,
  MPNET,
  MODERNBERT,
];

/** Types of models that write texts: one line each. */
const WRITERS: readonly ModelType<EncoderDecoderModel>[] = [T5, MT5];

const TYPES = [...READERS, ...WRITERS] as readonly ModelType[];

const BY_NAME: ReadonlyMap<unknown, ModelType> = new Map(TYPES.map((type) => [type.facts.modelType, type]));

/** The facts of every model type. */
export const MODEL_FACTS: readonly ModelFacts[] = TYPES.map(({ facts }) => facts);

const namesOf = (types: readonly Pick<ModelType, "facts">[]): string[] => types.map(({ facts }) => facts.modelType);

/** The `model_type`s of models that only read. */
export const ENCODER_TYPES: readonly string[] = namesOf(READERS);

/** The `model_type`s of models that write texts. */
export const WRITER_TYPES: readonly string[] = namesOf(WRITERS);

/** The type of a config.json. @throws {UnsupportedError} when `model_type` is not one of ours. */
function typeOf(json: unknown, file: string): ModelType {
  const name = (json as { readonly model_type?: unknown } | null)?.model_type;
  const type = BY_NAME.get(name);
  if (type === undefined) throw unknownType(json, file);
  return type;
}

/** Says which of ours is nearest: by its name, or by what the config.json says of the model. */
function unknownType(json: unknown, file: string): UnsupportedError {
  const { model_type: name, is_encoder_decoder: writes } = (json ?? {}) as Readonly<Record<string, unknown>>;
  const types = writes === true ? WRITER_TYPES : MODEL_FACTS.map(({ modelType }) => modelType);
  const near = relativeOf(name, types) ?? (writes === true ? types[0] : undefined);
  const hint =
    near === undefined
      ? {}
      : { hint: `The nearest of them is ${near}; only a model that was made as one of these types can be opened.` };
  return new UnsupportedError(
    `${file}: model_type ${JSON.stringify(name)}`,
    MODEL_FACTS.map(({ modelType }) => modelType),
    hint,
  );
}

/** The type that is spelled most like a name; else the one whose name it holds, the longest first. */
function relativeOf(name: unknown, types: readonly string[]): string | undefined {
  if (typeof name !== "string") return undefined;
  const longestFirst = [...types].sort((a, b) => b.length - a.length);
  return nearest(name, types) ?? longestFirst.find((type) => name.toLowerCase().includes(type));
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
 * A checkpoint's tensors under this model's names, wrappers' prefixes left out (`unwrapped`): see `sanitizer` and `sanitizeT5`.
 * @throws {CheckpointError} when two tensors claim one name.
 */
export function sanitize(config: ModelConfig, weights: Weights, file = "checkpoint"): Weights {
  return typeOf({ model_type: config.modelType }, file).sanitize(config, unwrapped(weights, file).weights, file);
}

/** A checkpoint's tensors without what wrappers have put before their names. Errors as `unwrappedFrom`. */
export function unwrapped(weights: Weights, file = "checkpoint"): Unwrapped {
  return unwrappedFrom(
    MODEL_FACTS.map(({ names }) => names),
    weights,
    file,
  );
}
