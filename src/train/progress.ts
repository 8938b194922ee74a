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

/** The running state of a run; `snapshot` and `restore` go through checkpoints. */
export class Progress {
  bestMetric: number | null = null;
  bestStep: number | null = null;
  evaluatedStep: number | null = null;
  evaluationsWithoutGain = 0;
  meanTaskLoss: number | null = null;
  /** Latest evaluations in a row that were majority-class answers. */
  majorityEvaluations = 0;
  /** What of them is yet to be told. */
  majorityFinding: string | null = null;
  readonly warned = new Set<string>();

  /** Notes an evaluation's main metric; NaN never counts as best. True when it is the best so far. */
  noteMetric(step: number, metric: number, greaterIsBetter: boolean): boolean {
    this.evaluatedStep = step;
    const gain =
      !Number.isNaN(metric) &&
      (this.bestMetric === null || (greaterIsBetter ? metric > this.bestMetric : metric < this.bestMetric));
    // the first evaluation is kept even when its metric is undefined: something must be
    if (gain || this.bestStep === null) {
      this.bestMetric = Number.isNaN(metric) ? null : metric;
      this.bestStep = step;
      this.evaluationsWithoutGain = 0;
      return true;
    }
    this.evaluationsWithoutGain++;
    return false;
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

  snapshot(): Omit<TrainerState, "globalStep" | "maxSteps" | "fingerprint" | "control"> {
    const { bestMetric, bestStep, evaluatedStep, evaluationsWithoutGain, meanTaskLoss } = this;
    const { majorityEvaluations, majorityFinding } = this;
    return {
      ...{ bestMetric, bestStep, evaluatedStep, evaluationsWithoutGain, meanTaskLoss },
      ...{ majorityEvaluations, majorityFinding, warned: [...this.warned] },
    };
  }

  restore(state: ReturnType<Progress["snapshot"]>): void {
    this.bestMetric = state.bestMetric;
    this.bestStep = state.bestStep;
    this.evaluatedStep = state.evaluatedStep;
    this.evaluationsWithoutGain = state.evaluationsWithoutGain;
    this.meanTaskLoss = state.meanTaskLoss;
    this.majorityEvaluations = state.majorityEvaluations;
    this.majorityFinding = state.majorityFinding;
    for (const code of state.warned) this.warned.add(code);
  }
}
