// The `deft` command for tests: in this process, or as one that can be killed; and what a folder holds afterwards.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "../../src/cli/main.ts";

/** What a command left: exit code and both streams. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command in this process. */
export async function deft(...argv: readonly string[]): Promise<Outcome> {
  const screen = () => {
    const texts: string[] = [];
    return { texts, write: (text: string) => texts.push(text) > 0 };
  };
  const [out, err] = [screen(), screen()];
  const code = await main(argv, { out, err });
  return { code, out: out.texts.join(""), err: err.texts.join("") };
}

/** Starts a TypeScript file of this repository, named from its root, as a process of its own. */
export function startScript(script: string, argv: readonly string[]): ChildProcess {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  return spawn(process.execPath, ["--import", "tsx", join(root, script), ...argv], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** A process's end; `until` is called with each new piece of its output and may send it a signal. */
export async function outcomeOf(
  child: ChildProcess,
  until: (text: { readonly out: string; readonly err: string }) => void = () => {},
): Promise<Outcome & { readonly signal: string | null }> {
  const text = { out: "", err: "" };
  for (const name of ["out", "err"] as const) {
    child[`std${name}`]!.on("data", (bytes: Buffer) => {
      text[name] += bytes.toString();
      until(text);
    });
  }
  return new Promise((resolve) => {
    child.on("close", (code, signal) => resolve({ code: code ?? -1, signal, ...text }));
  });
}

/** SHA-256 of each file below a folder, by path; empty where there is no folder. */
export async function filesBelow(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const digests: Record<string, string> = {};
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    digests[relative(folder, path)] = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  }
  return digests;
}
