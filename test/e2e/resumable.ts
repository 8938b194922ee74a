// Runs in this process that stop where they are told, and what of them must come out the same after a resume.
import { workflow } from "../../src/library/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { openSettings } from "../../src/runs/index.ts";
import type { StepEvent, TrainEvent } from "../../src/train/index.ts";
import { filesBelow } from "../support/command.ts";

type Flags = Readonly<Record<string, unknown>>;

/** Trains by `flags` over `shared`, which a run that resumes has in its record; stops behind step `stopAfter`. */
export async function trainEvents(
  shared: Flags,
  flags: Flags,
  stopAfter = Number.POSITIVE_INFINITY,
): Promise<TrainEvent[]> {
  const environment = nodeEnvironment();
  const all = flags.resume === true ? flags : { ...shared, ...flags };
  const settings = await openSettings(environment.files, { flags: all });
  const stop = new AbortController();
  const events: TrainEvent[] = [];
  for await (const event of workflow(environment).train(settings, { signal: stop.signal })) {
    events.push(event);
    if (event.type === "step" && event.step >= stopAfter) stop.abort();
  }
  return events;
}

export const steps = (events: readonly TrainEvent[]): StepEvent[] => events.filter((event) => event.type === "step");

/** What of a step does not depend on the clock. */
export const essence = (events: readonly TrainEvent[]) =>
  steps(events).map(({ time: _t, stepMs: _s, rssBytes: _r, tokensPerSecond: _p, ...rest }) => rest);

/** The files of a run that must come out the same. */
export async function stored(output: string) {
  const files = Object.entries(await filesBelow(output));
  return Object.fromEntries(files.filter(([path]) => /^(adapter|checkpoints)\//.test(path)));
}
