// Answers that a model writes: a text for each window, and the best of a question's.
import type { EncodedExamples, EncodedWindows, Tokenizer } from "../data/index.ts";
import type { Generated, GenerationOptions, Generator, Scorer } from "../infer/index.ts";
import type { ModelBatch } from "../tasks/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { writtenBatch } from "./task-batches.ts";

/** A text that was written, with the probability that the model gives it. */
export interface WrittenText {
  readonly text: string;
  /** Geometric mean of its tokens' probabilities, in (0, 1]; null where it was not asked for. */
  readonly score: number | null;
}

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

/**
 * The answer of each question over its windows: the likeliest text that is not empty; empty where every window says so, as a window
 * without the answer does.
 */
export function bestTexts(rows: EncodedWindows, texts: readonly WrittenText[]): WrittenText[] {
  const best: (WrittenText | undefined)[] = rows.questions.map(() => undefined);
  rows.owners.forEach((owner, row) => {
    const [before, now] = [best[owner], texts[row]!];
    if (before === undefined || isBetter(now, before)) best[owner] = now;
  });
  return best.map((text) => text ?? { text: "", score: null });
}

function isBetter(now: WrittenText, before: WrittenText): boolean {
  if ((now.text === "") !== (before.text === "")) return before.text === "";
  return (now.score ?? 0) > (before.score ?? 0);
}

/** Whether a row's question has several windows, so that scores must choose between them. */
export function needsScore(rows: EncodedExamples & Pick<EncodedWindows, "owners">): (row: number) => boolean {
  const windows = new Map<number, number>();
  for (const owner of rows.owners) windows.set(owner, (windows.get(owner) ?? 0) + 1);
  return (row) => windows.get(rows.owners[row]!)! > 1;
}
