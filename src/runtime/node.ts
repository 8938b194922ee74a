// ONNX Runtime in Node: CPU, and WebGPU or CUDA where a device and the user's installation allow.
import { availableParallelism } from "node:os";
import type { InferenceSession as OrtSession } from "onnxruntime-common";
import { UnsupportedError } from "../errors.ts";
import type { Backend, CompileOptions } from "./backend.ts";
import { type EngineOptions, loadEngine } from "./engine-node.ts";
import { HostTensor } from "./host-tensor.ts";
import { openProgram, prepare } from "./program.ts";

export interface NodeBackendOptions {
  readonly device?: "cpu" | "webgpu" | "cuda";
  /** Threads inside one op; all cores by default. */
  readonly threads?: number;
  /** `CompileOptions.sleepThreads` of every program: for processes that are timed in turn. */
  readonly sleepThreads?: boolean;
  /** Where ONNX Runtime is looked for; by default only among the packages that Node finds. */
  readonly engine?: EngineOptions;
}

const DEVICES = ["cpu", "webgpu", "cuda"];

/**
 * The backend for Node. ONNX Runtime is loaded when the first program is compiled.
 * @throws {UnsupportedError} when the device is not one that onnxruntime-node knows.
 */
export function nodeBackend({
  device = "cpu",
  threads = availableParallelism(),
  sleepThreads = false,
  engine = {},
}: NodeBackendOptions = {}): Backend {
  if (!DEVICES.includes(device)) throw new UnsupportedError(`backend ${device}`, DEVICES);
  return {
    name: device,
    threads,
    // onnxruntime-node takes and gives host memory on every device
    place: async (tensor) => new HostTensor(tensor),
    async compile(outputs, options = {}) {
      const prepared = await prepare(outputs, options, true);
      return openProgram(
        await loadEngine(engine),
        device,
        prepared,
        sessionOptions(device, threads, prepared.folder, { sleepThreads, ...options }),
      );
    },
    open: async (model, options = {}) =>
      openProgram(
        await loadEngine(engine),
        device,
        { model, folder: undefined },
        sessionOptions(device, threads, undefined, { sleepThreads, ...options, mapWeights: false }),
      ),
  };
}

function sessionOptions(
  device: string,
  threads: number,
  folder: string | undefined,
  options: CompileOptions,
): OrtSession.SessionOptions {
  const session: Record<string, string> = {};
  if (folder !== undefined) session.model_external_initializers_file_folder_path = folder;
  if (options.mapWeights ?? true) session.disable_prepacking = "1";
  if (options.sleepThreads) session.force_spinning_stop = "1";
  return {
    executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    enableMemPattern: options.memoryPattern ?? false,
    enableCpuMemArena: options.memoryArena ?? true,
    // only fatal: what fails is thrown, and would be printed twice
    logSeverityLevel: 4,
    extra: { session },
    ...(options.profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
  };
}
