// Ctrl-C where there is something to save: the first asks to stop and save. Everywhere else, and at the second, it is the system's, which
// ends the process at once, in the middle of a call that keeps the thread too.
import type { Terminal } from "./terminal.ts";

/** The exit code of an interrupted process; a shell gives it to one that a signal ended, too. */
export const INTERRUPTED = 130;

/** What a command tells of its state, and the signal that the first Ctrl-C aborts where there is something to save. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** From now on there is something to save, or nothing any more; nothing at first. */
  saves(isSavable: boolean): void;
}

/** Listens for SIGINT, SIGTERM and SIGHUP (the terminal is closed) while there is something to save. */
export function interruptible(terminal: Terminal, events: InterruptSource = process as InterruptSource): Interrupt {
  const controller = new AbortController();
  let isListening = false;
  const saves = (isSavable: boolean) => {
    if (isSavable === isListening) return;
    isListening = isSavable;
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) events[isSavable ? "on" : "off"](name, onSignal);
  };
  const onSignal = () => {
    saves(false);
    terminal.note("Stopping after this step, and saving. Ctrl-C again stops at once.");
    controller.abort();
  };
  return {
    signal: controller.signal,
    saves(isSavable) {
      saves(isSavable && !controller.signal.aborted);
    },
  };
}

interface InterruptSource {
  on(name: string, listener: () => void): unknown;
  off(name: string, listener: () => void): unknown;
}
