// The reference side of the parity tests: the Python with PyTorch, and the real MiniLM checkpoint.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, test } from "vitest";

/** Something outside the repository that a test needs, and how it comes here. */
interface Need {
  readonly what: string;
  readonly variable: string;
  readonly path: string;
  readonly part: string;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const PYTHON = {
  what: "Python with PyTorch, transformers and peft",
  variable: "DEFT_PYTHON",
  path: ".venv/bin/python",
  part: "reference",
} as const satisfies Need;

const ADAPTERS_PYTHON = {
  what: "Python with AdapterHub's adapters",
  variable: "DEFT_ADAPTERS_PYTHON",
  path: ".venv-adapters/bin/python",
  part: "adapters",
} as const satisfies Need;

const MINILM = {
  what: "the MiniLM checkpoint",
  variable: "DEFT_MINILM",
  path: ".cache/minilm/model",
  part: "minilm",
} as const satisfies Need;

/** The reference Python: `DEFT_PYTHON`, else `.venv`; null when there is none. */
export const python = (): string | null => find(PYTHON);

/** The Python with AdapterHub's library: `DEFT_ADAPTERS_PYTHON`, else `.venv-adapters`; null when there is none. */
export const adaptersPython = (): string | null => find(ADAPTERS_PYTHON);

/** The folder of the real MiniLM checkpoint: `DEFT_MINILM`, else `.cache/minilm/model`; null when there is none. */
export const minilm = (): string | null => find(MINILM);

/**
 * A suite that needs the reference Python: `describe` where it is, one skipped test with the reason where it is not,
 * a failing one in CI.
 */
export function describeWithPython(name: string, body: (python: string) => void): void {
  describeWith(PYTHON, name, body);
}

/** As `describeWithPython`, for AdapterHub's library. */
export function describeWithAdapters(name: string, body: (python: string) => void): void {
  describeWith(ADAPTERS_PYTHON, name, body);
}

/** As `describeWithPython`, for the MiniLM folder. */
export function describeWithMinilm(name: string, body: (folder: string) => void): void {
  describeWith(MINILM, name, body);
}

/** Whether the reference Python has bitsandbytes, which is not for every machine. */
export async function hasBitsandbytes(): Promise<boolean> {
  if (python() === null) return false;
  return runPython("-c", ["import bitsandbytes"]).then(
    () => true,
    () => false,
  );
}

/**
 * What a script, by its path in the repository, writes to stdout.
 *
 * @param options.interpreter - `python()` by default.
 * @throws {Error} with the end of stderr when the script fails.
 */
export function runPython(
  script: string,
  args: readonly string[] = [],
  options: { readonly interpreter?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const interpreter = options.interpreter ?? python();
  if (interpreter === null) return Promise.reject(new Error(absent(PYTHON)));
  const env = { ...process.env, PYTHONWARNINGS: "ignore", PYTHONHASHSEED: "0", HF_HUB_OFFLINE: "1", ...options.env };
  return new Promise((resolve, reject) => {
    const child = spawn(interpreter, [script, ...args], { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-4000);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${script} ${args.join(" ")}: expected exit code 0, got ${code}\n${stderr}`));
    });
  });
}

function find({ variable, path }: Need): string | null {
  const chosen = process.env[variable];
  if (chosen) return existsSync(chosen) ? chosen : null;
  return existsSync(`${ROOT}${path}`) ? `${ROOT}${path}` : null;
}

function describeWith(need: Need, name: string, body: (found: string) => void): void {
  const found = find(need);
  if (found !== null) {
    describe(name, () => body(found));
    return;
  }
  // a run that skips its parity tests must not look green where they are the point
  describe(name, () => {
    test(`needs ${need.what}`, (context) => {
      if (process.env.CI) throw new Error(absent(need));
      context.skip(absent(need));
    });
  });
}

function absent(need: Need): string {
  const chosen = process.env[need.variable];
  const place = chosen ? `${need.variable}=${chosen}` : `${need.variable} or ${need.path}`;
  return `expected ${need.what} at ${place}, got nothing; run scripts/python/setup.sh ${need.part}`;
}
