// A generator with a return value, as events to iterate and a result to await.
import { DeftError } from "../errors.ts";

/** Work that can be stopped: when `signal` aborts, the step under way is finished and saved. */
export interface Stoppable {
  /** Stops the work once it is aborted. */
  readonly signal?: AbortSignal;
}

/** Events while it runs, a result when it has ended; the result fails with what the iteration threw. */
export interface Running<Event, Result> extends AsyncIterable<Event> {
  readonly result: Promise<Result>;
}

/**
 * Runs `source` once: iterate for its events, await `result` for its return value; awaiting the result alone runs it through.
 * A failure reaches both, and a result nobody awaits never becomes an unhandled rejection.
 */
export function running<Event, Result>(source: AsyncGenerator<Event, Result>): Running<Event, Result> {
  let settle: { resolve(value: Result): void; reject(reason: unknown): void } | undefined;
  const settled = new Promise<Result>((resolve, reject) => {
    settle = { resolve, reject };
  });
  settled.catch(() => {});
  let iterated = false;
  async function* events(): AsyncGenerator<Event, void> {
    iterated = true;
    try {
      for (;;) {
        const { value, done } = await source.next();
        if (done) {
          settle!.resolve(value);
          return;
        }
        yield value;
      }
    } catch (error) {
      settle!.reject(error);
      throw error;
    } finally {
      // whoever leaves the loop early still wants files closed and sessions freed; nothing happens after an end
      await source.return(undefined as never);
      settle!.reject(new DeftError("stopped", "the run: expected to be iterated to its end, got left before it"));
    }
  }
  return {
    [Symbol.asyncIterator]: events,
    get result() {
      if (!iterated) void drain(events());
      return settled;
    },
  };
}

async function drain(events: AsyncGenerator<unknown, void>): Promise<void> {
  try {
    for await (const _ of events) void _;
  } catch {
    // the result carries the failure
  }
}
