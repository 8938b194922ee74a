// The reference side of the parity tests: the Python with PyTorch, and the real MiniLM checkpoint.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
 * What a script, by its path in the repository, or the code behind `-c` writes to stdout. It runs in a process forked from one that has
 * imported PyTorch and transformers already; with an environment of its own in a new one.
 *
 * @param options.interpreter - `python()` by default.
 * @throws {Error} with the end of stderr when the script fails.
 */
export async function runPython(
  script: string,
  args: readonly string[] = [],
  options: { readonly interpreter?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const interpreter = options.interpreter ?? python();
  if (interpreter === null) throw new Error(absent(PYTHON));
  const isForked = options.env === undefined && process.platform !== "win32";
  const { code, stdout, stderr } = isForked
    ? await runForked(interpreter, script, args)
    : await runAlone(interpreter, [script, ...args], options.env);
  if (code === 0) return stdout;
  throw new Error(`${script} ${args.join(" ")}: expected exit code 0, got ${code}\n${stderr.slice(-4000)}`);
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const environmentWith = (env: Readonly<Record<string, string>> = {}) => ({
  ...process.env,
  PYTHONWARNINGS: "ignore",
  PYTHONHASHSEED: "0",
  HF_HUB_OFFLINE: "1",
  ...env,
});

function runAlone(
  interpreter: string,
  argv: readonly string[],
  env?: Readonly<Record<string, string>>,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(interpreter, argv, { cwd: ROOT, env: environmentWith(env), stdio: ["ignore", "pipe", "pipe"] });
    const text = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (piece: string) => {
        text[name] += piece;
      });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...text }));
  });
}

/** What the scripts import of large libraries. */
const IMPORTS = ["torch", "transformers", "safetensors.torch"];
const MODELS = ["bert", "roberta", "t5"].map((name) => `transformers.models.${name}.modeling_${name}`);
/** A server on a busy machine takes as long to start. */
const START_MS = 300_000;

/** Runs a script at the server of this test run, which is started where there is none. */
async function runForked(interpreter: string, script: string, args: readonly string[]): Promise<Ended> {
  const isAdapters = interpreter === adaptersPython();
  // workers of one test run have one parent, and so one server
  const socket = join(tmpdir(), `deft-python-${process.ppid}-${isAdapters ? "adapters" : "reference"}.sock`);
  const until = Date.now() + START_MS;
  let wasStarted = false;
  for (;;) {
    const connection = await connected(socket);
    if (connection !== null) return await askedOf(connection, JSON.stringify({ script, args }));
    if (!wasStarted) {
      wasStarted = true;
      const libraries = [...IMPORTS, isAdapters ? "adapters" : "peft", ...MODELS];
      const argv = ["test/support/python_server.py", socket, String(process.ppid), ...libraries];
      spawn(interpreter, argv, { cwd: ROOT, env: environmentWith(), stdio: "ignore", detached: true }).unref();
    }
    if (Date.now() > until)
      throw new Error(`${interpreter} test/support/python_server.py: expected to listen at ${socket}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function connected(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const connection = connect(path, () => resolve(connection));
    connection.once("error", () => resolve(null));
  });
}

function askedOf(connection: Socket, request: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    let answer = "";
    connection.setEncoding("utf8").on("data", (piece: string) => {
      answer += piece;
    });
    connection.once("error", reject);
    connection.once("close", () => {
      if (answer === "") reject(new Error(`${request}: expected an answer of the Python server, got none`));
      else resolve(JSON.parse(answer) as Ended);
    });
    connection.write(`${request}\n`);
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
