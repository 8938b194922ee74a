// A padded batch by input name, and what is counted in it: the denominators of losses and densities.
import type { StackName } from "../density/index.ts";
import { InternalError } from "../errors.ts";
import type { Tensor } from "../tensor/index.ts";

/** One padded batch as a program is fed it. */
export interface ModelBatch {
  /** By input name: `tokenIds`, `attentionMask` `[B, S]` int64, `typeIds` alike, and the labels that the head asks for. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Place of each row's example in its split. */
  readonly indices: ArrayLike<number>;
  /** Ones of the attention mask. */
  readonly attendedTokens: number;
}

/** A label that no loss counts, as in transformers. */
export const IGNORED_LABEL = -100;

/** Examples of a batch. */
export function examplesIn(batch: ModelBatch): number {
  return inputOf(batch, "tokenIds").shape[0]!;
}

/** Labels of a batch that are counted: of `[B, T]`, those other than `IGNORED_LABEL`. */
export function labelTokensIn(batch: ModelBatch): number {
  return countIf(inputOf(batch, "labels"), (label) => label !== IGNORED_LABEL);
}

/** Counts the positions of the input `name` that lie inside the padded length. */
export const positionsInside =
  (name: string) =>
  (batch: ModelBatch): number => {
    const length = inputOf(batch, "tokenIds").shape[1]!;
    return countIf(inputOf(batch, name), (position) => position < length);
  };

/** The padded length of each stack's sequences, and how many of their positions count as attended. */
export type StackPositions = Readonly<
  Partial<Record<StackName, { readonly length: number; readonly attendedTokens: number }>>
>;

/** Encoder: padded tokens and attended ones. Decoder, which reads its label tokens: padded and counted labels. */
export function stackPositions(batch: ModelBatch): StackPositions {
  const { shape } = inputOf(batch, "tokenIds");
  const encoder = { length: shape[1]!, attendedTokens: batch.attendedTokens };
  const { labels } = batch.inputs;
  if (labels?.dtype !== "int64" || labels.shape.length !== 2) return { encoder };
  return { encoder, decoder: { length: labels.shape[1]!, attendedTokens: labelTokensIn(batch) } };
}

function countIf({ data }: Tensor, counts: (value: number) => boolean): number {
  let count = 0;
  for (const value of data) if (counts(Number(value))) count++;
  return count;
}

function inputOf({ inputs }: ModelBatch, name: string): Tensor {
  const found = inputs[name];
  if (!found) throw new InternalError(`a batch without ${name}`);
  return found;
}
