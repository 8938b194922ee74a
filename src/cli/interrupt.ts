// Ctrl-C: where there is something to save, the first asks to stop and save; where there is nothing, and at the second, it stops at once.
import type { Terminal } from "./terminal.ts";

/** The exit code of an interrupted process. */
export const INTERRUPTED = 130;

/** What a command tells of its state, and the signal that the first Ctrl-C aborts where there is something to save. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** From now on there is something to save, or nothing any more; nothing at first. */
  saves(isSavable: boolean): void;
  /** Gives Ctrl-C back to Node. */
  release(): void;
}

export interface InterruptOptions {
  /** What is said where the command stops at once: what is left, and how to go on. */
  readonly stopped: string;
  readonly events?: InterruptSource;
  readonly exit?: (code: number) => unknown;
}

/** Listens for SIGINT and SIGTERM. */
export function interruptible(
  terminal: Terminal,
  { stopped, events = process as InterruptSource, exit = (code: number) => process.exit(code) }: InterruptOptions,
): Interrupt {
  const controller = new AbortController();
  let isSavable = false;
  const onSignal = () => {
    if (!isSavable || controller.signal.aborted) {
      terminal.done();
      if (!isSavable) terminal.warn(stopped);
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
    saves(now) {
      isSavable = now;
    },
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
