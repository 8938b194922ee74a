// One process's part of a training run: where it stands, and the next thing to do.
import { gateOf, headlineDensity, isGate } from "../density/index.ts";
import { ConfigError, DeftError, FileError, NotFiniteError, TrainingError } from "../errors.ts";
import { removeLeftovers } from "../hub/index.ts";
import { annealedAt, learningRateAt, rampAt } from "../optim/index.ts";
import { isNeuronMask, NeuronRemoval } from "../prune/index.ts";
import type { ModelBatch } from "../tasks/index.ts";
import { firstNotFinite, type Tensor } from "../tensor/index.ts";
import {
  checkpointFolder,
  listCheckpoints,
  loadCheckpoint,
  loadTrainable,
  pruneCheckpoints,
  saveCheckpoint,
  type TrainerState,
} from "./checkpoint.ts";
import { DensityWeightController } from "./density-weight-controller.ts";
import type { EvalEvent, StepEvent, WarningEvent } from "./events.ts";
import { GateImportance, gatesByMlp } from "./gate-importance.ts";
import type { StepRates } from "./optimizer.ts";
import { Progress } from "./progress.ts";
import type { EpochBatches, TrainerOptions } from "./trainer-options.ts";

/** The state of a run in this process; `train` asks it for one thing after another. */
export class TrainingState {
  step = 0;
  readonly progress = new Progress();
  readonly #removal: NeuronRemoval | null;
  readonly #control: DensityWeightController | null;
  readonly #gates: GateImportance | null;
  readonly #options: TrainerOptions;
  readonly #stepsPerEpoch: number;
  #epochBatches: { readonly epoch: number; readonly batches: EpochBatches } | null = null;
  #bestParameters: ReadonlyMap<string, Tensor> | null = null;
  #places = "";
  #savedStep: number | null = null;
  /** The newest checkpoint holds all of this state. */
  #isSaved = false;

  constructor(options: TrainerOptions) {
    this.#options = options;
    this.#removal = options.removal ? new NeuronRemoval(options.removal) : null;
    this.#control = options.density.control ? new DensityWeightController(options.density.control) : null;
    const { gates } = options.optimizer.graph;
    this.#gates = gates.length === 0 ? null : new GateImportance(gates);
    this.#stepsPerEpoch = Math.ceil(options.batches.batchesPerEpoch / options.accumulate);
  }

  get isDone(): boolean {
    return this.step >= this.#options.totalSteps && !this.owesEvaluation;
  }

  /** An evaluation is due here and was not done: it comes next, also after a resume. */
  get owesEvaluation(): boolean {
    const { evalSteps, totalSteps } = this.#options;
    const isDue = this.step > 0 && (this.step >= totalSteps || this.step % (evalSteps ?? this.#stepsPerEpoch) === 0);
    return isDue && this.progress.evaluatedStep !== this.step;
  }

  get outOfPatience(): boolean {
    const { patience } = this.#options;
    return patience !== null && this.progress.evaluationsWithoutGain >= patience;
  }

  /** Takes over the newest checkpoint, when asked to and there is one. */
  async begin(): Promise<void> {
    const { checkpoints, optimizer } = this.#options;
    if (!checkpoints?.resume) return;
    const { files, folder } = checkpoints;
    await removeLeftovers(files, folder);
    const newest = (await listCheckpoints(files, folder)).at(-1);
    if (newest === undefined) return;
    const { trainable, buffers } = optimizer.graph;
    const names = { trained: trainable.map(({ name }) => name), buffers: buffers.map(({ name }) => name) };
    const loaded = await loadCheckpoint(files, folder, newest, names).catch((cause) => {
      throw damaged(checkpointFolder(folder, newest), cause);
    });
    const { state } = loaded;
    if (state.fingerprint !== checkpoints.fingerprint) {
      throw new ConfigError(
        [{ path: "--resume", expected: "the settings, data and model of the checkpoint", got: "others" }],
        {
          hint: `The run in ${checkpoints.folder} was made with other settings; give those again, or another --output.`,
        },
      );
    }
    await optimizer.restore(loaded.optimizer);
    this.#removal?.restore(loaded.energies);
    if (state.control) this.#control?.restore(state.control);
    if (state.gates) this.#gates?.restore(state.gates, loaded.centres);
    this.progress.restore(state);
    this.step = state.globalStep;
    this.#savedStep = this.step;
    this.#isSaved = true;
    // a process killed while it cleared old checkpoints left some
    await this.#prune();
  }

  /** Computes the next step. */
  async next(): Promise<StepEvent> {
    const { optimizer, rssBytes } = this.#options;
    const rates = this.#rates();
    const { batches, places } = this.#stepBatches();
    this.#places = places;
    this.#isSaved = false;
    // before as well: a file that was cut short ends the process in the step
    await this.#checkBase();
    const started = performance.now();
    const gateFeeds = this.#gates?.feeds ?? null;
    const result = await optimizer.step(this.step + 1, batches, { ...rates, gateFeeds });
    const stepMs = performance.now() - started;
    await this.#checkBase();
    this.step++;
    const { loss, taskLoss, densityLoss, gradNorm } = result;
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm))
      throw this.#notFinite(`loss, got ${loss} (task ${taskLoss}, density ${densityLoss}, gradient norm ${gradNorm})`);
    this.#control?.note(this.step, taskLoss, result.density);
    this.#gates?.note(this.step, optimizer.gateReadings);
    await this.#removal?.note(this.step, optimizer.energies, () => optimizer.readParameters());
    const gatesAndMasks = await optimizer.readParameters((name) => isGate(name) || isNeuronMask(name));
    const tokens = batches.reduce((sum, batch) => sum + batch.attendedTokens, 0);
    return {
      type: "step",
      time: Date.now(),
      step: this.step,
      epoch: this.step / this.#stepsPerEpoch,
      ...result,
      ...rates,
      ...(this.#control ? { lossExcess: this.#control.state.excess } : {}),
      ...(this.#gates ? { gates: this.#gates.gates } : trainedGates(gatesAndMasks)),
      ...(this.#removal ? { keptShare: this.#removal.keptShare(gatesAndMasks) } : {}),
      tokensPerSecond: (tokens / stepMs) * 1000,
      stepMs,
      rssBytes: rssBytes(),
    };
  }

  noteLoss({ step, taskLoss, densityWeight }: StepEvent): WarningEvent | null {
    const { chanceLoss, schedule, density } = this.#options;
    const settled = Math.max(schedule.warmupSteps, density.warmupSteps);
    if (!this.progress.noteLoss(step, taskLoss, densityWeight, chanceLoss, settled)) return null;
    const message =
      `the task loss stands at ${this.progress.meanTaskLoss!.toFixed(3)}, no better than guessing (${chanceLoss.toFixed(3)}): ` +
      "the density loss outweighs the task. Lower --density-weight or --learning-rate, raise --epsilon, or warm the weight up longer.";
    return this.#warning("collapse", message);
  }

  /** Evaluates the parameters as they stand. @throws {TrainingError} when their loss is not finite. */
  async evaluate(): Promise<{ readonly event: EvalEvent; readonly warning: WarningEvent | null }> {
    const { evaluate, metricName } = this.#options;
    const started = performance.now();
    const parameters = await this.#options.optimizer.readParameters();
    const { majority = null, ...result } = await evaluate(parameters).catch(async (error: unknown) => {
      await this.#checkBase();
      if (!(error instanceof NotFiniteError)) throw error;
      throw this.#notFinite(`${error.what} of the evaluation, got ${error.got}`);
    });
    await this.#checkBase();
    if (!Number.isFinite(result.loss)) throw this.#notFinite(`loss of the evaluation, got ${result.loss}`);
    this.#isSaved = false;
    const best = this.#isCandidate && this.#note(result, result.metrics[metricName] ?? Number.NaN);
    this.progress.evaluatedStep = this.step;
    if (best) this.#bestParameters = await this.trained();
    const event: EvalEvent = {
      type: "eval",
      time: Date.now(),
      step: this.step,
      epoch: this.step / this.#stepsPerEpoch,
      ...result,
      durationMs: performance.now() - started,
      best,
    };
    const isLast = this.step >= this.#options.totalSteps || this.outOfPatience;
    this.progress.noteMajority(this.step, majority, isLast);
    // between an evaluation and its checkpoint nothing else is told, unless there is no later place for it
    return { event, warning: isLast ? this.majorityWarning() : null };
  }

  /** The warning of a majority-class answer that is due, once. */
  majorityWarning(): WarningEvent | null {
    const finding = this.progress.takeMajority();
    return finding === null ? null : this.#warning("majority-class", finding);
  }

  #warning(code: string, message: string): WarningEvent {
    return { type: "warning", time: Date.now(), step: this.step, code, message };
  }

  #note({ density, loss }: Pick<EvalEvent, "density" | "loss">, score: number): boolean {
    const { keepRule, density: schedule } = this.#options;
    const hasDensityLoss = schedule.weight > 0 || schedule.control != null;
    const judged = { score, loss, density: hasDensityLoss ? headlineDensity(density) : null };
    return this.progress.noteEvaluation(this.step, judged, keepRule);
  }

  /** Before the last neuron has gone, the parameters are not those of the model that was asked for. */
  get #isCandidate(): boolean {
    return this.#removal === null || this.step >= this.#removal.endStep;
  }

  saveDue(evaluated: EvalEvent | null): boolean {
    const { checkpoints, totalSteps } = this.#options;
    if (!checkpoints) return false;
    const regular = checkpoints.saveSteps === null ? evaluated !== null : this.step % checkpoints.saveSteps === 0;
    // the best is always on disk: a resumed run must be able to give it back
    return regular || this.step >= totalSteps || (evaluated?.best ?? false);
  }

  /** Writes a checkpoint where there is something new to write. @throws {TrainingError} when a parameter is not finite. */
  async save(): Promise<string | null> {
    const { checkpoints, optimizer, totalSteps } = this.#options;
    if (!checkpoints || this.#isSaved) return null;
    const { files, folder: root } = checkpoints;
    await this.#checkBase();
    const saved = await optimizer.readState();
    for (const [name, { data }] of saved.parameters)
      if (firstNotFinite(data) !== -1) throw this.#notFinite(`parameters, got others in ${name}`);
    const state: TrainerState = {
      globalStep: this.step,
      maxSteps: totalSteps,
      fingerprint: checkpoints.fingerprint,
      ...this.progress.snapshot(),
      control: this.#control?.state ?? null,
      gates: this.#gates?.state ?? null,
    };
    await checkpoints.beforeSave?.();
    const folder = await saveCheckpoint(files, root, state, saved, {
      energies: this.#removal?.state,
      centres: this.#gates?.centres,
    });
    this.#savedStep = this.step;
    this.#isSaved = true;
    await this.#prune();
    return folder;
  }

  async #prune(): Promise<void> {
    const { files, folder, keep } = this.#options.checkpoints!;
    const best = this.progress.bestStep;
    await pruneCheckpoints(files, folder, keep, best === null ? [] : [best]);
  }

  /** The gates that are read off the gradient, by sublayer; null where there are none. */
  get gates(): Readonly<Record<string, number>> | null {
    return this.#gates && gatesByMlp(this.#gates.state);
  }

  /** A copy of the current parameters. */
  async trained(): Promise<ReadonlyMap<string, Tensor>> {
    const parameters = await this.#options.optimizer.readParameters();
    return new Map(Array.from(parameters, ([name, t]) => [name, { ...t, data: t.data.slice() }]));
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
    const { trainable, buffers } = this.#options.optimizer.graph;
    return [...trainable, ...buffers].map(({ name }) => name);
  }

  #rates(): Omit<StepRates, "gateFeeds"> {
    const { schedule, density, totalSteps } = this.#options;
    return {
      learningRate: learningRateAt(schedule, this.step),
      densityWeight:
        (this.#control?.weight ?? density.weight) *
        Math.min(rampAt(this.step + 1, density.warmupSteps), rampAt(totalSteps - this.step - 1, density.cooldownSteps)),
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

  /** @throws {TrainingError} when the weights that steps read are no longer those that were opened; what was computed with others is not used. */
  async #checkBase(): Promise<void> {
    await this.#options.checkBase?.().catch((cause: unknown) => {
      if (!(cause instanceof FileError)) throw cause;
      throw new TrainingError(this.step + 1, `${cause.message.split("\n")[0]}; ${this.#lastGood}`, {
        hint: "Put the model's files back as they were, and go on with --resume. A run with --copy-base trains on a copy of them.",
        cause,
      });
    });
  }

  get #lastGood(): string {
    const { checkpoints } = this.#options;
    return checkpoints && this.#savedStep !== null
      ? `the last good checkpoint is ${checkpointFolder(checkpoints.folder, this.#savedStep)}`
      : "no checkpoint was saved before it";
  }

  /** Says where the run left the numbers: step, batch, and what is left to go back to. */
  #notFinite(what: string): TrainingError {
    const good = this.#lastGood;
    return new TrainingError(this.step, `expected finite ${what} at ${this.#places || "the first batch"}; ${good}`, {
      hint: "Lower --learning-rate or --density-weight, set --max-grad-norm 1, or look at those examples.",
    });
  }
}

/** Nothing where the method has no gates that are trained. */
function trainedGates(parameters: ReadonlyMap<string, Tensor>): { readonly gates?: readonly number[] } {
  const gates = [...parameters].flatMap(([name, { data }]) => (isGate(name) ? [gateOf(Number(data[0]))] : []));
  return gates.length === 0 ? {} : { gates };
}

function damaged(folder: string, cause: unknown): unknown {
  if (!(cause instanceof DeftError)) return cause;
  return new FileError(folder, `expected a whole checkpoint, got a damaged one\n${cause.message}`, {
    hint: "Remove this folder to go on from the checkpoint before it, or from the start.",
    cause,
  });
}
