// How ONNX Runtime is opened to be timed: alike for our files and for Transformers.js.
import { createRequire } from "node:module";
import type { InferenceSession, InferenceSessionFactory, TensorConstructor } from "onnxruntime-common";

/** Threads rest between runs: those of the process before would otherwise take a core from this one's first 37 ms. */
export function timedSession(threads: number): InferenceSession.SessionOptions {
  return { intraOpNumThreads: threads, interOpNumThreads: 1, extra: { session: { force_spinning_stop: "1" } } };
}

/** The variable of a worker's environment that holds ONNX Runtime's folder: finding it would load half the library. */
export const ENGINE_FOLDER = "DEFT_BENCH_ENGINE";

/** ONNX Runtime alone, from the folder that the process which started this one has found. */
export function timedEngine(): {
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
} {
  return createRequire(import.meta.url)(process.env[ENGINE_FOLDER]!);
}
