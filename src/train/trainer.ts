// The loop: steps, evaluations, checkpoints, early stopping. It yields events and draws nothing.
import { ConfigError, TrainingError } from "../errors.ts";
import type { ModelBatch } from "../infer/index.ts";
import { annealedAt, learningRateAt, rampAt, type Schedule } from "../optim/index.ts";
import type { Files, Tensor } from "../tensor/index.ts";
import {
  checkpointFolder,
  listCheckpoints,
  loadCheckpoint,
  loadTrainable,
  pruneCheckpoints,
  saveCheckpoint,
  type TrainerState,
} from "./checkpoint.ts";
import type { EvalEvent, StepEvent, TrainEvent } from "./events.ts";
import type { Optimizer, StepRates, StepResult } from "./optimizer.ts";
import { Progress } from "./progress.ts";

/** Training examples in batches; the order is a pure function of the epoch, so that a resumed run meets the same. */
export interface BatchSource {
  readonly batchesPerEpoch: number;
  /** The batches of an epoch, counted from 0, in order. */
  epoch(epoch: number): EpochBatches;
}

export interface EpochBatches {
  /** Batch `index` of the epoch. */
  batch(index: number): ModelBatch;
  /** Says which examples batch `index` holds, for messages. */
  describe(index: number): string;
}

/** When the density loss weighs how much. */
export interface DensitySchedule {
  readonly weight: number;
  /** Steps over which the weight rises from 0, and ε goes from `from` to `to`. */
  readonly warmupSteps: number;
  /** Annealed geometrically over `annealSteps`, then kept. */
  readonly epsilon: { readonly from: number; readonly to: number };
  readonly annealSteps: number;
}

export interface CheckpointOptions {
  readonly files: Files;
  /** Folder of the `step-N` folders. */
  readonly folder: string;
  /** Newest checkpoints kept, besides the best. */
  readonly keep: number;
  /** Steps between checkpoints; null: at every evaluation. */
  readonly saveSteps: number | null;
  /** What the steps depend on, as text: a checkpoint goes on only under the same. */
  readonly fingerprint: string;
  /** Go on from the newest checkpoint, when there is one. */
  readonly resume: boolean;
}

export interface TrainerOptions {
  readonly optimizer: Optimizer;
  readonly batches: BatchSource;
  readonly accumulate: number;
  readonly totalSteps: number;
  readonly schedule: Schedule;
  readonly density: DensitySchedule;
  /** Loss of the best constant answer on the training labels. */
  readonly chanceLoss: number;
  readonly evaluate: (
    trained: ReadonlyMap<string, Tensor>,
  ) => Promise<Pick<EvalEvent, "split" | "examples" | "loss" | "metrics" | "density">>;
  /** The metric that decides what is best. */
  readonly metricName: string;
  /** Steps between evaluations; null: at the end of each epoch. */
  readonly evalSteps: number | null;
  /** Evaluations without gain before stopping; null: never. */
  readonly patience: number | null;
  /** Null: nothing is kept on disk. */
  readonly checkpoints: CheckpointOptions | null;
  /** Facts of the run for its first event. */
  readonly describe: Omit<Extract<TrainEvent, { type: "start" }>, "type" | "time" | "totalSteps" | "fromStep">;
  readonly rssBytes: () => number;
  readonly signal?: AbortSignal;
}

export interface TrainResult {
  /** The parameters at the best evaluation; the last ones when the run was interrupted. */
  readonly trained: ReadonlyMap<string, Tensor>;
  readonly step: number;
  readonly bestStep: number | null;
  readonly bestMetric: number | null;
  readonly interrupted: boolean;
}

/**
 * Trains and yields what happens; the generator's return value is the result.
 * @throws {TrainingError} when a loss or gradient is not finite, naming step, batch and last good checkpoint.
 * @throws {ConfigError} when asked to resume under other settings than the checkpoint's.
 * @throws {FileError} when a checkpoint cannot be written; the older ones stay whole.
 */
export async function* train(options: TrainerOptions): AsyncGenerator<TrainEvent, TrainResult> {
  const run = new Run(options);
  await run.begin();
  yield { type: "start", time: Date.now(), ...options.describe, totalSteps: options.totalSteps, fromStep: run.step };
  const started = performance.now();
  let reason: "finished" | "early-stopping" | "interrupted" = run.outOfPatience ? "early-stopping" : "finished";
  while (run.step < options.totalSteps && reason === "finished") {
    const event = await run.next();
    yield event;
    const collapsed = run.noteLoss(event);
    if (collapsed) yield collapsed;
    const last = run.step === options.totalSteps;
    const interrupted = options.signal?.aborted ?? false;
    const evaluated = run.evaluationDue(last) && !interrupted ? await run.evaluate() : null;
    if (evaluated) yield evaluated;
    if (interrupted || run.saveDue(evaluated, last)) {
      const folder = await run.save();
      if (folder !== null) yield { type: "checkpoint", time: Date.now(), step: run.step, folder };
    }
    if (interrupted) reason = "interrupted";
    else if (run.outOfPatience) reason = "early-stopping";
  }
  const { bestStep, bestMetric } = run.progress;
  yield {
    type: "end",
    time: Date.now(),
    step: run.step,
    reason,
    bestStep,
    bestMetric,
    metricName: options.metricName,
    durationMs: performance.now() - started,
  };
  const interrupted = reason === "interrupted";
  return { trained: interrupted ? run.trained() : await run.best(), step: run.step, bestStep, bestMetric, interrupted };
}

/** One process's part of a run: where it stands, and the next thing to do. */
class Run {
  step = 0;
  readonly progress = new Progress();
  readonly #options: TrainerOptions;
  readonly #stepsPerEpoch: number;
  #epochBatches: { readonly epoch: number; readonly batches: EpochBatches } | null = null;
  #bestParameters: ReadonlyMap<string, Tensor> | null = null;
  #saved: number | null = null;

  constructor(options: TrainerOptions) {
    this.#options = options;
    this.#stepsPerEpoch = Math.ceil(options.batches.batchesPerEpoch / options.accumulate);
  }

  get outOfPatience(): boolean {
    const { patience } = this.#options;
    return patience !== null && this.progress.evaluationsWithoutGain >= patience;
  }

  /** Takes over the newest checkpoint, when asked to and there is one. */
  async begin(): Promise<void> {
    const { checkpoints, optimizer } = this.#options;
    if (!checkpoints?.resume) return;
    const newest = (await listCheckpoints(checkpoints.files, checkpoints.folder)).at(-1);
    if (newest === undefined) return;
    const { state, optimizer: stored } = await loadCheckpoint(
      checkpoints.files,
      checkpoints.folder,
      newest,
      this.#names(),
    );
    if (state.fingerprint !== checkpoints.fingerprint) {
      throw new ConfigError(
        [{ path: "--resume", expected: "the settings, data and model of the checkpoint", got: "others" }],
        {
          hint: `The run in ${checkpoints.folder} was made with other settings; give those again, or another --output.`,
        },
      );
    }
    optimizer.restore(stored);
    this.progress.restore(state);
    this.step = state.globalStep;
    this.#saved = this.step;
  }

  /** Computes the next step. */
  async next(): Promise<StepEvent> {
    const { optimizer, rssBytes } = this.#options;
    const rates = this.#rates();
    const { batches, places } = this.#stepBatches();
    const started = performance.now();
    const result = await optimizer.step(this.step + 1, batches, rates);
    const stepMs = performance.now() - started;
    this.step++;
    this.#checkFinite(result, places);
    const tokens = batches.reduce((sum, batch) => sum + batch.attendedTokens, 0);
    return {
      type: "step",
      time: Date.now(),
      step: this.step,
      epoch: this.step / this.#stepsPerEpoch,
      ...result,
      ...rates,
      tokensPerSecond: (tokens / stepMs) * 1000,
      stepMs,
      rssBytes: rssBytes(),
    };
  }

  noteLoss({ step, taskLoss, densityWeight }: StepEvent): Extract<TrainEvent, { type: "warning" }> | null {
    const { chanceLoss, schedule, density } = this.#options;
    const settled = Math.max(schedule.warmupSteps, density.warmupSteps);
    if (!this.progress.noteLoss(step, taskLoss, densityWeight, chanceLoss, settled)) return null;
    const message =
      `the task loss stands at ${this.progress.meanTaskLoss!.toFixed(3)}, no better than guessing (${chanceLoss.toFixed(3)}): ` +
      "the density loss outweighs the task. Lower --density-weight or --learning-rate, raise --epsilon, or warm the weight up longer.";
    return { type: "warning", time: Date.now(), step, code: "collapse", message };
  }

  evaluationDue(last: boolean): boolean {
    return last || this.step % (this.#options.evalSteps ?? this.#stepsPerEpoch) === 0;
  }

  async evaluate(): Promise<EvalEvent> {
    const { evaluate, metricName } = this.#options;
    const started = performance.now();
    const result = await evaluate(this.#options.optimizer.state.parameters);
    const best = this.progress.noteMetric(this.step, result.metrics[metricName] ?? Number.NaN, true);
    if (best) this.#bestParameters = this.trained();
    return {
      type: "eval",
      time: Date.now(),
      step: this.step,
      epoch: this.step / this.#stepsPerEpoch,
      ...result,
      durationMs: performance.now() - started,
      best,
    };
  }

  saveDue(evaluated: EvalEvent | null, last: boolean): boolean {
    const { checkpoints } = this.#options;
    if (!checkpoints) return false;
    const regular = checkpoints.saveSteps === null ? evaluated !== null : this.step % checkpoints.saveSteps === 0;
    // the best is always on disk: a resumed run must be able to give it back
    return regular || last || (evaluated?.best ?? false);
  }

  async save(): Promise<string | null> {
    const { checkpoints, optimizer, totalSteps } = this.#options;
    if (!checkpoints || this.#saved === this.step) return null;
    const state: TrainerState = {
      globalStep: this.step,
      maxSteps: totalSteps,
      fingerprint: checkpoints.fingerprint,
      ...this.progress.snapshot(),
    };
    const folder = await saveCheckpoint(checkpoints.files, checkpoints.folder, state, optimizer.state);
    this.#saved = this.step;
    const best = this.progress.bestStep;
    await pruneCheckpoints(checkpoints.files, checkpoints.folder, checkpoints.keep, best === null ? [] : [best]);
    return folder;
  }

  /** A copy of the current parameters. */
  trained(): ReadonlyMap<string, Tensor> {
    return new Map(
      Array.from(this.#options.optimizer.state.parameters, ([name, t]) => [name, { ...t, data: t.data.slice() }]),
    );
  }

  /** The parameters at the best evaluation, from memory or, after a resume, from their checkpoint. */
  async best(): Promise<ReadonlyMap<string, Tensor>> {
    if (this.#bestParameters) return this.#bestParameters;
    const { checkpoints } = this.#options;
    const { bestStep } = this.progress;
    if (!checkpoints || bestStep === null) return this.trained();
    return loadTrainable(checkpoints.files, checkpoints.folder, bestStep, this.#names());
  }

  #names(): string[] {
    return this.#options.optimizer.graph.trainable.map(({ name }) => name);
  }

  #rates(): StepRates {
    const { schedule, density } = this.#options;
    return {
      learningRate: learningRateAt(schedule, this.step),
      densityWeight: density.weight * rampAt(this.step + 1, density.warmupSteps),
      epsilon: annealedAt(density.epsilon.from, density.epsilon.to, this.step, density.annealSteps),
    };
  }

  #stepBatches(): { readonly batches: readonly ModelBatch[]; readonly places: string } {
    const { batches: source, accumulate } = this.#options;
    const epoch = Math.floor(this.step / this.#stepsPerEpoch);
    if (this.#epochBatches?.epoch !== epoch) this.#epochBatches = { epoch, batches: source.epoch(epoch) };
    const current = this.#epochBatches!.batches;
    const first = (this.step % this.#stepsPerEpoch) * accumulate;
    const indices = Array.from({ length: Math.min(accumulate, source.batchesPerEpoch - first) }, (_, i) => first + i);
    return {
      batches: indices.map((index) => current.batch(index)),
      places: `epoch ${epoch + 1}, ${indices.map((index) => `batch ${index + 1} (${current.describe(index)})`).join(", ")}`,
    };
  }

  #checkFinite({ loss, taskLoss, densityLoss, gradNorm }: StepResult, places: string): void {
    if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return;
    const { checkpoints } = this.#options;
    const good =
      checkpoints && this.#saved !== null
        ? `the last good checkpoint is ${checkpointFolder(checkpoints.folder, this.#saved)}`
        : "no checkpoint was saved before it";
    throw new TrainingError(
      this.step,
      `expected a finite loss, got ${loss} (task ${taskLoss}, density ${densityLoss}, gradient norm ${gradNorm}) at ${places}; ${good}`,
      { hint: "Lower --learning-rate or --density-weight, set --max-grad-norm 1, or look at those examples." },
    );
  }
}
