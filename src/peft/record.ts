// What is known of a PEFT method, as one record: its settings, how it is built, folded into weights, stored and named.

import type { CheckpointIssue } from "../errors.ts";
import type { StoredFormat } from "../graph/index.ts";
import type { JsonObject } from "../hub/index.ts";
import type { ModelFacts } from "../models/index.ts";
import type { Tensor, Weights } from "../tensor/index.ts";
import type { StoredAdapter } from "./formats/adapter.ts";
import type { Method, StoredMethod } from "./method.ts";

/** A value of a setting. */
type OptionValue = string | number | boolean | readonly string[];

/** A setting of a method by its key: the flag without `--`. Its check, flag and help are its row in `settings/table/method`. */
export interface OptionRow<T extends OptionValue = OptionValue> {
  /** Absent: nothing, or what suits the model. */
  readonly default?: T;
}

/** A setting that is `usual` where nobody says. */
export const option = <T extends OptionValue>(usual: T): OptionRow<T> & { readonly default: T } => ({ default: usual });

/** A setting that is absent where nobody says. */
export const optional = <T extends OptionValue>(): OptionRow<T> => ({});

/** Settings by key. */
export type OptionRows = Readonly<Record<string, OptionRow>>;

type ValueOf<R> = R extends OptionRow<infer T> ? T : never;

/** The values of a method's settings: those with a default are there, the others where they were given. */
export type OptionValues<R extends OptionRows> = {
  readonly [K in keyof R as R[K] extends { readonly default: unknown } ? K : never]: ValueOf<R[K]>;
} & {
  readonly [K in keyof R as R[K] extends { readonly default: unknown } ? never : K]?: ValueOf<R[K]>;
};

/** What a file format asks of the base model and of what was trained on it. */
export interface AdapterFacts {
  /** The base as the person named it. */
  readonly model: string;
  readonly modelType: string;
  /** The class that transformers loads base and head by: `BertForSequenceClassification`. */
  readonly modelClass: string;
  /** As peft spells it: `SEQ_CLS`. */
  readonly taskType: string | null;
  /** Modules trained and stored whole: `classifier`. */
  readonly modulesToSave: readonly string[];
  /** Class names in the order of logits; empty for regression. */
  readonly labels: readonly string[];
  /** Whether it has a decoder, which writes. */
  readonly writes: boolean;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Every linear layer outside the head, by path. */
  readonly linearSites: () => readonly string[];
  /** Every attention, by path, in order. */
  readonly attentionSites: () => readonly string[];
}

/** An adapter as a library's files have it; AdapterHub's has its head in files of its own. */
export interface AdapterFiles {
  readonly config: JsonObject;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly head?: { readonly config: JsonObject; readonly tensors: ReadonlyMap<string, Tensor> } | null;
}

/** The libraries whose files are read and written. */
export type AdapterLibrary = "peft" | "adapters";

/** How a method is stored for other libraries. */
export interface AdapterFormat<S extends StoredMethod, A extends StoredAdapter> {
  readonly library: AdapterLibrary;
  /** The values of `peft_type` that it reads; none for AdapterHub, whose files say no method. */
  readonly peftTypes: readonly string[];
  /** Why only our own file can hold it; absent or null: nothing speaks against it. */
  obstacle?(settings: S, facts: Pick<AdapterFacts, "writes">): FormatObstacle | null;
  toAdapter(settings: S, tensors: ReadonlyMap<string, Tensor>, facts: AdapterFacts): A;
  toFiles(adapter: A): AdapterFiles;
  /** Tensors that do not fit its own configuration are added to `misfits` when it is given. */
  fromFiles(files: AdapterFiles, configFile: string, misfits?: CheckpointIssue[]): A;
  /** The settings that it was made with. @throws {ConfigError} listing what it computes and is not built. */
  settingsOf(adapter: A, facts: Pick<AdapterFacts, "linearSites">, folder: string): S;
  /** Its tensors by the names that the model gives them; absent: they have those. */
  tensorsOf?(adapter: A, facts: AdapterFacts, place: AdapterPlace): Map<string, Tensor>;
  /** Its settings where the model's parts have other names; `sites` are the linear layers by those it uses. Absent: they name none. */
  renamed?(config: A["config"], named: (name: string) => string, sites: readonly string[]): A["config"];
  /** Class names that it holds; null: none. */
  labelsOf?(adapter: A): readonly string[] | null;
}

/** Where an adapter lies, and what is known not to fit the model so far. */
export interface AdapterPlace {
  readonly folder: string;
  readonly misfits: readonly CheckpointIssue[];
}

/** Why no other library can load what was trained, and what would do. */
export interface FormatObstacle {
  readonly expected?: string;
  readonly got: string;
  readonly hint?: string;
}

/**
 * A PEFT method. What differs from method to method is a field here; nothing outside this room asks for a method by its name.
 * Functions that are absent stand for what most methods do, as their comments say.
 */
export interface MethodRecord<S extends StoredMethod, R extends OptionRows, A extends StoredAdapter> {
  readonly kind: S["kind"];
  /** In a heading: `LoRA`, `prompt tuning`. */
  readonly title: string;
  /** The library's function that makes it. */
  readonly maker: string;
  /** Other names of `--method`: each stands for the method over a base that is stored so. */
  readonly aliases?: Readonly<Record<string, StoredFormat>>;
  readonly options: R;
  /** Peak learning rate where nobody says; absent: the usual one. */
  readonly learningRate?: number;
  /** Trains the base's own matrices, which can then be stored in few bits no more, and whose zeros it could fill. */
  readonly trainsBase?: true;
  /** What the names of the parameters that it adds to the model have in them; absent: it adds none. */
  readonly adds?: RegExp;
  settingsFrom(values: OptionValues<R>): S;
  /** The settings as values by key; those that are null or absent were not given. */
  valuesOf(settings: S): Readonly<Record<string, unknown>>;
  /** `initTokenIds` are the tokens of `initText`, special ones included; only training needs them. */
  build(settings: S, initTokenIds?: readonly number[]): Method<S>;
  /** The settings with the layers that are usual for a model type, where none were chosen. */
  onModel?(settings: S, facts: ModelFacts): S;
  /** The settings under which the base's zeros stay; absent: they do anyway. */
  keepingZeros?(settings: S): S;
  /** The same on every linear layer, for a recovery, which repairs wherever something was cut; absent: as it is. */
  everywhere?(settings: S): S;
  /** The text that its virtual tokens begin as; absent or null: none. */
  initText?(settings: S): string | null;
  /** How many of a model's positions it takes for itself; absent: none. */
  virtualTokens?(settings: S): number;
  /** Settings and tensors as they are stored; absent: as they were trained. */
  folded?(
    settings: S,
    tensors: ReadonlyMap<string, Tensor>,
  ): { readonly settings: S; readonly tensors: ReadonlyMap<string, Tensor> };
  /** The weights with what was trained folded in, each when it is read; absent: it is no change of weights, and stays beside them. */
  merge?(weights: Weights, trained: ReadonlyMap<string, Tensor>, settings: S): Weights;
  /**
   * Its tensors when gates, by the path of the MLP's sublayer, are folded into the base's weights behind which they stand; null: they
   * cannot be, and stay gates. Absent: it adds nothing to what an MLP gives.
   */
  behindGates?(
    settings: S,
    tensors: ReadonlyMap<string, Tensor>,
    gates: ReadonlyMap<string, number>,
  ): Map<string, Tensor> | null;
  /** Null: in our own file alone. */
  readonly format: AdapterFormat<S, A> | null;
}
