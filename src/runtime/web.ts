// ONNX Runtime for the web: wasm in browsers and, for conformance, in plain Node; WebGPU in browsers.
import type { InferenceSession as OrtSession } from "onnxruntime-common";
import { BackendError } from "../errors.ts";
import type { Backend } from "./backend.ts";
import { HostTensor } from "./host-tensor.ts";
import { type Ort, openProgram, type Prepared, prepare } from "./program.ts";

export interface WebBackendOptions {
  readonly device?: "wasm" | "webgpu";
  readonly threads?: number;
}

const PACKAGE = "onnxruntime-web";
const VERSION = "1.30.0";

type WebOrt = Ort & { readonly env: { readonly wasm: { numThreads?: number } } };

/**
 * ONNX Runtime's web package, an optional peer.
 * @throws {BackendError} when it is not installed.
 */
async function loadWebEngine(): Promise<WebOrt> {
  try {
    // `unknown` first: its declarations name classes of the DOM, which Node's programs do not have
    return (await import("onnxruntime-web")) as unknown as WebOrt;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new BackendError(PACKAGE, "load", `it cannot be imported: ${message}`, {
      cause,
      hint: `Run \`npm install ${PACKAGE}@${VERSION}\`; it is an optional peer of deft-tune, needed for deft-tune/web alone.`,
    });
  }
}

/** The backend for browsers; weights are copied into the session, since wasm cannot map files. */
export function webBackend({ device = "wasm", threads = 1 }: WebBackendOptions = {}): Backend {
  const options: OrtSession.SessionOptions = {
    executionProviders: [device],
    graphOptimizationLevel: "all",
    logSeverityLevel: 4,
  };
  // onnxruntime-web leaves tensors it is given to fetch into untouched (1.30), so results are copied
  const open = async (prepared: Prepared) => {
    const ort = await loadWebEngine();
    ort.env.wasm.numThreads = threads;
    return openProgram(ort, device, prepared, options, { fetchesInPlace: false });
  };
  return {
    name: device,
    threads,
    place: async (tensor) => new HostTensor(tensor),
    // attention stays as it is: to rewrite a model that holds its weights takes their memory twice
    compile: async (outputs, { weights = new Map() } = {}) => open(await prepare(outputs, { weights }, false)),
    open: (model) => open({ model, folder: undefined }),
  };
}
