// The interface every runtime fills: a graph and its weights in, something that runs out.
import type { Value } from "../graph/index.ts";
import type { EmittedModel } from "../onnx/index.ts";
import type { DType, Tensor, Weights } from "../tensor/index.ts";

/**
 * A tensor where its backend keeps it, from run to run: parameters, an optimiser's moments, keys and values of texts so far. Opaque:
 * its numbers reach the host by `read` alone. Only programs of the backend that placed it take it.
 */
export interface DeviceTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Its numbers on the host: where the device's memory is the host's, the memory itself, which later runs may write. */
  read(): Promise<Tensor>;
  /** Writes the numbers of a host tensor of its dtype and shape over its own. */
  write(tensor: Tensor): Promise<void>;
  dispose(): Promise<void>;
}

/** Tensors by input name. */
export type Feeds = Readonly<Record<string, Tensor | DeviceTensor>>;
/** Tensors by output name, on the host. */
export type Outputs = Readonly<Record<string, Tensor>>;
/** Where outputs are written, by name. */
export type Targets = Readonly<Record<string, Tensor | DeviceTensor>>;

export interface CompileOptions {
  /** Frozen parameters by name; a program reads only those its graph needs. */
  readonly weights?: Weights;
  /** Multiply with the mapped weights as they lie, keeping no packed copy: a few percent slower, least memory; the default. */
  readonly mapWeights?: boolean;
  /** Make each attention over so many heads one operator, where it has that operator's form; for graphs without a backward pass. Not in browsers. */
  readonly attentionHeads?: number;
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
   * What is written to a device tensor is not among the outputs that are returned.
   * @throws {BackendError} when the runtime refuses the feeds or fails.
   */
  run(feeds: Feeds, into?: Targets): Promise<Outputs>;
  /** Ends profiling, if it was asked for. */
  endProfiling(): void;
  dispose(): Promise<void>;
}

/** Whether programs run on processors, which are fast with a part of a batch that stays in their cache; a GPU is fast with large products alone. */
export function isProcessor({ name }: Pick<Backend, "name">): boolean {
  return name === "cpu" || name === "wasm";
}

export interface Backend {
  readonly name: "cpu" | "webgpu" | "cuda" | "wasm";
  readonly threads: number;
  /** Puts a tensor where programs of this backend read and write it; on the host's own memory it stays where it is. */
  place(tensor: Tensor): Promise<DeviceTensor>;
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
