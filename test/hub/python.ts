// The reference Python, where there is one.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

const VENV = ".venv/bin/python";

/** The interpreter: `DEFT_PYTHON`, or the project's own virtual environment; undefined when there is neither. */
export const PYTHON = process.env.DEFT_PYTHON || (existsSync(VENV) ? VENV : undefined);

/** Why a test that needs Python is skipped. */
export const NO_PYTHON = `needs Python with torch, transformers and peft: set DEFT_PYTHON or make ${VENV}`;

/** Runs a script and gives back the JSON it prints last. */
export async function python(
  script: string,
  args: readonly string[] = [],
  { environment = {}, interpreter = PYTHON! }: { environment?: Record<string, string>; interpreter?: string } = {},
): Promise<unknown> {
  const env = { ...process.env, ...environment };
  const { stdout } = await promisify(execFile)(interpreter, ["-W", "ignore", "-c", script, ...args], { env });
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}
