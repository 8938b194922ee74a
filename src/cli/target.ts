// What eval, predict and profile open: a RUN argument, or --model with an optional --adapter.
import { ConfigError } from "../errors.ts";
import type { RunOverrides, RunTarget } from "../load/index.ts";
import { resolvePartial } from "../settings/index.ts";
import type { Call } from "./command.ts";

/**
 * The target and the settings laid over it.
 *
 * @throws {ConfigError} when neither or both are given.
 */
export function readTarget({ args, flags }: Pick<Call, "args" | "flags">): {
  target: RunTarget;
  overrides: RunOverrides;
} {
  const { model, adapter, ...overrides } = resolvePartial({ flags });
  const [folder] = args;
  const issue = (expected: string, got: string) => new ConfigError([{ path: "RUN", expected, got }]);
  if (folder !== undefined && model !== undefined) throw issue("a RUN or --model", "both");
  if (folder !== undefined) {
    if (adapter !== undefined) throw issue("--model with --adapter", `the run ${folder}, which has its own`);
    return { target: { kind: "run", folder }, overrides };
  }
  if (model === undefined) throw issue("a run's folder, or --model ID|DIR", "neither");
  return { target: { kind: "model", model, adapter: adapter ?? null }, overrides };
}
