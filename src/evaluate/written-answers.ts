// Texts that a model writes: one for each row, with its probability where it is asked for.
import type { Tokenizer } from "../data/index.ts";
import type { Generated, GenerationOptions, Generator, Scorer } from "../infer/index.ts";
import type { ModelBatch, WrittenText } from "../tasks/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { writtenBatch } from "./task-batches.ts";

export interface WritingOptions {
  readonly generator: Generator;
  /** Asks how likely a text is; null: scores are not wanted. */
  readonly scorer: Scorer | null;
  readonly tokenizer: Tokenizer;
  readonly generation: GenerationOptions;
}

/** One text for each row, in the order of the rows; `scored` says for which a score is wanted. */
export async function writtenTexts(
  { generator, scorer, tokenizer, generation }: WritingOptions,
  trained: ReadonlyMap<string, Tensor>,
  batches: Iterable<ModelBatch>,
  count: number,
  scored: (row: number) => boolean,
): Promise<readonly WrittenText[]> {
  const texts: WrittenText[] = Array.from({ length: count });
  for (const batch of batches) {
    const written = (await generator.generate(trained, batch, generation)).map(([best]) => best!);
    const isScored = scorer !== null && Array.from(batch.indices).some(scored);
    const scores = isScored ? await likelihoods(scorer, trained, batch, written) : null;
    written.forEach(({ tokenIds }, row) => {
      const text = tokenizer.decode(tokenIds).trim();
      texts[batch.indices[row]!] = { text, score: scores?.[row] ?? null };
    });
  }
  return texts;
}

/** Geometric means of the tokens' probabilities, the one that ends a text included. */
async function likelihoods(
  scorer: Scorer,
  trained: ReadonlyMap<string, Tensor>,
  batch: ModelBatch,
  written: readonly Generated[],
): Promise<number[]> {
  const ids = written.map(({ tokenIds }) => tokenIds);
  const outputs = await scorer.run(trained, writtenBatch(batch, ids));
  const losses = outputs["losses.labelTokenScale"]!.data;
  return ids.map((tokens, row) => Math.exp(-Number(losses[row]) / tokens.length));
}
