// Words labelled from the command line: every form of data, what is said of wrong ones, training, prediction, compression, teachers.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDataset, splitOf } from "../../src/data/index.ts";
import { memoryFiles } from "../../src/hub/files-memory.ts";
import { deft, filesBelow } from "../support/command.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";
import { conllText, jsonLines, LEARNS, type Tagged, tinyTagged } from "../support/tiny-words.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-words-"));
  for (const modelType of ["bert", "roberta"] as const) await writeTinyModel(at(modelType), { modelType });
  await writeTinySst2(at("sst2"));
  await writeFiles(folder, {
    "ner/train.txt": conllText(tinyTagged(96, 1)),
    "ner/valid.txt": conllText(tinyTagged(24, 2)),
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const succeed = async (...args: readonly string[]) => {
  const { code, out, err } = await deft(...args);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return out;
};
const train = (output: string, ...flags: readonly string[]) =>
  succeed("train", "--task", "token-classification", "--output", at(output), ...LEARNS, "-q", ...flags);
const evaluated = async (...args: readonly string[]) =>
  JSON.parse(await succeed("eval", ...args, "--threads", "1", "--json")) as {
    readonly metrics: Record<string, number>;
    readonly examples: number;
  };

const SENTENCES: readonly Tagged[] = [
  { tokens: ["EU", "rejects", "it"], tags: ["B-ORG", "O", "O"] },
  { tokens: ["Peter", "Black-burn"], tags: ["B-PER", "I-PER"] },
];
const two = (separator: string) => conllText(SENTENCES, (word, tag) => `${word}${separator}${tag}`);
const rows = (of: (sentence: Tagged) => object) => jsonLines(SENTENCES.map(of));
const NAMES = ["B-ORG", "B-PER", "I-PER", "O"];

describe("data", () => {
  test.each<readonly [string, string, string, { readonly labelColumn?: string; readonly textColumn?: string }]>([
    ["CoNLL, four columns", "d.conll", conllText(SENTENCES), {}],
    ["two columns, spaces", "d.txt", two(" "), {}],
    ["two columns, tabs, called .tsv", "d.tsv", two("\t"), {}],
    ["IOB files", "d.bio", two(" "), {}],
    [
      "a column by its number",
      "d.conll",
      conllText(SENTENCES, (word, tag) => `${word} ${tag} X`),
      { labelColumn: "2" },
    ],
    ["tokens and tags", "d.jsonl", rows(({ tokens, tags }) => ({ id: 1, tokens, tags })), {}],
    ["tokens and ner_tags", "d.jsonl", rows(({ tokens, tags }) => ({ tokens, ner_tags: tags, pos_tags: [1] })), {}],
    ["words and labels", "d.jsonl", rows(({ tokens, tags }) => ({ words: tokens, labels: tags })), {}],
    [
      "columns by name",
      "d.jsonl",
      rows(({ tokens, tags }) => ({ pieces: tokens, named: tags })),
      { textColumn: "pieces", labelColumn: "named" },
    ],
    [
      "CSV with spaces between words",
      "d.csv",
      `tokens,tags\n${SENTENCES.map(({ tokens, tags }) => `${tokens.join(" ")},${tags.join(" ")}`).join("\n")}\n`,
      {},
    ],
    [
      "CSV as pandas writes lists",
      "d.csv",
      `tokens,tags\n${SENTENCES.map(({ tokens, tags }) =>
        [tokens, tags].map((list) => `"['${list.join("', '")}']"`).join(","),
      ).join("\n")}\n`,
      {},
    ],
  ])("%s", async (_, file, text, columns) => {
    const options = { task: "token-classification", data: file, splits: ["dev"], heldOutShare: null, ...columns };
    const dataset = await openDataset(memoryFiles([[file, text]]), options);
    expect(dataset.task).toMatchObject({ kind: "token-classification", labels: NAMES, mainMetric: "f1" });
    const examples = [];
    for await (const example of splitOf(dataset, "dev").examples()) examples.push(example);
    expect(examples.map(({ words, labelList }) => ({ tokens: words, tags: labelList!.map((i) => NAMES[i]) }))).toEqual(
      SENTENCES,
    );
    expect(splitOf(dataset, "dev").labelCounts).toEqual([1, 1, 1, 2]);
  });

  test("a single file is split, and equal sentences stay on one side", async () => {
    const files = memoryFiles([["d.conll", conllText([...tinyTagged(20, 3), ...tinyTagged(20, 3)])]]);
    const dataset = await openDataset(files, { task: "token-classification", data: "d.conll" });
    const texts: Record<string, Set<string>> = {};
    for (const [name, split] of dataset.splits) {
      texts[name] = new Set();
      for await (const { text } of split.examples()) texts[name].add(text);
    }
    expect([...texts.dev!].filter((text) => texts.train!.has(text))).toEqual([]);
    expect(dataset.notes[0]).toMatch(/held out as dev/);
  });

  test.each<readonly [string, string, string, RegExp]>([
    ["a line without a tag", "d.conll", "a O\nb\n\nc B-X\n", /d\.conll:2: expected 2 columns, got 1 column/],
    [
      "fewer tags than words",
      "d.jsonl",
      `${rows((of) => of)}{"tokens":["a","b"],"tags":["O"]}\n`,
      /:3, column tags: expected as many tags as words, 2, got 1 tag/,
    ],
    [
      "no tags",
      "d.jsonl",
      `${rows((of) => of)}{"tokens":["a"],"tags":null}\n`,
      /:3, column tags: expected a list of tags, got nothing/,
    ],
    [
      "words that are no list",
      "d.jsonl",
      `{"tokens":{"a":1},"tags":["O"]}\n${rows((of) => of)}`,
      /:1, column tokens: expected a list, got a record/,
    ],
    [
      "no such column",
      "d.jsonl",
      rows(({ tokens }) => ({ tokens })),
      /expected a label column \(tags, ner_tags, .*--label-column/s,
    ],
    [
      "tags that are numbers",
      "d.jsonl",
      jsonLines([{ tokens: ["a", "b"], tags: [0, 1] }]),
      /expected tags with names, such as B-PER, I-PER and O, got the numbers 0, 1/,
    ],
    ["one tag alone", "d.conll", "a O\nb O\n", /expected at least two different labels, got only "O"/],
  ])("%s is refused", async (_, file, text, message) => {
    await writeFile(at(file), text);
    const { code, err } = await deft(
      "train",
      "--model",
      at("bert"),
      "--task",
      "token-classification",
      "--data",
      at(file),
      "--output",
      at("never"),
    );
    expect({ code, err: err.replaceAll("\n", " ") }).toEqual({
      code: 2,
      err: expect.stringMatching(message) as string,
    });
    expect(await filesBelow(at("never"))).toEqual({});
  });
});

describe("a run", () => {
  beforeAll(async () => {
    await train("run", "--model", at("bert"), "--data", at("ner"), "--epochs", "8");
  });

  test("learns, and keeps what it said of each sentence", async () => {
    const record = JSON.parse(await readFile(at("run/run.json"), "utf8")) as {
      labels: string[];
      metricName: string;
      result: { metrics: Record<string, number> };
    };
    expect(record).toMatchObject({ labels: ["B-LOC", "B-PER", "I-PER", "O"], metricName: "f1" });
    expect(Object.keys(record.result.metrics)).toEqual(["accuracy", "f1", "precision", "recall"]);
    expect(record.result.metrics.f1).toBeGreaterThan(0.95);
    const [first] = (await readFile(at("run/predictions.jsonl"), "utf8")).split("\n");
    const { tags } = tinyTagged(24, 2)[0]!;
    expect(JSON.parse(first!)).toMatchObject({ line: 3, target: tags.join(" "), prediction: tags.join(" "), score: 1 });
    expect(await evaluated(at("run"))).toMatchObject({ metrics: record.result.metrics, examples: 24 });
    expect(await readFile(at("run/README.md"), "utf8")).toContain("pipeline_tag: token-classification");
  });

  test("names the entities of a text at their places, and the tags of words", async () => {
    await writeFile(
      at("in.jsonl"),
      jsonLines([
        { text: "😀 it is bright dull in the story" },
        { tokens: ["it", "is", "bright", "dull"] },
        { words: ["the", "plot"] },
      ]),
    );
    const out = await succeed("predict", at("run"), "--input", at("in.jsonl"), "--threads", "1");
    const [text, tokens, words] = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { entities: Record<string, unknown>[]; tags?: string[] });
    expect(text!.entities).toMatchObject([
      { entity_group: "PER", word: "bright dull", start: 9, end: 20 },
      { entity_group: "LOC", word: "story", start: 28, end: 33 },
    ]);
    for (const { score } of text!.entities) expect(score).toBeGreaterThan(0.5);
    expect(text!.tags).toBeUndefined();
    expect(tokens).toMatchObject({
      entities: [{ entity_group: "PER", start: 6, end: 17 }],
      tags: ["O", "O", "B-PER", "I-PER"],
    });
    expect(words).toMatchObject({ entities: [{ entity_group: "LOC" }], tags: ["O", "B-LOC"] });
  });

  test("says which words are cut off", async () => {
    const { code, err } = await deft(
      "train",
      "--model",
      at("bert"),
      "--task",
      "token-classification",
      "--data",
      at("ner"),
      "--output",
      at("short"),
      ...LEARNS,
      "--max-steps",
      "1",
      "--max-length",
      "8",
    );
    expect(code).toBe(0);
    expect(err).toMatch(/\d+ words of the training examples and \d+ of the evaluation examples lie behind 8 tokens/);
  });

  test("is profiled, compressed, and teaches", async () => {
    const profile = JSON.parse(await succeed("profile", at("run"), "--threads", "1", "--json")) as { examples: number };
    expect(profile.examples).toBe(24);
    await succeed("compress", at("run"), "--score-budget", "5", "--output", at("small"), "--threads", "1", "-q");
    const compression = JSON.parse(await readFile(at("small/compression.json"), "utf8")) as {
      metricName: string;
      before: { metrics: { f1: number }; neurons: number };
      after: { metrics: { f1: number }; neurons: number };
    };
    expect(compression.metricName).toBe("f1");
    expect(compression.after.neurons).toBeLessThan(compression.before.neurons);
    const { metrics } = await evaluated(at("small"), "--data", at("ner"));
    expect(metrics.f1).toBeGreaterThan(0.8);
    await train("taught", "--model", at("bert"), "--data", at("ner"), "--epochs", "2", "--teacher", at("run"));
    await succeed(
      "compress",
      at("run"),
      "--skip",
      "1",
      "--output",
      at("recovered"),
      "--recovery-steps",
      "4",
      "--threads",
      "1",
      "-q",
    );
  });

  test("of LoRA is opened by its adapter's task type", async () => {
    const flags = [
      "--model",
      at("bert"),
      "--task",
      "token-classification",
      "--data",
      at("ner"),
      "--batch-size",
      "8",
      "--threads",
      "1",
      "-q",
    ];
    await succeed("train", ...flags, "--output", at("lora"), "--max-steps", "6", "--accumulate", "2");
    await succeed("export", at("lora"), "--format", "peft", "--output", at("peft"), "-q");
    const config = JSON.parse(await readFile(at("peft/adapter_config.json"), "utf8")) as Record<string, unknown>;
    expect(config).toMatchObject({ task_type: "TOKEN_CLS", modules_to_save: ["classifier"] });
    const out = await succeed(
      "predict",
      "--model",
      at("bert"),
      "--adapter",
      at("peft"),
      "--text",
      "it is",
      "--threads",
      "1",
    );
    expect(JSON.parse(out)).toHaveProperty("entities");
  });
});

describe("a checkpoint that labels words", () => {
  test("is not taken for a classifier of texts, nor the other way round", async () => {
    await train("whole", "--model", at("bert"), "--data", at("ner"), "--max-steps", "1");
    await succeed("export", at("whole"), "--format", "merged", "--output", at("merged"), "-q");
    const out = await succeed("predict", "--model", at("merged"), "--text", "it is bright", "--threads", "1");
    expect(JSON.parse(out)).toHaveProperty("entities");
    const asTexts = await deft("eval", "--model", at("merged"), "--task", "sst2", "--data", at("sst2"));
    expect(asTexts).toMatchObject({
      code: 2,
      err: expect.stringMatching(/got BertForTokenClassification, which labels each token/) as string,
    });
    const { code, err } = await deft("eval", "--model", at("merged"), "--task", "seq2seq", "--data", at("ner"));
    expect({ code, err }).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--task seq2seq: expected an encoder–decoder/) as string,
    });
  });

  test("takes no words where texts are asked for", async () => {
    await succeed(
      "train",
      "--model",
      at("bert"),
      "--task",
      "sst2",
      "--data",
      at("sst2"),
      "--output",
      at("texts"),
      "--max-steps",
      "1",
      "--threads",
      "1",
      "-q",
    );
    await writeFile(at("tokens.jsonl"), '{"tokens":["a","b"]}\n');
    const { code, err } = await deft("predict", at("texts"), "--input", at("tokens.jsonl"));
    expect({ code, err }).toMatchObject({
      code: 2,
      err: expect.stringMatching(/expected a text, got tokens/) as string,
    });
  });
});
