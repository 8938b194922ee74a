// What the trainer remembers between steps besides parameters: the best score, patience, and whether the task collapsed.
import type { TrainerState } from "./checkpoint.ts";

/** Smoothing of the running task loss: about the last 30 steps. */
const LOSS_MEMORY = 1 / 30;
/** The collapse check begins after this many steps. */
const FIRST_CHECK = 100;
/** Before this step every model answers as it was initialised. */
const FIRST_JUDGED = 3;
/** A running loss above this share of the loss of guessing counts as guessing. */
const CHANCE_SHARE = 0.98;

/**
 * Which evaluation's parameters a run keeps: the best score, of equal ones the first to be decided by density or loss; the last; or,
 * in runs of version 0.1.0, the earliest of the best.
 */
export type KeepRule = "best" | "last" | "earliest";

/** What decides between evaluations. */
export interface Judged {
  /** The metric that tells a better model; larger is better. */
  readonly score: number;
  /** Null where the run has no density loss: then density does not decide. */
  readonly density: number | null;
  /** The task's loss on the evaluation split. */
  readonly loss: number;
}

/** The running state of a run; `snapshot` and `restore` go through checkpoints. */
export class Progress {
  bestMetric: number | null = null;
  bestStep: number | null = null;
  bestDensity: number | null = null;
  bestLoss: number | null = null;
  evaluatedStep: number | null = null;
  evaluationsWithoutGain = 0;
  meanTaskLoss: number | null = null;
  /** Latest evaluations in a row that were majority-class answers. */
  majorityEvaluations = 0;
  /** What of them is yet to be told. */
  majorityFinding: string | null = null;
  readonly warned = new Set<string>();

  /**
   * Notes an evaluation; true when its parameters are the ones to keep so far. Patience counts by the score alone: only a
   * better one starts it anew. A score that is NaN is worse than any number.
   */
  noteEvaluation(step: number, { score, density, loss }: Judged, rule: KeepRule): boolean {
    this.evaluatedStep = step;
    const metric = Number.isNaN(score) ? null : score;
    const gain = metric !== null && (this.bestMetric === null || metric > this.bestMetric);
    const isTie = metric === this.bestMetric && rule === "best" && this.#winsTie({ density, loss });
    // the first evaluation is kept even when its score is undefined: something must be
    const isFirst = this.bestStep === null;
    this.evaluationsWithoutGain = gain || isFirst ? 0 : this.evaluationsWithoutGain + 1;
    if (gain) this.bestMetric = metric;
    if (!gain && !isFirst && !isTie && rule !== "last") return false;
    this.bestStep = step;
    this.bestDensity = density;
    this.bestLoss = loss;
    return true;
  }

  /** Of equal scores the lower density where it counts, else the lower loss, else the later. */
  #winsTie({ density, loss }: Omit<Judged, "score">): boolean {
    if (density !== null && this.bestDensity !== null && density !== this.bestDensity)
      return density < this.bestDensity;
    return this.bestLoss === null || loss <= this.bestLoss;
  }

  /**
   * Notes a step's task loss; true once, when under a density loss the task has sunk to guessing by the labels' shares.
   * `chanceLoss` is the loss of the best constant answer.
   */
  noteLoss(step: number, taskLoss: number, densityWeight: number, chanceLoss: number, warmupSteps: number): boolean {
    this.meanTaskLoss =
      this.meanTaskLoss === null ? taskLoss : this.meanTaskLoss + LOSS_MEMORY * (taskLoss - this.meanTaskLoss);
    if (densityWeight === 0 || step < Math.max(FIRST_CHECK, warmupSteps) || this.warned.has("collapse")) return false;
    if (this.meanTaskLoss < CHANCE_SHARE * chanceLoss) return false;
    this.warned.add("collapse");
    return true;
  }

  /**
   * Notes an evaluation that says it was a majority-class answer (null: it was better). A warning is due once for several in a row:
   * at the second of them, or at the run's last evaluation. One early evaluation says little, since models begin so, and where the
   * task has collapsed everything is said.
   */
  noteMajority(step: number, finding: string | null, isLast: boolean): void {
    this.majorityEvaluations = finding === null ? 0 : this.majorityEvaluations + 1;
    this.majorityFinding = null;
    if (finding === null) this.warned.delete("majority-class");
    else if (step >= FIRST_JUDGED && (isLast || this.majorityEvaluations >= 2) && !this.#hasWarned()) {
      this.majorityFinding = `at the evaluation of step ${step}, ${finding}`;
    }
  }

  #hasWarned(): boolean {
    return this.warned.has("majority-class") || this.warned.has("collapse");
  }

  /** The finding that a warning is due for, once. */
  takeMajority(): string | null {
    const finding = this.majorityFinding;
    this.majorityFinding = null;
    if (finding !== null) this.warned.add("majority-class");
    return finding;
  }

  snapshot(): Omit<TrainerState, "globalStep" | "maxSteps" | "fingerprint" | "control" | "gates"> {
    const { bestMetric, bestStep, bestDensity, bestLoss, evaluatedStep, evaluationsWithoutGain, meanTaskLoss } = this;
    const { majorityEvaluations, majorityFinding } = this;
    const scores = { bestMetric, bestStep, bestDensity, bestLoss, evaluatedStep, evaluationsWithoutGain, meanTaskLoss };
    return { ...scores, majorityEvaluations, majorityFinding, warned: [...this.warned] };
  }

  restore(state: ReturnType<Progress["snapshot"]>): void {
    this.bestMetric = state.bestMetric;
    this.bestStep = state.bestStep;
    this.bestDensity = state.bestDensity;
    this.bestLoss = state.bestLoss;
    this.evaluatedStep = state.evaluatedStep;
    this.evaluationsWithoutGain = state.evaluationsWithoutGain;
    this.meanTaskLoss = state.meanTaskLoss;
    this.majorityEvaluations = state.majorityEvaluations;
    this.majorityFinding = state.majorityFinding;
    for (const code of state.warned) this.warned.add(code);
  }
}
