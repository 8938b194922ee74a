// How many tokens of a text an opened model is given.
import { maxSequenceLength } from "../models/index.ts";
import { numVirtualTokens } from "../peft/index.ts";
import { taskRecord } from "../tasks/index.ts";
import { usableLength } from "./base-model.ts";
import type { OpenedTarget } from "./opened-target.ts";
import { checkPositions } from "./virtual-tokens.ts";

/**
 * The most tokens of an example that is scored: as asked for, up to the model's positions; as the run was trained; else what
 * the model and its tokenizer are made for. Questions over contexts have the task's usual length, as nothing of them is cut,
 * and so has a model without any limit.
 * @throws {ConfigError} as `maxLengthOf`.
 */
export function scoringLengthOf(opened: OpenedTarget): number {
  const { settings, task, base, options } = opened;
  const asksQuestions = taskRecord(opened.kind).asksQuestions || (options.task ?? task) === "squad";
  if (options.asked.has("max-length")) return Math.min(maxLengthOf(opened), lengthLimit(opened));
  if (settings !== null || asksQuestions) return usableLength(base, maxLengthOf(opened));
  const made = Math.min(lengthLimit(opened), base.tokenizer.maxLength ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(made) ? made : options.data.maxLength;
}

/** The most tokens of a text that a model has positions for; Infinity where it has none. */
export function lengthLimit({ base, method }: Pick<OpenedTarget, "base" | "method">): number {
  // virtual tokens have positions of their own, which the text cannot have
  return maxSequenceLength(base.model.config) - numVirtualTokens(method.settings);
}

/**
 * The most tokens of an example: as asked for, or as the run was trained.
 * @throws {ConfigError} when the model has no positions for so many behind the method's virtual tokens.
 */
export function maxLengthOf({ base, method, options }: OpenedTarget): number {
  const { maxLength } = options.data;
  checkPositions(base, method.settings, maxLength);
  return maxLength;
}
