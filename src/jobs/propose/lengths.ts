// How many tokens the texts have that were looked at, by the tokenizer of the model they are for.
import { type Guess, loadTokenizer, lookedRows } from "../../data/index.ts";
import { type Model, maxSequenceLength } from "../../models/index.ts";
import type { Files } from "../../tensor/index.ts";

/** A model whose folder is here. */
export interface LocalModel {
  /** The folder. */
  readonly name: string;
  readonly model: Model;
}

/** A length that fits, and why. */
export interface FittingLength {
  readonly length: number;
  readonly line: string;
}

/** The share of texts that is to be read whole. */
const SHARE = 0.99;
/** Lengths are multiples of this, from twice as much on. */
const STEP = 16;
/** Longer texts take much memory; more is asked for by hand. */
const MOST = 512;

/** The length that holds 99 % of the texts and that the model takes; null where the task reads windows. */
export async function fittingLength(
  files: Files,
  data: string,
  { name: folder, model }: LocalModel,
  { task, columns }: Guess,
): Promise<FittingLength | null> {
  const { textColumn, pairColumn, sourceColumn } = columns;
  const name = textColumn ?? sourceColumn;
  if (name === undefined) return null;
  const tokenizer = await loadTokenizer(files, folder);
  const lengths: number[] = [];
  for await (const { columns: names, cells } of lookedRows(files, data, task)) {
    const text = cells[names.indexOf(name)];
    const pair = pairColumn === undefined ? null : cells[names.indexOf(pairColumn)];
    if (typeof text === "string")
      lengths.push(tokenizer.encode(text, typeof pair === "string" ? pair : null, { maxLength: null }).wholeLength);
    else if (Array.isArray(text)) lengths.push(tokenizer.words(text.map(String)).ids.length + 2);
  }
  if (lengths.length === 0) return null;
  const sorted = lengths.toSorted((a, b) => a - b);
  const needed = sorted[Math.ceil(SHARE * sorted.length) - 1]!;
  const rounded = Math.max(2 * STEP, Math.ceil(needed / STEP) * STEP);
  const length = Math.min(rounded, MOST, maxSequenceLength(model.config), tokenizer.maxLength ?? MOST);
  const held = lengths.filter((tokens) => tokens <= length).length / lengths.length;
  const share = held === 1 ? "every text" : `${Math.floor(1000 * held) / 10} % of the texts`;
  return { length, line: `max-length: ${length} tokens hold ${share} that ${held === 1 ? "was" : "were"} looked at` };
}
