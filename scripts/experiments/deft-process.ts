// `deft` as experiments run it: a process each time, so that what is measured is what a user starts.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

// a preload that says at the end how much memory the process had
const USAGE = `data:text/javascript,${encodeURIComponent(
  'import{writeFileSync}from"node:fs";process.on("exit",()=>{const f=process.env.USAGE_FILE;if(f)writeFileSync(f,JSON.stringify(process.resourceUsage()))})',
)}`;

/** Runs `command` (`node dist/cli/main.js`) with `args`; gives standard output, throws what standard error said. */
export function deft(command: string, args: readonly string[], usageFile = ""): string {
  const [program = "node", ...first] = command.split(" ");
  const { status, stdout, stderr } = spawnSync(program, ["--import", USAGE, ...first, ...args, "-q"], {
    env: { ...process.env, USAGE_FILE: usageFile },
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`deft ${args.join(" ")}: exit code ${status}\n${stderr}`);
  return stdout;
}

/** Whether the run in `folder` came to its end. */
export function isFinished(folder: string): boolean {
  const file = join(folder, "run.json");
  return existsSync(file) && (JSON.parse(readFileSync(file, "utf8")) as { result: unknown }).result !== null;
}

/** `folder`, with what an interrupted try left there gone. */
export function fresh(folder: string): string {
  rmSync(folder, { recursive: true, force: true });
  return folder;
}

/** Writes a result as JSON: the file appears whole or not at all, so that one that is there need not be made again. */
export function keepJson(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.part`, `${JSON.stringify(value)}\n`);
  renameSync(`${file}.part`, file);
}
