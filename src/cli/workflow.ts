// Opens the library for commands: its workflow bound to this machine's files, hub and runtime.
import type { Workflow } from "../library/index.ts";
import type { Engine } from "../node.ts";
import type { Watched } from "../runs/index.ts";
import type { Files } from "../tensor/index.ts";
import type { Terminal } from "./terminal.ts";

/** This machine's files; loads nothing else. */
export async function openFiles(): Promise<Files> {
  const { nodeFiles } = await import("../node.ts");
  return nodeFiles();
}

/**
 * The workflow on this machine; what a person should know of a result goes to the terminal's standard error. The first job that
 * needs ONNX Runtime fetches it where there is none.
 */
export async function openWorkflow(terminal: Pick<Terminal, "warn">): Promise<Workflow> {
  const { nodeEnvironment, workflow } = await import("../node.ts");
  return workflow({ ...nodeEnvironment({ onMissing: fetchMissing }), note: (message) => terminal.warn(message) });
}

/** ONNX Runtime on this machine, fetched where there is none. */
export async function readyEngine(): Promise<Engine> {
  const { findEngine } = await import("../node.ts");
  return findEngine() ?? fetchMissing();
}

/** Uses the network, which is said on standard error whatever the loudness. */
async function fetchMissing(): Promise<Engine> {
  const [{ fetchEngine }, { openTerminal }] = await Promise.all([import("../node.ts"), import("./terminal.ts")]);
  const terminal = openTerminal();
  return fetchEngine((line) => terminal.warn(line));
}

/** Writes warnings of a job to standard error, where they stay. */
export function warned(terminal: Terminal): Watched {
  return { onWarning: ({ message }) => terminal.warn(terminal.style("yellow", message)) };
}
