// The workflow bound to one machine.
import type { Workflow } from "./api.ts";
import { benchRuns } from "./benchmarking.ts";
import { compareRuns, demoRun } from "./comparing.ts";
import { compressRun } from "./compressing.ts";
import type { Environment } from "./environment.ts";
import { exportRun } from "./exporting.ts";
import { exportOnnx } from "./exporting-onnx.ts";
import { evaluateRun, profileRun } from "./inspecting.ts";
import { predictRun } from "./predicting.ts";
import { pruneModel } from "./pruning.ts";
import { estimateRun, trainRun } from "./training.ts";

/** Every job, on the files, hub and runtime of `environment`. */
export function workflow(environment: Environment): Workflow {
  return {
    train: (settings, options) => trainRun(environment, settings, options),
    estimate: (settings) => estimateRun(environment, settings),
    compare: (cells, options) => compareRuns(environment, cells, options),
    demo: (options) => demoRun(environment, options),
    evaluateRun: (target, overrides) => evaluateRun(environment, target, overrides),
    predictRun: (target, inputs, overrides) => predictRun(environment, target, inputs, overrides),
    profileRun: (target, overrides) => profileRun(environment, target, overrides),
    pruneModel: (target, options, overrides) => pruneModel(environment, target, options, overrides),
    exportRun: (target, options, overrides) => exportRun(environment, target, options, overrides),
    compressRun: (target, options, overrides, stoppable) =>
      compressRun(environment, target, options, overrides, stoppable),
    exportOnnx: (target, options, overrides) => exportOnnx(environment, target, options, overrides),
    benchRuns: (options, start, overrides) => benchRuns(environment, options, start, overrides),
  };
}
