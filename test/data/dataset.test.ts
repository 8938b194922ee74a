// Data sets in every layout and format, opened from files.
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  type Dataset,
  type DatasetOptions,
  type Example,
  openDataset,
  openTable,
  splitOf,
} from "../../src/data/index.ts";
import { memoryFiles } from "../../src/hub/files-memory.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import type { Files } from "../../src/tensor/index.ts";

const GOLDEN = fileURLToPath(new URL("../golden/data", import.meta.url));

/** The same files, streamed in chunks of a few bytes. */
function chunked(files: Files, size: number): Files {
  return {
    ...files,
    async *stream(path) {
      const bytes = await files.read(path);
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    },
  };
}

const open = (entries: Readonly<Record<string, string>>, options: DatasetOptions) =>
  openDataset(memoryFiles(Object.entries(entries)), options);

async function examplesOf(dataset: Dataset, split: string): Promise<Example[]> {
  const out: Example[] = [];
  for await (const example of splitOf(dataset, split).examples()) out.push(example);
  return out;
}

const rows = (...lines: string[][]) => `${lines.map((line) => line.join("\t")).join("\n")}\n`;

describe("GLUE's official layouts", () => {
  const pairHeader = ["index", "sentence1", "sentence2", "label"];
  const cases: readonly [string, Readonly<Record<string, string>>, string, readonly Partial<Example>[]][] = [
    [
      "cola",
      { train: rows(["gj04", "1", "", "Good one."], ["gj04", "0", "*", "Bad one."]) },
      "train",
      [
        { text: "Good one.", label: 1, line: 1 },
        { text: "Bad one.", label: 0, line: 2 },
      ],
    ],
    [
      "sst2",
      { train: rows(["sentence", "label"], ['a "quoted" film ', "1"]) },
      "train",
      [{ text: 'a "quoted" film ', label: 1, line: 2 }],
    ],
    [
      "rte",
      { train: rows(pairHeader, ["0", "a", "b", "not_entailment"], ["1", "c", "d", "entailment"]) },
      "train",
      [
        { text: "a", pair: "b", label: 1 },
        { text: "c", pair: "d", label: 0 },
      ],
    ],
    ["wnli", { train: rows(pairHeader, ["0", "a", "b", "1"]) }, "train", [{ text: "a", pair: "b", label: 1 }]],
    [
      "qnli",
      { train: rows(["index", "question", "sentence", "label"], ["0", "q", "s", "entailment"]) },
      "train",
      [{ text: "q", pair: "s", label: 0 }],
    ],
    [
      "mrpc",
      {
        train:
          `\ufeff${rows(["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"], ["1", "7", "8", 'He said "x', "b"])}`.replaceAll(
            "\n",
            "\r\n",
          ),
      },
      "train",
      [{ text: 'He said "x', pair: "b", label: 1, line: 2 }],
    ],
    [
      "qqp",
      {
        train: rows(
          ["id", "qid1", "qid2", "question1", "question2", "is_duplicate"],
          ["1", "2", "3", "a?", "b?", "0"],
          ["cut", "short"],
        ),
      },
      "train",
      [{ text: "a?", pair: "b?", label: 0 }],
    ],
    [
      "stsb",
      { train: rows(["index", "genre", "sentence1", "sentence2", "score"], ["0", "x", "a", "b", "3.800"]) },
      "train",
      [{ text: "a", pair: "b", label: 3.8 }],
    ],
    [
      "mnli",
      {
        dev_mismatched: rows(
          ["index", "sentence1", "sentence2", "label1", "gold_label"],
          ["0", "a", "b", "neutral", "contradiction"],
        ),
      },
      "dev_mismatched",
      [{ text: "a", pair: "b", label: 2 }],
    ],
    ["sst2", { test: rows(["index", "sentence"], ["0", "no label"]) }, "test", [{ text: "no label", label: null }]],
    ["cola", { test: rows(["index", "sentence"], ["0", "no label"]) }, "test", [{ text: "no label", label: null }]],
  ];
  test.each(cases)("%s %j", async (task, splits, split, expected) => {
    const entries = Object.fromEntries(Object.entries(splits).map(([name, text]) => [`d/${name}.tsv`, text]));
    const dataset = await open(entries, { task, data: "d", splits: [split] });
    expect(await examplesOf(dataset, split)).toMatchObject(expected);
    expect(splitOf(dataset, split).count).toBe(expected.length);
    expect(dataset.notes.length).toBe(task === "qqp" ? 1 : 0);
  });

  test("MNLI opens training and both dev sets, from the folder above as well", async () => {
    const text = rows(["sentence1", "sentence2", "gold_label"], ["a", "b", "neutral"]);
    const names = ["train", "dev_matched", "dev_mismatched", "test_matched"];
    const entries = Object.fromEntries(names.map((name) => [`glue/MNLI/${name}.tsv`, text]));
    const dataset = await open(entries, { task: "mnli", data: "glue" });
    expect([...dataset.splits.keys()]).toEqual(["train", "dev_matched", "dev_mismatched"]);
    expect(splitOf(dataset, "train").labelCounts).toEqual([0, 1, 0]);
  });

  test("MRPC from Microsoft's files: dev_ids.tsv tells dev from train", async () => {
    const header = ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"];
    const entries = {
      "m/msr_paraphrase_train.txt": rows(
        header,
        ["1", "1", "2", "a", "b"],
        ["0", "3", "4", "c", "d"],
        ["1", "5", "6", "e", "f"],
      ),
      "m/msr_paraphrase_test.txt": rows(header, ["1", "9", "9", "t", "t"]),
      "m/dev_ids.tsv": "3\t4\n",
    };
    const dataset = await open(entries, { task: "mrpc", data: "m" });
    expect((await examplesOf(dataset, "train")).map((e) => e.text)).toEqual(["a", "e"]);
    expect((await examplesOf(dataset, "dev")).map((e) => e.text)).toEqual(["c"]);
  });
});

describe("tables", () => {
  const csv = '\ufefftext,label\r\n"two\r\nlines, ""quoted""",spam\r\n\r\nplain,ham\r\n"",spam\r\nlast,ham';
  const expected = [
    { text: 'two\r\nlines, "quoted"', label: 1, line: 2 },
    { text: "plain", label: 0, line: 5 },
    { text: "", label: 1, line: 6 },
    { text: "last", label: 0, line: 7 },
  ];

  test.each([1, 2, 3, 7, 1000])("CSV with a mark, quotes and newlines, in chunks of %i bytes", async (size) => {
    const files = chunked(memoryFiles([["d.csv", csv]]), size);
    const dataset = await openDataset(files, {
      task: "text-classification",
      data: "d.csv",
      heldOutShare: null,
      splits: ["dev"],
    });
    expect(await examplesOf(dataset, "dev")).toEqual(expected);
    expect(dataset.task.labels).toEqual(["ham", "spam"]);
    expect(dataset.notes).toEqual(["d.csv: 1 example with an empty text"]);
  });

  test("TSV keeps quotes, CSV finds its separator, JSON Lines its numbers", async () => {
    const texts = async (name: string, content: string) => {
      const table = await openTable(memoryFiles([[name, content]]), name);
      const out = [];
      for await (const row of table.rows()) out.push(row.cells);
      return out;
    };
    expect(await texts("a.tsv", 'a\tb\n"x\ty"\n')).toEqual([['"x', 'y"']]);
    expect(await texts("a.csv", 'a;b\n"x;1";y\n')).toEqual([["x;1", "y"]]);
    expect(await texts("a.jsonl", '{"a": "\\ud800", "b": 2}\n\n{"b": true, "c": 0}\n')).toEqual([
      ["\ud800", 2],
      [null, true],
    ]);
  });

  test("CSV with mixed line ends", async () => {
    const table = await openTable(memoryFiles([["a.csv", 'a,b\r\n1,"x\r\ny"\n2,y\r3,z\r\n4,']]), "a.csv");
    const out = [];
    for await (const row of table.rows()) out.push(row.cells);
    expect(out).toEqual([
      ["1", "x\r\ny"],
      ["2", "y"],
      ["3", "z"],
      ["4", ""],
    ]);
  });

  test.each(["snappy", "zstd"])("Parquet with %s: row groups, int64, Unicode", async (codec) => {
    const dataset = await openDataset(nodeFiles(), {
      task: "sst2",
      data: `${GOLDEN}/${codec}.parquet`,
      heldOutShare: null,
      splits: ["dev"],
    });
    const examples = await examplesOf(dataset, "dev");
    expect(examples.length).toBe(300);
    expect(examples[299]).toEqual({ text: "sentence 19 é 中 😀", label: 1, line: 300 });
    const scores = await openDataset(nodeFiles(), {
      task: "text-classification",
      regression: true,
      data: `${GOLDEN}/${codec}.parquet`,
      labelColumn: "score",
      heldOutShare: null,
    });
    expect((await examplesOf(scores, "dev"))[3]?.label).toBe(3 / 64);
  });

  test("numeric labels are sorted as numbers; given labels keep their order; scores only when asked", async () => {
    const text = `text,label\n${[10, 2, 1, 2, 10, 1].map((n, i) => `t${i},${n}`).join("\n")}\n`;
    const options = { task: "text-classification", data: "d.csv", heldOutShare: null } as const;
    expect((await open({ "d.csv": text }, options)).task).toMatchObject({
      kind: "classification",
      labels: ["1", "2", "10"],
    });
    expect((await open({ "d.csv": text }, { ...options, labels: ["10", "1", "2"] })).task.labels).toEqual([
      "10",
      "1",
      "2",
    ]);
    const scores = await open({ "d.csv": text }, { ...options, regression: true });
    expect(scores.task).toMatchObject({ kind: "regression", labels: [], mainMetric: "pearson" });
    expect((await examplesOf(scores, "dev")).map((e) => e.label)).toEqual([10, 2, 1, 2, 10, 1]);
  });

  test("a folder's labels come from its training file", async () => {
    const entries = { "d/train.csv": "text,label\na,x\nb,y\n", "d/validation.csv": "text,label\nc,y\n" };
    const dataset = await open(entries, { task: "text-classification", data: "d", splits: ["dev"] });
    expect(await examplesOf(dataset, "dev")).toEqual([{ text: "c", label: 1, line: 2 }]);
  });

  test("data to predict on needs no labels", async () => {
    const options = {
      task: "text-pair",
      data: "d.jsonl",
      labelsRequired: false,
      heldOutShare: null,
      labels: ["no", "yes"],
    } as const;
    const dataset = await open({ "d.jsonl": '{"text": "a", "pair": "b"}\n' }, options);
    expect(await examplesOf(dataset, "dev")).toEqual([{ text: "a", pair: "b", label: null, line: 1 }]);
  });
});

describe("folders as the hub has them", () => {
  const head = "text,label\n";
  const entries = {
    "d/README.md": "# data",
    "d/data/train-00001-of-00002.csv": `${head}c,x\nd,y\n`,
    "d/data/train-00000-of-00002.csv": `${head}a,x\nb,y\n`,
    "d/data/validation-00000-of-00001-a09b74b3ef9c3b56.csv": `${head}e,y\n`,
    "d/data/test-00000-of-00001.csv": `${head}f,x\n`,
  };
  const options = { task: "text-classification", data: "d" } as const;

  test("data/ with shards in order, validation as dev", async () => {
    const dataset = await open(entries, { ...options, splits: ["train", "validation", "test"] });
    expect((await examplesOf(dataset, "train")).map(({ text, line }) => [text, line])).toEqual([
      ["a", 2],
      ["b", 3],
      ["c", 5],
      ["d", 6],
    ]);
    expect((await examplesOf(dataset, "validation")).map(({ text }) => text)).toEqual(["e"]);
    expect((await examplesOf(dataset, "dev")).map(({ text }) => text)).toEqual(["e"]);
    expect([...dataset.splits.keys()]).toEqual(["train", "dev", "test"]);
  });

  test("the only folder with splits, whatever its name; an own file comes first", async () => {
    const moved = Object.fromEntries(
      Object.entries(entries).map(([path, text]) => [path.replace("data/", "plain/"), text]),
    );
    expect((await open(moved, options)).splits.get("train")!.count).toBe(4);
    const own = { ...entries, "d/train.csv": `${head}z,x\nw,y\n`, "d/dev.csv": `${head}v,y\n` };
    expect((await open(own, options)).splits.get("train")!.count).toBe(2);
  });

  test("a fault names the shard and the line in it", async () => {
    const broken = { ...entries, "d/data/train-00001-of-00002.csv": `${head}c,x\nd\n` };
    await expect(open(broken, options)).rejects.toThrow(
      "d/data/train-00001-of-00002.csv:3: expected 2 columns, got 1 column",
    );
  });

  test("the fingerprint follows every shard", async () => {
    const { fingerprint } = await open(entries, options);
    const other = { ...entries, "d/data/train-00001-of-00002.csv": `${head}c,x\ng,y\n` };
    expect((await open(other, options)).fingerprint).not.toBe(fingerprint);
  });

  test("several kinds of one split are refused, and shards that are missing", async () => {
    const both = { ...entries, "d/data/train.csv": `${head}a,x\n` };
    await expect(open(both, options)).rejects.toThrow(
      "data: expected one file for the split train, got train.csv, train-*-of-00002.csv",
    );
    const { "d/data/train-00000-of-00002.csv": _, ...rest } = entries;
    await expect(open(rest, options)).rejects.toThrow("got all but number 00000");
  });

  test("GLUE's tasks too, compressed, by every spelling of a split", async () => {
    const { gzipSync } = await import("node:zlib");
    const text = gzipSync(rows(["sentence1", "sentence2", "gold_label"], ["a", "b", "neutral"]));
    const names = ["train", "validation_matched", "validation_mismatched"];
    const files = memoryFiles(names.map((name) => [`glue/mnli/${name}-00000-of-00001.tsv.gz`, text]));
    for (const split of ["dev_matched", "dev-matched", "validation_matched", "Dev-Matched"]) {
      const dataset = await openDataset(files, { task: "mnli", data: "glue", splits: [split] });
      expect([...dataset.splits.keys()]).toEqual(["dev_matched"]);
      expect(splitOf(dataset, split).count).toBe(1);
    }
    await expect(openDataset(files, { task: "mnli", data: "glue", splits: ["dev-machted"] })).rejects.toThrow(
      "got dev-machted (did you mean dev_matched?)",
    );
  });
});

describe("a single file", () => {
  const lines = Array.from({ length: 400 }, (_, i) => `text ${i % 350},${i % 350 < 35 ? "rare" : "common"}`);
  const entries = { "d.csv": `text,label\n${lines.join("\n")}\n` };
  const options = { task: "text-classification", data: "d.csv" } as const;

  test("is split the same way each time, stratified, without a text on both sides", async () => {
    const dataset = await open(entries, options);
    const [train, dev] = [await examplesOf(dataset, "train"), await examplesOf(dataset, "dev")];
    expect(train.length + dev.length).toBe(400);
    const texts = new Set(train.map((e) => e.text));
    expect(dev.filter((e) => texts.has(e.text))).toEqual([]);
    const rare = (examples: Example[]) => examples.filter((e) => dataset.task.labels[e.label!] === "rare").length;
    expect(rare(dev)).toBeGreaterThanOrEqual(7);
    expect(rare(dev)).toBeLessThanOrEqual(8);
    expect(splitOf(dataset, "dev").labelCounts).toEqual([dev.length - rare(dev), rare(dev)]);
    expect(dataset.notes[0]).toMatch(
      /^d\.csv has no dev split: 4\d examples of 400 \(1\d %, stratified by label, seed 0\) are held out as dev$/,
    );
    expect(await examplesOf(await open(entries, options), "dev")).toEqual(dev);
    expect(await examplesOf(await open(entries, { ...options, heldOutSeed: 1 }), "dev")).not.toEqual(dev);
  });

  test("limits take the first examples of each part", async () => {
    const all = await open(entries, options);
    const some = await open(entries, { ...options, limitTrain: 30, limitEval: 5 });
    expect(await examplesOf(some, "train")).toEqual((await examplesOf(all, "train")).slice(0, 30));
    expect(await examplesOf(some, "dev")).toEqual((await examplesOf(all, "dev")).slice(0, 5));
    expect(splitOf(some, "dev").count).toBe(5);
  });

  test("the fingerprint follows the content, not the chunks", async () => {
    const files = memoryFiles(Object.entries(entries));
    const whole = (await openDataset(files, options)).fingerprint;
    expect((await openDataset(chunked(files, 13), options)).fingerprint).toBe(whole);
    expect((await open({ "d.csv": `${entries["d.csv"]}more,rare\n` }, options)).fingerprint).not.toBe(whole);
    expect(whole).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
});
