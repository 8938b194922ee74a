// The two clocks of a benchmark's worker: the day's, and that of the processors, which other programs do not lengthen.
import type { PhaseTime } from "../jobs/index.ts";

/** A moment on both clocks. */
export interface Moment extends PhaseTime {}

/** Now; the processors' time is of all threads of this process. */
export function moment(): Moment {
  const { user, system } = process.cpuUsage();
  return { ms: performance.now(), processorMs: (user + system) / 1000 };
}

/** What passed from one moment to another, of each of so many steps. */
export function between(from: Moment, to: Moment, steps = 1): PhaseTime {
  return { ms: (to.ms - from.ms) / steps, processorMs: (to.processorMs - from.processorMs) / steps };
}
