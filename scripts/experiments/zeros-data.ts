// The data of the tables of exact zeros: for each task what is trained on, and what scores and densities are stated on.
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { randomStream } from "../../src/tensor/index.ts";
import { type CurveTask, writeCurveData } from "./curves-data.ts";
import { writeData } from "./methods-data.ts";

export type ZerosTask = "sst2" | "cola" | "stsb" | "rte" | "pairs" | "squad" | "t5";

/** A task: its flags, where its stated examples lie below the data's folder, and the metric of the tables. */
export interface ZerosRecipe {
  readonly flags: readonly string[];
  readonly steps: number;
  readonly stated: readonly string[];
  readonly metric: string;
  /** The dense run can be a teacher: its logits are an input of each batch. */
  readonly isTaught: boolean;
}

const BATCHES_OF_16 = ["--batch-size", "16"];
const PAIRS = ["--task", "text-pair", "--text-column", "text", "--pair-column", "pair", "--label-column", "label"];

export const TASKS: Readonly<Record<ZerosTask, ZerosRecipe>> = {
  sst2: {
    flags: ["--task", "sst2", ...BATCHES_OF_16],
    steps: 400,
    stated: ["stated.tsv"],
    metric: "accuracy",
    isTaught: true,
  },
  cola: {
    flags: ["--task", "cola", ...BATCHES_OF_16],
    // after 400 steps every answer is still the frequent one
    steps: 1200,
    stated: ["stated.tsv"],
    metric: "matthews_correlation",
    isTaught: true,
  },
  stsb: {
    flags: ["--task", "stsb", ...BATCHES_OF_16],
    // three epochs: after 400 steps Pearson's correlation is 22 %
    steps: 789,
    stated: ["stated.tsv"],
    metric: "pearson",
    isTaught: true,
  },
  rte: {
    flags: ["--task", "rte", "--batch-size", "8", "--max-length", "128"],
    steps: 400,
    stated: ["dev.tsv"],
    metric: "accuracy",
    isTaught: true,
  },
  pairs: { flags: [...PAIRS, ...BATCHES_OF_16], steps: 800, stated: ["dev.jsonl"], metric: "accuracy", isTaught: true },
  squad: {
    flags: ["--task", "squad", "--batch-size", "8", "--max-length", "192", "--doc-stride", "64"],
    steps: 400,
    stated: ["dev.json"],
    metric: "f1",
    isTaught: false,
  },
  // the small T5 of methods.ts, which was trained on other sentences of SST-2 to write "positive" and "negative"
  t5: {
    flags: ["--task", "seq2seq", "--max-new-tokens", "4", ...BATCHES_OF_16],
    steps: 300,
    stated: ["dev.jsonl"],
    metric: "exact_match",
    isTaught: false,
  },
};

/** Examples of STS-B's train.tsv that stand for pairs which say the same, or not. */
const PAIRS_STATED = 1000;
/** A similarity, 0 to 5, from which two sentences count as saying the same. */
const SAME = 3.5;

const SIZES = {
  sst2: { train: 6400, chosenBy: 2000, heldOut: 2000 },
  cola: { train: 6400, chosenBy: 1000, heldOut: 1000 },
  stsb: { train: 4200, chosenBy: 500, heldOut: 1000 },
} as const satisfies Partial<Record<CurveTask, unknown>>;

/** Writes the data of `task` into `folder`, from folders that hold GLUE's own files and SQuAD's. No stated example is trained on. */
export async function writeZerosData(
  sources: { readonly glue: string; readonly squad: string },
  folder: string,
  task: ZerosTask,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  if (task === "rte") await copies(join(sources.glue, "RTE"), folder, ["train.tsv", "dev.tsv"]);
  else if (task === "squad") await copies(sources.squad, folder, ["train.json", "dev.json"]);
  else if (task === "pairs") await writePairs(sources.glue, folder);
  else if (task === "t5") await writeT5(sources.glue, folder);
  else {
    await writeCurveData(sources.glue, folder, task, SIZES[task]);
    await cp(join(folder, "stated", "dev.tsv"), join(folder, "stated.tsv"));
  }
}

async function writeT5(glue: string, folder: string): Promise<void> {
  await writeData(join(glue, "SST-2"), join(folder, "made"), { train: 1600, heldOut: 2000 });
  await copies(join(folder, "made", "text"), folder, ["train.jsonl", "dev.jsonl"]);
}

async function copies(from: string, to: string, names: readonly string[]): Promise<void> {
  for (const name of names) await writeFile(join(to, name), await readFile(join(from, name)));
}

async function writePairs(glue: string, folder: string): Promise<void> {
  const [, ...lines] = (await readFile(join(glue, "STS-B", "train.tsv"), "utf8")).split("\n");
  const rows = lines.flatMap((line) => {
    const cells = line.split("\t");
    const [text, pair, score] = [cells[7], cells[8], cells[9]];
    if (text === undefined || pair === undefined || score === undefined) return [];
    return [`${JSON.stringify({ text, pair, label: Number(score) >= SAME ? "same" : "other" })}\n`];
  });
  const shuffled = randomStream(0, "pairs").shuffle([...new Set(rows)]);
  await writeFile(join(folder, "dev.jsonl"), shuffled.slice(0, PAIRS_STATED).join(""));
  await writeFile(join(folder, "train.jsonl"), shuffled.slice(PAIRS_STATED).join(""));
}
