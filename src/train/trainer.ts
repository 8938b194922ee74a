// The loop: steps, evaluations, checkpoints, early stopping. It yields events and draws nothing.
import type { Tensor } from "../tensor/index.ts";
import type { TrainEvent } from "./events.ts";
import type { TrainerOptions } from "./trainer-options.ts";
import { TrainingState } from "./training-state.ts";

export interface TrainResult {
  /** The parameters at the best evaluation; the last ones when the run was interrupted. */
  readonly trained: ReadonlyMap<string, Tensor>;
  readonly step: number;
  /** Gates that were read off the gradient over the whole run, by the MLP's sublayer; null where there are none. */
  readonly gates: Readonly<Record<string, number>> | null;
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
  const run = new TrainingState(options);
  await run.begin();
  yield { type: "start", time: Date.now(), ...options.describe, totalSteps: options.totalSteps, fromStep: run.step };
  const started = performance.now();
  let reason: "finished" | "early-stopping" | "interrupted" = run.outOfPatience ? "early-stopping" : "finished";
  while (!run.isDone && reason === "finished") {
    if (!run.owesEvaluation) {
      const event = await run.next();
      yield event;
      const collapsed = run.noteLoss(event);
      if (collapsed) yield collapsed;
      const majority = run.majorityWarning();
      if (majority) yield majority;
    }
    const isAborted = () => options.signal?.aborted ?? false;
    const evaluated = run.owesEvaluation && !isAborted() ? await evaluateUnlessAborted(run, options.signal) : null;
    if (evaluated) yield evaluated.event;
    if (evaluated?.warning) yield evaluated.warning;
    if (run.outOfPatience) reason = "early-stopping";
    else if (isAborted() && !run.isDone) reason = "interrupted";
    if (reason !== "finished" || run.saveDue(evaluated?.event ?? null)) {
      const folder = await run.save();
      if (folder !== null) yield { type: "checkpoint", time: Date.now(), step: run.step, folder };
    }
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
  return {
    trained: await (interrupted ? run.trained() : run.best()),
    gates: run.gates,
    step: run.step,
    bestStep,
    bestMetric,
    interrupted,
  };
}

/** An evaluation; null when it was given up because the signal was aborted, so that it is still owed. */
async function evaluateUnlessAborted(
  run: TrainingState,
  signal: AbortSignal | undefined,
): Promise<Awaited<ReturnType<TrainingState["evaluate"]>> | null> {
  try {
    return await run.evaluate();
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return null;
    throw error;
  }
}
