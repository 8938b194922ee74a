// The data of the curves: GLUE folders made smaller, each with examples to choose settings by and others to state scores on.
import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { randomStream } from "../../src/tensor/index.ts";
import type { AskedText } from "./curves-onnx.ts";

/** Lines of a GLUE file, and the line above them where there is one. */
interface Lines {
  readonly head: string | null;
  readonly lines: readonly string[];
}

/** How one task's official files are read: which have a head, and what stands for an example when duplicates are dropped. */
interface Format {
  readonly folder: string;
  readonly head: boolean;
  readonly text: (cells: readonly string[]) => AskedText;
  readonly label: (cells: readonly string[]) => number;
}

export type CurveTask = "sst2" | "cola" | "stsb";

const FORMATS: Readonly<Record<CurveTask, Format>> = {
  sst2: {
    folder: "SST-2",
    head: true,
    text: (cells) => ({ text: cells[0]!.trim() }),
    label: (cells) => Number(cells[1]),
  },
  cola: { folder: "CoLA", head: false, text: (cells) => ({ text: cells[3]! }), label: (cells) => Number(cells[1]) },
  stsb: {
    folder: "STS-B",
    head: true,
    text: (cells) => ({ text: cells[7]!, pair: cells[8]! }),
    label: (cells) => Number(cells[9]),
  },
};

/** Examples of train.tsv: to train on, to choose settings by, and to state scores on besides the official dev. */
export interface CurveSizes {
  readonly train: number;
  readonly chosenBy: number;
  readonly heldOut: number;
}

/**
 * Writes `folder/train.tsv`, `folder/dev.tsv` (what settings are chosen by: held out of the official train.tsv) and
 * `folder/stated/dev.tsv`: the official dev where there is one, then `heldOut` examples. No example is in two of them.
 */
export async function writeCurveData(
  source: string,
  folder: string,
  task: CurveTask,
  sizes: CurveSizes,
): Promise<void> {
  const format = FORMATS[task];
  const dev = await linesOf(join(source, format.folder, "dev.tsv"), format.head);
  const train = await linesOf(join(source, format.folder, "train.tsv"), format.head);
  if (train === null) throw new Error(`${join(source, format.folder, "train.tsv")}: not there`);
  const key = (line: string) => JSON.stringify(format.text(line.split("\t")));
  const seen = new Set((dev?.lines ?? []).map(key));
  const others = train.lines.filter((line) => !seen.has(key(line)) && seen.add(key(line)) !== undefined);
  const shuffled = randomStream(0, "curves").shuffle(others);
  const { train: trained, chosenBy, heldOut } = sizes;
  if (shuffled.length < trained + chosenBy + heldOut)
    throw new Error(`${task}: ${shuffled.length} different examples, fewer than ${trained + chosenBy + heldOut}`);
  const part = (from: number, count: number) => shuffled.slice(from, from + count);
  await write(join(folder, "train.tsv"), train.head, part(chosenBy + heldOut, trained));
  await write(join(folder, "dev.tsv"), train.head, part(0, chosenBy));
  await write(join(folder, "stated", "dev.tsv"), train.head, [...(dev?.lines ?? []), ...part(chosenBy, heldOut)]);
}

/** What scores are stated on. */
export interface StatedExamples {
  readonly texts: readonly AskedText[];
  readonly labels: readonly number[];
  /** How many of them, the first, are the official dev. */
  readonly dev: number;
}

/** Reads back what `writeCurveData` wrote into `folder/stated`. */
export function statedExamples(folder: string, task: CurveTask, { heldOut }: CurveSizes): StatedExamples {
  const { head, text, label } = FORMATS[task];
  const lines = readFileSync(join(folder, "stated", "dev.tsv"), "utf8")
    .split("\n")
    .filter((line) => line !== "");
  const cells = lines.slice(head ? 1 : 0).map((line) => line.split("\t"));
  return { texts: cells.map(text), labels: cells.map(label), dev: cells.length - heldOut };
}

async function linesOf(file: string, hasHead: boolean): Promise<Lines | null> {
  const text = await readFile(file, "utf8").catch(() => null);
  if (text === null) return null;
  const all = text.split("\n").filter((line) => line !== "");
  return hasHead ? { head: all[0]!, lines: all.slice(1) } : { head: null, lines: all };
}

async function write(file: string, head: string | null, lines: readonly string[]): Promise<void> {
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, [...(head === null ? [] : [head]), ...lines].map((line) => `${line}\n`).join(""));
}
