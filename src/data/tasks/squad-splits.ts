// The splits of a question-answering data set: which file holds which, and what is held out of a single one.
import { DataError, FileError } from "../../errors.ts";
import { type Files, joinPath, sha256 } from "../../tensor/index.ts";
import type { Example } from "../examples.ts";
import { fileDigest } from "../fingerprint.ts";
import { heldOut, textKey } from "../held-out.ts";
import type { Dataset, DatasetOptions, Split } from "../split.ts";
import { withoutGzip } from "../tables/gzip.ts";
import { plural } from "../tables/row.ts";
import { isShard, type Shards, shardsOf } from "../tables/shards.ts";
import {
  canonicalSplit,
  noSuchPath,
  severalFiles,
  splitAliases,
  splitFolder,
  unknownSplit,
} from "../tables/sources.ts";
import { readSquad, squadTask } from "./squad.ts";
import type { SquadFile } from "./squad-reader.ts";

const ENDINGS = ["json", "jsonl", "ndjson", "parquet", "csv", "tsv"];
const SPLITS = ["train", "dev", "test"];

/**
 * A SQuAD data set: a folder with train and dev files (`train.json`, `dev-v2.0.json`, shards of a hub's `data/`, …), or one file.
 *
 * A single file is split by its contexts: questions of one paragraph stay on one side. Errors as `openDataset`.
 */
export async function openSquad(files: Files, options: DatasetOptions): Promise<Dataset> {
  const wanted = (options.splits ?? ["train", "dev"]).map((name) => canonicalSplit(name, SPLITS));
  const unknown = wanted.find((name) => !SPLITS.includes(name));
  if (unknown !== undefined) throw unknownSplit(unknown, SPLITS);
  const stat = await files.stat(options.data);
  if (stat === null) throw await noSuchPath(files, options.data);
  const whole = { name: options.data, parts: [options.data] };
  const found = stat.isFolder ? await filesOf(files, options.data) : new Map([["train", whole]]);
  const train = found.get("train");
  const isWhole = !stat.isFolder || (train !== undefined && !found.has("dev") && !wanted.includes("test"));
  const lacking = isWhole ? [] : wanted.filter((name) => !found.has(name));
  if (lacking.length > 0) throw await lackingFiles(files, options.data, lacking);
  const sources = isWhole ? [train!] : wanted.map((name) => found.get(name)!);
  const required = (name: string) => (options.labelsRequired ?? true) && name !== "test";
  const read: SquadFile[] = [];
  // one after the other: each is read whole
  for (const [i, { parts }] of sources.entries())
    read.push(await readParts(files, parts, required(isWhole ? "train" : wanted[i]!)));
  const notes = read.flatMap((file) => file.notes);
  const splits = isWhole
    ? wholeSplits(train!.name, read[0]!, wanted, options, notes)
    : wanted.map((name, i) => splitFrom(name, sources[i]!.name, read[i]!.examples, options));
  const digests = await Promise.all(
    sources.flatMap(({ parts }, i) => parts.map(async (part) => `${wanted[i]} ${await fileDigest(files, part)}`)),
  );
  return {
    name: "squad",
    task: squadTask(read.some(({ unanswerable }) => unanswerable)),
    splits: new Map(splits.map((split) => [split.name, split])),
    fingerprint: `sha256:${await sha256(digests.join("\n"))}`,
    notes,
  };
}

/** The questions of all parts of a split. */
async function readParts(files: Files, parts: readonly string[], answersRequired: boolean): Promise<SquadFile> {
  const read: SquadFile[] = [];
  for (const part of parts) read.push(await readSquad(files, part, answersRequired));
  return {
    examples: read.flatMap(({ examples }) => examples),
    unanswerable: read.some(({ unanswerable }) => unanswerable),
    notes: read.flatMap(({ notes }) => notes),
  };
}

/** The file or shards of each split, by names such as `dev.json`, `dev-v2.0.json` and `validation-00000-of-00001.parquet`. */
async function filesOf(files: Files, path: string): Promise<Map<string, Shards>> {
  const folder = await splitFolder(files, path, (names) =>
    SPLITS.some((split) => names.some((name) => isSplitFile(name, split))),
  );
  const names = await files.list(folder);
  const found = new Map<string, Shards>();
  for (const split of SPLITS) {
    const single = names.filter((name) => isSplitFile(name, split) && !isShard(name));
    const shards = splitAliases(split).flatMap((stem) => shardsOf(folder, names, stem));
    const matches = [...single.map((name) => ({ name, parts: [name] })), ...shards];
    if (matches.length > 1)
      throw severalFiles(
        split,
        matches.map(({ name }) => name),
      );
    const [match] = matches;
    if (match !== undefined) {
      const parts = match.parts.map((part) => joinPath(folder, part));
      found.set(split, { name: joinPath(folder, match.name), parts });
    }
  }
  return found;
}

/** The training file or its shards in a folder, by the same names; null where there is none. */
export async function trainFile(files: Files, folder: string): Promise<Shards | null> {
  return (await filesOf(files, folder)).get("train") ?? null;
}

function isSplitFile(name: string, split: string): boolean {
  const stems = splitAliases(split).join("|");
  const middle = "(-v\\d[\\d.]*|-\\d+-of-\\d+(-[0-9a-f]+)?)?";
  return new RegExp(`^(${stems})${middle}\\.(${ENDINGS.join("|")})$`, "i").test(withoutGzip(name));
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
    const [name = "dev", ...others] = options.splits === undefined ? [] : wanted;
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
