// `npm test`: fetches what the tests compare with (PyTorch, AdapterHub, MiniLM), then runs them all.
// With arguments (`npm test -- --project unit`) it fetches nothing and hands them to vitest.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const isCi = Boolean(process.env["CI"]);

/** Runs a command on this terminal; gives its exit code, 1 when it was killed or never began. */
function run(command: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): number {
  const env = { ...process.env, ...environment };
  return spawnSync(command, args, { cwd: ROOT, stdio: "inherit", env }).status ?? 1;
}

/** The first interpreter of 3.10 or newer: `PYTHON`, `python3`, `python`. */
function findPython(): string | null {
  const wanted = "import sys; sys.exit(0 if sys.version_info >= (3, 10) else 1)";
  const names = [process.env["PYTHON"], "python3", "python"].filter((name) => name !== undefined && name !== "");
  return names.find((name) => spawnSync(name!, ["-c", wanted], { stdio: "ignore" }).status === 0) ?? null;
}

/** Why the comparisons with Python will be skipped; null when nothing is missing. */
function setUp(): string | null {
  const python = findPython();
  if (python === null) return "there is no Python 3.10 or newer on the path";
  const code = run("bash", ["scripts/python/setup.sh"], { PYTHON: python });
  return code === 0 ? null : `scripts/python/setup.sh ended with exit code ${code}`;
}

const args = process.argv.slice(2);
const missing = args.length > 0 ? null : setUp();
if (missing !== null) {
  console.error(`\ntest: ${missing}; ${isCi ? "in CI that is a failure" : "tests that need it are skipped"}\n`);
}
const code = missing !== null && isCi ? 1 : run(process.execPath, ["node_modules/vitest/vitest.mjs", "run", ...args]);
process.exitCode = code;
