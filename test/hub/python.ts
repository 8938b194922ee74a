// The reference Python, where there is one.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { python as reference } from "../support/python.ts";

/** Runs a script and gives back the JSON it prints last. */
export async function python(
  script: string,
  args: readonly string[] = [],
  { environment = {}, interpreter = reference()! }: { environment?: Record<string, string>; interpreter?: string } = {},
): Promise<unknown> {
  const env = { ...process.env, ...environment };
  const { stdout } = await promisify(execFile)(interpreter, ["-W", "ignore", "-c", script, ...args], { env });
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}
