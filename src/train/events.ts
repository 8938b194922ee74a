// The one definition of what a training run says; printers, files and charts are readers of it.
import type { DensityReport } from "../density/index.ts";

export interface StartEvent {
  readonly type: "start";
  /** Milliseconds since the epoch, as in every event. */
  readonly time: number;
  readonly task: string;
  readonly model: string;
  readonly method: string;
  readonly totalSteps: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly trainExamples: number;
  readonly evalExamples: number;
  readonly trainableParameters: number;
  readonly totalParameters: number;
  /** The first step of this process: 0, or the step resumed from. */
  readonly fromStep: number;
  readonly seed: number;
  readonly backend: string;
  readonly threads: number;
}

/** A teacher is asked before the first step; not in the run's file, which a refused run does not have. */
export interface TeacherEvent {
  readonly type: "teacher";
  readonly time: number;
  /** As the settings name it. */
  readonly teacher: string;
  /** Training examples that it was asked about so far, and all that it will be. */
  readonly done: number;
  readonly examples: number;
}

export interface StepEvent {
  readonly type: "step";
  readonly time: number;
  readonly step: number;
  readonly epoch: number;
  /** `taskLoss + weight · densityLoss`, with gates also their price `μ · mean gate`. */
  readonly loss: number;
  /** With a teacher, of labels and teacher together. */
  readonly taskLoss: number;
  /** 0 without a density loss. */
  readonly densityLoss: number;
  /** Share of |a| > 0.01 at the step's attended positions, where a target density asks for it. */
  readonly density?: number;
  readonly densityWeight: number;
  /** Smoothed rise of the task loss over the plain run's, where the weight is found by feedback. */
  readonly lossExcess?: number;
  readonly epsilon: number;
  readonly learningRate: number;
  /** Every MLP's gate, with ADA-DEFT: encoder first, by layer. */
  readonly gates?: readonly number[];
  /** Share of neurons not yet removed, where they are removed while training. */
  readonly keptShare?: number;
  /** Global L2 norm of the gradients, before clipping. */
  readonly gradNorm: number;
  /** Attended tokens per second of this step. */
  readonly tokensPerSecond: number;
  readonly stepMs: number;
  readonly rssBytes: number;
}

export interface EvalEvent {
  readonly type: "eval";
  readonly time: number;
  readonly step: number;
  readonly epoch: number;
  readonly split: string;
  readonly examples: number;
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly density: DensityReport;
  readonly durationMs: number;
  /** True when the task's main metric is the best so far. */
  readonly best: boolean;
}

export interface CheckpointEvent {
  readonly type: "checkpoint";
  readonly time: number;
  readonly step: number;
  readonly folder: string;
}

export interface WarningEvent {
  readonly type: "warning";
  readonly time: number;
  readonly step: number;
  /** Stable, machine-readable: `collapse`, `truncated`, … */
  readonly code: string;
  readonly message: string;
}

export interface EndEvent {
  readonly type: "end";
  readonly time: number;
  readonly step: number;
  readonly reason: "finished" | "early-stopping" | "interrupted";
  readonly bestStep: number | null;
  readonly bestMetric: number | null;
  readonly metricName: string;
  readonly durationMs: number;
}

export type TrainEvent = TeacherEvent | StartEvent | StepEvent | EvalEvent | CheckpointEvent | WarningEvent | EndEvent;
