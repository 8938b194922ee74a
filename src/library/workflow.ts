// The workflow bound to one machine.
import {
  type BenchEvent,
  type BenchOptions,
  type BenchReport,
  benchRuns,
  type CompareEvent,
  type Comparison,
  type CompressEvent,
  type CompressOptions,
  compareRuns,
  compressRun,
  type DemoResult,
  demoRun,
  type Exported,
  type ExportOptions,
  estimateRun,
  evaluateRun,
  exportOnnx,
  exportRun,
  type OnnxExport,
  type OnnxExportOptions,
  type PredictInput,
  type Prediction,
  type Profile,
  type Proposal,
  type PrunedModel,
  type PruneOptions,
  predictFile,
  predictRun,
  profileRun,
  proposeSettings,
  pruneModel,
  type StartWorker,
  type TrainEstimate,
  type TrainedRun,
  trainRun,
  type WrittenPredictions,
  writePredictions,
} from "../jobs/index.ts";
import type { RunOverrides, RunTarget } from "../load/index.ts";
import type { Compression, Environment, Running, Stoppable, Watched } from "../runs/index.ts";
import type { ComparisonCell, Settings, SettingsInput } from "../settings/index.ts";
import type { Evaluation } from "../tasks/index.ts";
import type { TrainEvent } from "../train/index.ts";

/** The workflow as the faces see it, already bound to files, backend and hub. */
export interface Workflow {
  /** Settings for data, as `deft init` writes them. */
  propose(data: string, given?: SettingsInput): Promise<Proposal>;
  train(settings: Settings, options?: Stoppable): Running<TrainEvent, TrainedRun>;
  estimate(settings: Settings): Promise<TrainEstimate>;
  compare(cells: readonly ComparisonCell[], options?: Stoppable): Running<CompareEvent, Comparison>;
  demo(
    options: { readonly output: string; readonly seed?: number; readonly threads?: number } & Stoppable,
  ): Running<CompareEvent, DemoResult>;
  evaluate(target: RunTarget, overrides?: RunOverrides, watched?: Watched): Promise<Evaluation>;
  predict(
    target: RunTarget,
    inputs: AsyncIterable<PredictInput> | Iterable<PredictInput>,
    overrides?: RunOverrides,
    watched?: Watched,
  ): AsyncIterable<Prediction>;
  /** For the rows of a table; `lines` reads the file where it has the keys of JSON lines in place of the run's columns. */
  predictFile(
    target: RunTarget,
    file: { readonly input: string; readonly lines: () => AsyncIterable<PredictInput> },
    overrides?: RunOverrides,
    watched?: Watched,
  ): AsyncIterable<Prediction>;
  /** Writes the rows of a table with the answers beside them. */
  writePredictions(
    target: RunTarget,
    places: { readonly input: string; readonly output: string },
    overrides?: RunOverrides,
    watched?: Watched,
  ): Promise<WrittenPredictions>;
  profile(target: RunTarget, overrides?: RunOverrides, watched?: Watched): Promise<Profile>;
  prune(target: RunTarget, options: PruneOptions, overrides?: RunOverrides): Promise<PrunedModel>;
  exportModel(target: RunTarget, options: ExportOptions, overrides?: RunOverrides): Promise<Exported>;
  compress(
    target: RunTarget,
    options: CompressOptions,
    overrides?: RunOverrides,
    stoppable?: Stoppable,
  ): Running<CompressEvent, Compression>;
  exportOnnx(target: RunTarget, options: OnnxExportOptions, overrides?: RunOverrides): Promise<OnnxExport>;
  bench(options: BenchOptions, start: StartWorker, overrides?: RunOverrides): Running<BenchEvent, BenchReport>;
}

/** Every job, on the files, hub and runtime of `environment`. */
export function workflow(environment: Environment): Workflow {
  return {
    propose: (data, given = {}) => proposeSettings(environment, data, given),
    train: (settings, options) => trainRun(environment, settings, options),
    estimate: (settings) => estimateRun(environment, settings),
    compare: (cells, options) => compareRuns(environment, cells, options),
    demo: (options) => demoRun(environment, options),
    evaluate: (target, overrides, watched) => evaluateRun(environment, target, overrides, watched),
    predict: (target, inputs, overrides, watched) => predictRun(environment, target, inputs, overrides, watched),
    predictFile: (target, file, overrides, watched) => predictFile(environment, target, file, overrides, watched),
    writePredictions: (target, places, overrides, watched) =>
      writePredictions(environment, target, places, overrides, watched),
    profile: (target, overrides, watched) => profileRun(environment, target, overrides, watched),
    prune: (target, options, overrides) => pruneModel(environment, target, options, overrides),
    exportModel: (target, options, overrides) => exportRun(environment, target, options, overrides),
    compress: (target, options, overrides, stoppable) =>
      compressRun(environment, target, options, overrides, stoppable),
    exportOnnx: (target, options, overrides) => exportOnnx(environment, target, options, overrides),
    bench: (options, start, overrides) => benchRuns(environment, options, start, overrides),
  };
}
