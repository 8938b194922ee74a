// Opens the library for commands: its workflow bound to this machine's files, hub and runtime.

import type { Workflow } from "../library/index.ts";
import type { Files } from "../tensor/index.ts";
import type { Terminal } from "./terminal.ts";

/** This machine's files; loads nothing else. */
export async function openFiles(): Promise<Files> {
  const { nodeFiles } = await import("../node.ts");
  return nodeFiles();
}

/** The workflow on this machine; what a person should know of a result goes to the terminal's standard error. */
export async function openWorkflow(terminal: Pick<Terminal, "warn">): Promise<Workflow> {
  const { nodeEnvironment, workflow } = await import("../node.ts");
  return workflow({ ...nodeEnvironment(), note: (message) => terminal.warn(message) });
}
