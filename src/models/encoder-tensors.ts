// Tensors of an encoder's checkpoint under this library's names.
import { CheckpointError, type CheckpointIssue } from "../errors.ts";
import type { Weights } from "../tensor/index.ts";
import type { ModelFacts } from "./model-facts.ts";

/** Heads of pretraining and buffers, which a classifier never reads. */
const IGNORED = /(^|\.)(cls|lm_head|position_ids|token_type_ids)(\.|$)/;

/**
 * Gives a checkpoint's tensors under the names of a type of encoder: a missing prefix such as `bert.` added, `gamma`/`beta` renamed;
 * pretraining heads, buffers and what else the type says that no head reads left out.
 * It throws a {@link CheckpointError} when two tensors claim one name.
 */
export function sanitizer({ names }: ModelFacts): (config: unknown, weights: Weights, file: string) => Weights {
  const isBare = (name: string) => names.parts.some((part) => name.startsWith(`${part}.`));
  const isUnread = (name: string) => names.unread.some((start) => name.startsWith(`${start}.`));
  return (_config, weights, file) => {
    const clean = new Map<string, NonNullable<ReturnType<Weights["get"]>>>();
    const issues: CheckpointIssue[] = [];
    for (const [stored, weight] of weights) {
      if (IGNORED.test(stored)) continue;
      const plain = stored.replace(/\.gamma$/, ".weight").replace(/\.beta$/, ".bias");
      const name = isBare(plain) ? `${names.prefix}.${plain}` : plain;
      if (isUnread(name)) continue;
      if (clean.has(name)) issues.push({ name, expected: "one tensor", got: `a second one, stored as ${stored}` });
      clean.set(name, weight);
    }
    if (issues.length > 0) throw new CheckpointError(file, issues);
    return clean;
  };
}
