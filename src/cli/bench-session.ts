// How ONNX Runtime is opened to be timed: alike for our files and for Transformers.js.
import type { InferenceSession } from "onnxruntime-node";

/** Threads rest between runs: those of the process before would otherwise take a core from this one's first 37 ms. */
export function timedSession(threads: number): InferenceSession.SessionOptions {
  return { intraOpNumThreads: threads, interOpNumThreads: 1, extra: { session: { force_spinning_stop: "1" } } };
}
