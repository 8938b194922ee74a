// A method's virtual tokens beside a base model: positions, and the words that they begin as.
import { ConfigError } from "../errors.ts";
import { maxSequenceLength } from "../models/index.ts";
import { type MethodSettings, numVirtualTokens, recordOf } from "../peft/index.ts";
import type { BaseModel } from "./base-model.ts";

/** Shorter than this an example says nothing. */
const LEAST_LENGTH = 4;

/**
 * Checks that a method's virtual tokens and an example's fit into the model's positions together.
 * @throws {ConfigError} naming the setting to lower.
 */
export function checkPositions({ model, tokenizer, name }: BaseModel, method: MethodSettings, wanted: number): void {
  const virtual = numVirtualTokens(method);
  const positions = maxSequenceLength(model.config);
  const length = Math.min(wanted, tokenizer.maxLength ?? Number.POSITIVE_INFINITY);
  if (virtual === 0 || virtual + length <= positions) return;
  const room = positions - virtual;
  throw new ConfigError(
    [
      room < LEAST_LENGTH
        ? {
            path: "--virtual-tokens",
            expected: `at most ${positions - LEAST_LENGTH}, as ${name} has ${positions} positions for them and the text`,
            got: String(virtual),
          }
        : {
            path: "--max-length",
            expected: `at most ${room}, the ${positions} positions of ${name} less ${virtual} virtual tokens`,
            got: String(length),
          },
    ],
    { hint: room < LEAST_LENGTH ? "Use fewer virtual tokens." : `--max-length ${room}, or fewer --virtual-tokens.` },
  );
}

/** The tokens that virtual ones begin as, special ones included. @see HF PEFT `PromptEmbedding`. */
export function initTokenIds({ tokenizer }: BaseModel, method: MethodSettings): readonly number[] {
  const text = recordOf(method).initText?.(method) ?? null;
  return text === null ? [] : tokenizer.encode(text, null, { maxLength: null }).ids;
}
