// Events as progress: a small state, and the lines that show it. Pure: a face decides where lines go.

import { densityBy, headlineDefinition } from "../density/index.ts";
import type { EvalEvent, StartEvent, StepEvent, TeacherEvent, TrainEvent } from "../train/index.ts";
import {
  clock,
  count,
  decimal,
  definitionLabel,
  duration,
  metricLabel,
  percent,
  score,
  significant,
} from "./format.ts";

/** What a progress display remembers of a run. */
export interface ProgressView {
  readonly start: StartEvent | null;
  readonly last: StepEvent | null;
  /** Times and steps of the latest steps, for the rate; oldest first. */
  readonly recent: readonly { readonly time: number; readonly step: number }[];
  readonly lastEval: EvalEvent | null;
  /** A teacher that is being asked. */
  readonly teacher: TeacherEvent | null;
}

export const NO_PROGRESS: ProgressView = { start: null, last: null, recent: [], lastEval: null, teacher: null };

const WINDOW = 50;

/** The state after an event. */
export function advance(progress: ProgressView, event: TrainEvent): ProgressView {
  switch (event.type) {
    case "teacher":
      return { ...progress, teacher: event };
    case "start":
      return { ...NO_PROGRESS, start: event, recent: [{ time: event.time, step: event.fromStep }] };
    case "step":
      return {
        ...progress,
        last: event,
        recent: [...progress.recent, { time: event.time, step: event.step }].slice(-WINDOW),
      };
    case "eval":
      return { ...progress, lastEval: event };
    default:
      return progress;
  }
}

/** Steps a second over the latest steps; null before the second. */
export function stepRate({ recent }: ProgressView): number | null {
  const [first, last] = [recent[0], recent.at(-1)];
  if (first === undefined || last === undefined || last.time <= first.time || last.step <= first.step) return null;
  return ((last.step - first.step) * 1000) / (last.time - first.time);
}

/** Milliseconds until the last step at the present rate; null while that is unknown. */
export function timeLeftMs(progress: ProgressView): number | null {
  const rate = stepRate(progress);
  if (rate === null || progress.start === null || progress.last === null) return null;
  return (Math.max(0, progress.start.totalSteps - progress.last.step) / rate) * 1000;
}

/** One plain line, for logs: `step 120/600  20 %  2.1 steps/s  loss 0.412  density 0.93  left 3:48`. */
export function progressLine(progress: ProgressView): string {
  const { start, last } = progress;
  if (start === null || last === null) return beginning(progress);
  return [`step ${last.step}/${start.totalSteps}`, percent(last.step / start.totalSteps, 0), ...facts(progress)].join(
    "  ",
  );
}

/** The live region for a terminal `width` columns wide: one line with a bar. */
export function progressRegion(progress: ProgressView, width: number): string {
  const { start, last } = progress;
  if (start === null) return beginning(progress);
  const share = last === null ? 0 : Math.min(1, last.step / Math.max(1, start.totalSteps));
  const tail = [`${last?.step ?? start.fromStep}/${start.totalSteps}`, percent(share, 0), ...facts(progress)].join(
    "  ",
  );
  const room = Math.min(28, width - tail.length - 3);
  return room < 6 ? tail : `${bar(share, room)}  ${tail}`;
}

/** A teacher that is being asked, before the first step. */
export function teacherLine({ teacher, done, examples }: TeacherEvent): string {
  return `asking the teacher ${teacher}  ${count(done)}/${count(examples)} examples`;
}

function beginning({ teacher }: ProgressView): string {
  return teacher === null ? "starting" : teacherLine(teacher);
}

function facts(progress: ProgressView): string[] {
  const { last } = progress;
  if (last === null) return [];
  const rate = stepRate(progress);
  const left = timeLeftMs(progress);
  return [
    ...(rate === null ? [] : [rate >= 1 ? `${decimal(rate, 1)} steps/s` : `${decimal(1 / rate, 1)} s/step`]),
    `loss ${significant(last.taskLoss)}`,
    ...(last.densityWeight > 0 || last.densityLoss > 0 ? [`density loss ${decimal(last.densityLoss, 3)}`] : []),
    ...(left === null ? [] : [`left ${clock(left)}`]),
  ];
}

/** A bar of `width` columns, filled to `share`. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(share * width * 2);
  const full = Math.floor(eighths / 2);
  return `${"━".repeat(full)}${eighths % 2 === 1 ? "╸" : ""}`.padEnd(width, "─");
}

/** The lines an event leaves behind for good; none for steps. */
export function eventLines(event: TrainEvent): string[] {
  switch (event.type) {
    case "start":
      return [
        `${event.method} on ${event.model}, ${event.task}: ${count(event.trainExamples)} examples, ${count(event.totalSteps)} steps`,
        `training ${count(event.trainableParameters)} of ${count(event.totalParameters)} parameters ` +
          `(${percent(event.trainableParameters / event.totalParameters, 2)}), ${event.backend}, ${event.threads} threads` +
          (event.fromStep > 0 ? `, from step ${event.fromStep}` : ""),
      ];
    case "eval":
      return [evalLine(event)];
    case "warning":
      return [`warning at step ${event.step}: ${event.message}`];
    case "end":
      return [endLine(event)];
    default:
      return [];
  }
}

function evalLine(event: EvalEvent): string {
  const metrics = Object.entries(event.metrics).map(([name, value]) => `${metricLabel(name)} ${score(name, value)}`);
  const definition = headlineDefinition(event.density);
  const density = percent(densityBy(event.density.encoder, definition));
  return [
    `eval at step ${event.step}`,
    ...metrics,
    `loss ${significant(event.loss)}`,
    `density ${density} (${definitionLabel(definition)})`,
    duration(event.durationMs),
    ...(event.best ? ["best so far"] : []),
  ].join("  ");
}

function endLine(event: Extract<TrainEvent, { type: "end" }>): string {
  const why = { finished: "done", "early-stopping": "stopped early", interrupted: "interrupted" }[event.reason];
  const best =
    event.bestStep === null || event.bestMetric === null
      ? ""
      : `; best ${metricLabel(event.metricName)} ${score(event.metricName, event.bestMetric)} at step ${event.bestStep}`;
  return `${why} after ${count(event.step)} steps in ${duration(event.durationMs)}${best}`;
}
