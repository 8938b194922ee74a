// A line of `events.jsonl`: what a job said, which kind of job it was, and when.

/** The kinds of job whose events are kept or sent on. */
export type JobKind = "train" | "compare" | "compress" | "evaluate" | "bench";

/** An event as it is kept: its own keys beside `job` and `time`, so that a reader of any kind finds `type` where it was. */
export type JobEvent<Event extends { readonly type: string }> = Event & {
  readonly job: JobKind;
  /** Milliseconds since 1970, UTC. */
  readonly time: number;
};

/** An event with its job's kind, and the time where it has none. */
export function jobEvent<Event extends { readonly type: string }>(job: JobKind, event: Event): JobEvent<Event> {
  return { time: Date.now(), ...event, job } as JobEvent<Event>;
}

/** The event's line in `events.jsonl`. */
export function eventLine(job: JobKind, event: { readonly type: string }): string {
  return `${JSON.stringify(jobEvent(job, event))}\n`;
}
