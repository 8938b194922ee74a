// The interface every runtime fills: a graph and its weights in, something that runs out.
import type { Value } from "../graph/index.ts";
import type { EmittedModel } from "../onnx/index.ts";
import type { Tensor, Weights } from "../tensor/index.ts";

/** Tensors by input or output name. */
export type Feeds = Readonly<Record<string, Tensor>>;
export type Outputs = Readonly<Record<string, Tensor>>;

export interface CompileOptions {
  /** Frozen parameters by name; a program reads only those its graph needs. */
  readonly weights?: Weights;
  /** Multiply with the mapped weights as they lie, keeping no packed copy: a few percent slower, least memory; the default. */
  readonly mapWeights?: boolean;
  /** Reuse one block of memory between runs of one shape; costs memory when shapes vary. */
  readonly memoryPattern?: boolean;
  /** Keep freed memory for the next run. */
  readonly memoryArena?: boolean;
  /**
   * This program's threads rest as soon as a run ends. Otherwise they look for work for about 37 ms more, beside what runs next: for
   * programs that run or are timed in turn.
   */
  readonly sleepThreads?: boolean;
  /** Write ONNX Runtime's profile to `<prefix>_<time>.json`. */
  readonly profilePrefix?: string;
}

/** A compiled graph. Dispose it to free its session. */
export interface Program {
  readonly inputs: EmittedModel["inputs"];
  readonly outputs: EmittedModel["outputs"];
  readonly sites: ReadonlyMap<string, string>;
  /**
   * One run. A name in `into` is written to that tensor, which must have the output's dtype and shape; without it a new one is made.
   * @throws {BackendError} when the runtime refuses the feeds or fails.
   */
  run(feeds: Feeds, into?: Outputs): Promise<Outputs>;
  /** Ends profiling, if it was asked for. */
  endProfiling(): void;
  dispose(): Promise<void>;
}

export interface Backend {
  readonly name: "cpu" | "webgpu" | "cuda" | "wasm";
  readonly threads: number;
  /**
   * A program that computes `outputs` by name.
   * @throws {GraphError} when the graph is not legal.
   * @throws {CheckpointError} naming every frozen parameter that is missing or has another shape or dtype.
   * @throws {BackendError} when the runtime refuses the model.
   */
  compile(outputs: Readonly<Record<string, Value>>, options?: CompileOptions): Promise<Program>;
  /** A program over a model that was emitted and maybe rewritten; its weights are in it. @throws {BackendError} as `compile`. */
  open(model: EmittedModel, options?: Omit<CompileOptions, "weights" | "mapWeights">): Promise<Program>;
}
