// The data of the table of methods, from SST-2's folder: what is trained on, what is scored, and what the small T5 is made from.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { randomStream } from "../../src/tensor/index.ts";

/** Sizes in sentences; the rest of train.tsv makes the small T5. */
export interface DataSizes {
  readonly train: number;
  readonly heldOut: number;
}

type Row = readonly [sentence: string, label: string];

/**
 * Writes `sst2/` (train.tsv, dev.tsv), `text/` (the same as text to text) and `t5/` (train, dev, to make the T5). `dev` is
 * SST-2's own dev, then sentences held out of its train.tsv.
 */
export async function writeData(source: string, folder: string, { train, heldOut }: DataSizes): Promise<void> {
  const dev = await rowsOf(join(source, "dev.tsv"));
  const seen = new Set(dev.map(([sentence]) => sentence));
  const others = (await rowsOf(join(source, "train.tsv"))).filter(
    ([sentence]) => !seen.has(sentence) && seen.add(sentence) !== undefined,
  );
  const shuffled = randomStream(0, "methods").shuffle(others);
  const trained = shuffled.slice(0, train);
  const scored = [...dev, ...shuffled.slice(train, train + heldOut)];
  await write(join(folder, "sst2", "train.tsv"), tsv(trained));
  await write(join(folder, "sst2", "dev.tsv"), tsv(scored));
  await write(join(folder, "text", "train.jsonl"), jsonl(trained));
  await write(join(folder, "text", "dev.jsonl"), jsonl(scored));
  const made = shuffled.slice(train + heldOut);
  await write(join(folder, "t5", "train.jsonl"), jsonl(made.slice(0, made.length / 2)));
  await write(join(folder, "t5", "dev.jsonl"), jsonl(dev));
}

async function rowsOf(file: string): Promise<Row[]> {
  const [, ...lines] = (await readFile(file, "utf8")).split("\n");
  return lines.flatMap((line): Row[] => {
    const [sentence, label] = line.split("\t");
    return sentence === undefined || label === undefined ? [] : [[sentence.trim(), label.trim()]];
  });
}

async function write(file: string, content: string): Promise<void> {
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, content);
}

const tsv = (rows: readonly Row[]) => `sentence\tlabel\n${rows.map((row) => `${row.join("\t")}\n`).join("")}`;
const jsonl = (rows: readonly Row[]) =>
  rows
    .map(([text, label]) => `${JSON.stringify({ text, target: label === "1" ? "positive" : "negative" })}\n`)
    .join("");
