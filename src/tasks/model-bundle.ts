// What travels as one: a model with its method and head, the weights its programs hold, and what they are fed.
import type { Model } from "../models/index.ts";
import type { Method } from "../peft/index.ts";
import type { Tensor, Weights } from "../tensor/index.ts";
import type { HeadKind } from "./head.ts";

/** A model that can be run: scored, asked to write, taught from. */
export interface ModelBundle {
  readonly model: Model;
  readonly method: Method;
  readonly head: HeadKind;
  /** Parameters to train besides the method's: parts of the head that the checkpoint lacks. */
  readonly alsoTrains: ReadonlySet<string>;
  /** Everything the programs need that they are not fed: the frozen base, by our names. */
  readonly weights: Weights;
  /** What was trained, fed at every run. */
  readonly trained: ReadonlyMap<string, Tensor>;
}

/** A bundle while it is trained: what it is fed changes with every step. */
export type TrainingBundle = Omit<ModelBundle, "trained">;

/** What a graph is built from. */
export type GraphParts = Pick<ModelBundle, "model" | "method" | "head"> & Partial<Pick<ModelBundle, "alsoTrains">>;
