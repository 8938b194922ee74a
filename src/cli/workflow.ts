// Opens the library for commands: its workflow bound to this machine's files, hub and runtime.

import type { Workflow } from "../library/index.ts";
import type { Files } from "../tensor/index.ts";
import type { Watched } from "../workflow/index.ts";
import type { Terminal } from "./terminal.ts";

/** This machine's files; loads nothing else. */
export async function openFiles(): Promise<Files> {
  const { nodeFiles } = await import("../node.ts");
  return nodeFiles();
}

/** The workflow on this machine. */
export async function openWorkflow(): Promise<Workflow> {
  const { nodeEnvironment, workflow } = await import("../node.ts");
  return workflow(nodeEnvironment());
}

/** Writes warnings of a job to standard error, where they stay. */
export function warned(terminal: Terminal): Watched {
  return { onWarning: ({ message }) => terminal.warn(terminal.style("yellow", message)) };
}
