// The splits of a question-answering data set: which file holds which, and what is held out of a single one.
import { ConfigError, DataError, FileError } from "../../errors.ts";
import { type Files, joinPath } from "../../tensor/index.ts";
import type { Example } from "../examples.ts";
import { fileDigest, textDigest } from "../fingerprint.ts";
import { heldOut, textKey } from "../held-out.ts";
import { plural } from "../row.ts";
import { noSuchPath, splitAliases, unknownSplit } from "../sources.ts";
import type { Dataset, DatasetOptions, Split } from "../split.ts";
import { readSquad, type SquadFile, squadTask } from "./squad.ts";

const ENDINGS = ["json", "jsonl", "ndjson", "parquet", "csv", "tsv"];
const SPLITS = ["train", "dev", "test"];

/**
 * A SQuAD data set: a folder with train and dev files (`train.json`, `dev-v2.0.json`, …), or one file.
 *
 * A single file is split by its contexts: questions of one paragraph stay on one side. Errors as `openDataset`.
 */
export async function openSquad(files: Files, options: DatasetOptions): Promise<Dataset> {
  const wanted = options.splits ?? ["train", "dev"];
  const unknown = wanted.find((name) => !SPLITS.includes(name));
  if (unknown !== undefined) throw unknownSplit(unknown, SPLITS);
  const stat = await files.stat(options.data);
  if (stat === null) throw await noSuchPath(files, options.data);
  const found = stat.isFolder ? await filesOf(files, options.data) : new Map([["train", options.data]]);
  const train = found.get("train");
  const isWhole = !stat.isFolder || (train !== undefined && !found.has("dev") && !wanted.includes("test"));
  const lacking = isWhole ? [] : wanted.filter((name) => !found.has(name));
  if (lacking.length > 0) throw await lackingFiles(files, options.data, lacking);
  const paths = isWhole ? [train!] : wanted.map((name) => found.get(name)!);
  const required = (name: string) => (options.labelsRequired ?? true) && name !== "test";
  const read = await readAll(
    paths.map((path, i) => () => readSquad(files, path, required(isWhole ? "train" : wanted[i]!))),
  );
  const notes: string[] = [];
  const splits = isWhole
    ? wholeSplits(train!, read[0]!, wanted, options, notes)
    : wanted.map((name, i) => splitFrom(name, paths[i]!, read[i]!.examples, options));
  const digests = await Promise.all(paths.map(async (path, i) => `${wanted[i]} ${await fileDigest(files, path)}`));
  return {
    name: "squad",
    task: squadTask(read.some(({ unanswerable }) => unanswerable)),
    splits: new Map(splits.map((split) => [split.name, split])),
    fingerprint: `sha256:${await textDigest(digests.join("\n"))}`,
    notes,
  };
}

/** One after the other: each is read whole. */
async function readAll(reads: readonly (() => Promise<SquadFile>)[]): Promise<SquadFile[]> {
  const out: SquadFile[] = [];
  for (const read of reads) out.push(await read());
  return out;
}

/** The file of each split, by names such as `dev.json`, `dev-v2.0.json` and `validation-00000-of-00001.parquet`. */
async function filesOf(files: Files, folder: string): Promise<Map<string, string>> {
  const names = await files.list(folder);
  const found = new Map<string, string>();
  for (const split of SPLITS) {
    const stems = splitAliases(split).join("|");
    const pattern = new RegExp(`^(${stems})(-v\\d[\\d.]*|-\\d+-of-\\d+)?\\.(${ENDINGS.join("|")})$`, "i");
    const matches = names.filter((name) => pattern.test(name));
    if (matches.length > 1) {
      throw new ConfigError([{ path: "data", expected: `one file for the split ${split}`, got: matches.join(", ") }], {
        hint: "Name the file itself, or leave one of them in the folder.",
      });
    }
    if (matches.length === 1) found.set(split, joinPath(folder, matches[0]!));
  }
  return found;
}

async function lackingFiles(files: Files, folder: string, lacking: readonly string[]): Promise<FileError> {
  const names = await files.list(folder);
  const found = names.length === 0 ? "an empty folder" : names.slice(0, 12).join(", ");
  const wanted = lacking.map((split) => `${split}.json`).join(" and ");
  return new FileError(folder, `expected ${wanted}, got ${found}`, {
    hint: "SQuAD's own names (dev-v1.1.json) do too; or name one data file: a part of it is then held out.",
  });
}

function splitFrom(name: string, file: string, all: readonly Example[], options: DatasetOptions): Split {
  const limit = name === "train" ? options.limitTrain : options.limitEval;
  const kept = all.slice(0, limit ?? all.length);
  return {
    name,
    file,
    count: kept.length,
    labelCounts: [],
    async *examples() {
      yield* kept;
    },
  };
}

function wholeSplits(
  file: string,
  { examples }: SquadFile,
  wanted: readonly string[],
  options: DatasetOptions,
  notes: string[],
): Split[] {
  const { heldOutShare: share = 0.1, heldOutSeed: seed = 0 } = options;
  if (share === null) {
    const [name = "dev", ...others] = options.splits ?? [];
    if (others.length > 0) throw unknownSplit(others[0]!, [name]);
    return [splitFrom(name, file, examples, options)];
  }
  const missing = wanted.find((name) => name === "test");
  if (missing !== undefined) throw unknownSplit(missing, ["train", "dev"]);
  const keys = examples.map(({ pair }) => textKey(pair ?? "", undefined));
  const aside = heldOut(keys, null, { share, seed });
  const dev = examples.filter((_, i) => aside[i] === 1);
  if (dev.length === 0) {
    throw new DataError(file, {
      expected: "questions about at least two contexts, so that one can be held out as dev",
      got: plural(examples.length, "question"),
      hint: "Give a folder with a train and a dev file.",
    });
  }
  notes.push(
    `${file} has no dev split: ${plural(dev.length, "question")} of ${examples.length.toLocaleString("en-US")} ` +
      `(${Math.round((100 * dev.length) / examples.length)} %, by context, seed ${seed}) are held out as dev`,
  );
  const train = examples.filter((_, i) => aside[i] === 0);
  return [splitFrom("train", file, train, options), splitFrom("dev", file, dev, options)].filter(({ name }) =>
    wanted.includes(name),
  );
}
