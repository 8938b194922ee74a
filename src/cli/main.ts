#!/usr/bin/env node
// The `deft` command: parses, runs one command's body, turns errors into messages and exit codes.
import { readFileSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CommanderError } from "commander";
import { COMMANDS } from "./commands.ts";
import { errorReport } from "./error-report.ts";
import { buildProgram } from "./program.ts";
import { guardStreams, visible } from "./streams.ts";
import type { Screen } from "./terminal.ts";

/** Runs the command line; gives the exit code. `argv` is without node and the script. */
export async function main(
  argv: readonly string[],
  { out = process.stdout as Screen, err = process.stderr as Screen } = {},
): Promise<number> {
  let code = 0;
  const program = buildProgram(COMMANDS, { version: packageVersion(), out, err, onExit: (of) => (code = of) });
  try {
    // a shell asks what may stand at the cursor
    if (argv[0] === "complete" && argv[1] === "--") {
      const { completions, completionText } = await import("./completion.ts");
      out.write(`${completionText(await completions(COMMANDS, argv.slice(2)))}\n`);
      return 0;
    }
    await program.parseAsync(argv.length === 0 ? ["--help"] : argv, { from: "user" });
    return code;
  } catch (error) {
    // commander has written its own message; help and version are no failures
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { text, code: failed } = errorReport(error, { verbose: argv.includes("-v") || argv.includes("--verbose") });
    err.write(`${visible(text)}\n`);
    return failed;
  }
}

function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

function isEntry(): boolean {
  const script = process.argv[1];
  return script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url);
}

if (isEntry()) {
  guardStreams(process.stdout, process.stderr, (code) => process.exit(code));
  process.exitCode = await main(process.argv.slice(2));
}
