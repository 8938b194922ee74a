// Tensors of an encoder's checkpoint under this library's names.
import { CheckpointError, type CheckpointIssue } from "../errors.ts";
import type { Weights } from "../tensor/index.ts";
import type { EncoderConfig } from "./config.ts";

/** Heads of pretraining and buffers, which a classifier never reads. */
const IGNORED = /(^|\.)(cls|lm_head|position_ids|token_type_ids)(\.|$)/;

/**
 * A checkpoint's tensors under the model's names: a missing prefix such as `bert.` added, `gamma`/`beta` renamed,
 * pretraining heads and buffers left out. RoBERTa's unused pooler goes too.
 * @throws {CheckpointError} when two tensors claim one name.
 */
export function sanitizeEncoder(config: EncoderConfig, weights: Weights, file: string): Weights {
  const prefix = `${config.modelType}.`;
  const clean = new Map<string, NonNullable<ReturnType<Weights["get"]>>>();
  const issues: CheckpointIssue[] = [];
  for (const [stored, weight] of weights) {
    if (IGNORED.test(stored)) continue;
    let name = stored.replace(/\.gamma$/, ".weight").replace(/\.beta$/, ".bias");
    if (/^(embeddings|encoder|pooler)\./.test(name)) name = prefix + name;
    if (config.modelType === "roberta" && name.startsWith("roberta.pooler.")) continue;
    if (clean.has(name)) issues.push({ name, expected: "one tensor", got: `a second one, stored as ${stored}` });
    clean.set(name, weight);
  }
  if (issues.length > 0) throw new CheckpointError(file, issues);
  return clean;
}
