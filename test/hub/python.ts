// The reference Python, where there is one.
import { runPython } from "../support/python.ts";

/** Runs code and gives back the JSON it prints last. */
export async function python(
  code: string,
  args: readonly string[] = [],
  {
    environment,
    interpreter,
  }: { readonly environment?: Readonly<Record<string, string>>; readonly interpreter?: string } = {},
): Promise<unknown> {
  const stdout = await runPython("-c", [code, ...args], {
    ...(environment === undefined ? {} : { env: environment }),
    ...(interpreter === undefined ? {} : { interpreter }),
  });
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}
