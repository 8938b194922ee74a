// The workflow bound to one machine.

import type { CompressOptions } from "../deploy/index.ts";
import {
  type BenchEvent,
  type BenchOptions,
  type BenchReport,
  benchRuns,
  type CompressEvent,
  compressRun,
  type Exported,
  type ExportOptions,
  exportOnnx,
  exportRun,
  type OnnxExport,
  type OnnxExportOptions,
  type PrunedModel,
  type PruneOptions,
  pruneModel,
  type StartWorker,
} from "../deploy/index.ts";
import type { Evaluation } from "../infer/index.ts";
import type { ComparisonCell, Settings } from "../settings/index.ts";
import type { TrainEvent } from "../train/index.ts";
import type {
  CompareEvent,
  Comparison,
  Compression,
  DemoResult,
  Environment,
  PredictInput,
  Prediction,
  Profile,
  Running,
  RunOverrides,
  RunTarget,
  Stoppable,
  TrainEstimate,
  TrainedRun,
  Watched,
} from "../workflow/index.ts";
import { compareRuns, demoRun, estimateRun, evaluateRun, predictRun, profileRun, trainRun } from "../workflow/index.ts";

/** The workflow as the faces see it, already bound to files, backend and hub. */
export interface Workflow {
  train(settings: Settings, options?: Stoppable): Running<TrainEvent, TrainedRun>;
  estimate(settings: Settings): Promise<TrainEstimate>;
  compare(cells: readonly ComparisonCell[], options?: Stoppable): Running<CompareEvent, Comparison>;
  demo(
    options: { readonly output: string; readonly seed?: number; readonly threads?: number } & Stoppable,
  ): Running<CompareEvent, DemoResult>;
  evaluateRun(target: RunTarget, overrides?: RunOverrides, watched?: Watched): Promise<Evaluation>;
  predictRun(
    target: RunTarget,
    inputs: AsyncIterable<PredictInput> | Iterable<PredictInput>,
    overrides?: RunOverrides,
    watched?: Watched,
  ): AsyncIterable<Prediction>;
  profileRun(target: RunTarget, overrides?: RunOverrides, watched?: Watched): Promise<Profile>;
  pruneModel(target: RunTarget, options: PruneOptions, overrides?: RunOverrides): Promise<PrunedModel>;
  exportRun(target: RunTarget, options: ExportOptions, overrides?: RunOverrides): Promise<Exported>;
  compressRun(
    target: RunTarget,
    options: CompressOptions,
    overrides?: RunOverrides,
    stoppable?: Stoppable,
  ): Running<CompressEvent, Compression>;
  exportOnnx(target: RunTarget, options: OnnxExportOptions, overrides?: RunOverrides): Promise<OnnxExport>;
  benchRuns(options: BenchOptions, start: StartWorker, overrides?: RunOverrides): Running<BenchEvent, BenchReport>;
}

/** Every job, on the files, hub and runtime of `environment`. */
export function workflow(environment: Environment): Workflow {
  return {
    train: (settings, options) => trainRun(environment, settings, options),
    estimate: (settings) => estimateRun(environment, settings),
    compare: (cells, options) => compareRuns(environment, cells, options),
    demo: (options) => demoRun(environment, options),
    evaluateRun: (target, overrides, watched) => evaluateRun(environment, target, overrides, watched),
    predictRun: (target, inputs, overrides, watched) => predictRun(environment, target, inputs, overrides, watched),
    profileRun: (target, overrides, watched) => profileRun(environment, target, overrides, watched),
    pruneModel: (target, options, overrides) => pruneModel(environment, target, options, overrides),
    exportRun: (target, options, overrides) => exportRun(environment, target, options, overrides),
    compressRun: (target, options, overrides, stoppable) =>
      compressRun(environment, target, options, overrides, stoppable),
    exportOnnx: (target, options, overrides) => exportOnnx(environment, target, options, overrides),
    benchRuns: (options, start, overrides) => benchRuns(environment, options, start, overrides),
  };
}
