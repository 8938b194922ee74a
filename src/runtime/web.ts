// ONNX Runtime for the web: wasm in browsers and, for conformance, in plain Node; WebGPU in browsers.
import type { InferenceSession as OrtSession } from "onnxruntime-common";
import * as ort from "onnxruntime-web";
import type { Backend } from "./backend.ts";
import { type Ort, openProgram, type Prepared, prepare } from "./program.ts";

export interface WebBackendOptions {
  readonly device?: "wasm" | "webgpu";
  readonly threads?: number;
}

/** The backend for browsers; weights are copied into the session, since wasm cannot map files. */
export function webBackend({ device = "wasm", threads = 1 }: WebBackendOptions = {}): Backend {
  const options: OrtSession.SessionOptions = {
    executionProviders: [device],
    graphOptimizationLevel: "all",
    logSeverityLevel: 4,
  };
  // onnxruntime-web leaves tensors it is given to fetch into untouched (1.30), so results are copied
  const open = (prepared: Prepared) => {
    ort.env.wasm.numThreads = threads;
    return openProgram(ort as unknown as Ort, device, prepared, options, { fetchesInPlace: false });
  };
  return {
    name: device,
    threads,
    compile: async (outputs, { weights = new Map() } = {}) => open(await prepare(outputs, weights, false)),
    open: (model) => open({ model, folder: undefined }),
  };
}
