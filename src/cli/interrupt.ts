// Ctrl-C: the first asks to stop after the step and save, the second stops at once.
import type { Terminal } from "./terminal.ts";

/** The exit code of an interrupted process. */
export const INTERRUPTED = 130;

/** A signal that the first Ctrl-C aborts; `release` gives Ctrl-C back to Node. */
export interface Interrupt {
  readonly signal: AbortSignal;
  release(): void;
}

/** Listens for SIGINT and SIGTERM; `exit` is called at the second. */
export function interruptible(
  terminal: Terminal,
  { events = process as InterruptSource, exit = (code: number) => process.exit(code) as unknown } = {},
): Interrupt {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) {
      terminal.done();
      exit(INTERRUPTED);
      return;
    }
    terminal.note("Stopping after this step, and saving. Ctrl-C again stops at once.");
    controller.abort();
  };
  events.on("SIGINT", onSignal);
  events.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    release() {
      events.off("SIGINT", onSignal);
      events.off("SIGTERM", onSignal);
    },
  };
}

interface InterruptSource {
  on(name: string, listener: () => void): unknown;
  off(name: string, listener: () => void): unknown;
}
