// What a benchmark times, with what, and on what: what its processes are started with.
import type { Precision } from "../../export/index.ts";
import type { LoadMeter } from "./quiet-rounds.ts";

/** Who runs a row's model. */
export type BenchEngine = "onnxruntime" | "transformers.js" | "pytorch";

/**
 * What is timed: reading texts, which is all that an encoder does; one more token of each, with the keys of those before kept; or
 * writing whole texts of a fixed length, reading included.
 */
export type BenchPhase = "encode" | "decode" | "generate";

/** Something of each phase that a model has. */
export type ByPhase<T> = Readonly<Partial<Record<BenchPhase, T>>>;

/** What a phase took of the day, and of the processors: of all threads together. */
export interface PhaseTime {
  readonly ms: number;
  readonly processorMs: number;
}

/** What a worker process is started with. */
export interface BenchJob {
  readonly engine: BenchEngine;
  /** An ONNX file; for Transformers.js and PyTorch a model's folder. */
  readonly path: string;
  readonly precision: Precision;
  readonly threads: number;
  /** For models that write; null for the others. */
  readonly writing: WritingJob | null;
}

export interface WritingJob {
  /** The decoder's ONNX file, where `path` is the encoder's. */
  readonly decoder: string;
  readonly startId: number;
  /** Tokens of every text, however early it would end; 2 at least. */
  readonly newTokens: number;
}

/** Token ids of one batch, not padded. */
export interface BenchBatch {
  readonly ids: readonly (readonly number[])[];
  /** Where segment 1 starts in each row. */
  readonly segments: readonly number[];
  readonly padId: number;
}

export interface BenchOptions {
  readonly targets: readonly string[];
  readonly precisions: readonly Precision[];
  /** Peers of the first target. */
  readonly peers: readonly Exclude<BenchEngine, "onnxruntime">[];
  /** An exported folder that Transformers.js is given instead of ours: another tool's export of the same model. */
  readonly peerOnnx: string | null;
  readonly batches: readonly number[];
  /** Tokens that models that write are made to write for each text. */
  readonly newTokens: number;
  /** Counted rounds at batch 1; larger batches get fewer. */
  readonly rounds: number;
  readonly threads: number;
  /** By what rounds are left out in which other programs were busy; without it every round counts. */
  readonly meter?: LoadMeter;
}
