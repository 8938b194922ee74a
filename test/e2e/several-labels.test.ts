// Texts with several labels from the command line: forms of data, wrong ones, training, prediction, compression, teachers.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDataset, splitOf } from "../../src/data/index.ts";
import { memoryFiles } from "../../src/hub/files-memory.ts";
import { deft, filesBelow } from "../support/command.ts";
import { writeFiles, writeTinyModel } from "../support/tiny-model.ts";
import { jsonLines, tinyLabelled } from "../support/tiny-words.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

const LABELS = ["toxic", "insult", "threat"];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-several-"));
  await writeTinyModel(at("bert"));
  await writeTinyModel(at("stated"), {
    headLabels: 3,
    config: {
      architectures: ["BertForSequenceClassification"],
      problem_type: "multi_label_classification",
      id2label: Object.fromEntries(LABELS.map((label, i) => [i, label])),
    },
  });
  await writeFiles(folder, {
    "data/train.jsonl": jsonLines(tinyLabelled(256, 1)),
    "data/dev.jsonl": jsonLines(tinyLabelled(32, 2)),
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const succeed = async (...args: readonly string[]) => {
  const { code, out, err } = await deft(...args);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return out;
};
const LEARNS = [
  "--method",
  "full",
  "--learning-rate",
  "0.003",
  "--density-weight",
  "0.01",
  "--batch-size",
  "16",
  "--threads",
  "1",
];
const train = (output: string, ...flags: readonly string[]) =>
  succeed(
    "train",
    "--task",
    "multi-label",
    "--model",
    at("bert"),
    "--data",
    at("data"),
    "--output",
    at(output),
    ...LEARNS,
    "-q",
    ...flags,
  );

interface Scored {
  readonly labels: readonly string[];
  readonly scores: Readonly<Record<string, number>>;
  readonly logits: readonly number[];
}
const predicted = async (...target: readonly string[]) =>
  JSON.parse(await succeed("predict", ...target, "--text", "a dull film", "--threads", "1")) as Scored;

const ROWS = [
  { text: "one", labels: ["a", "b"] },
  { text: "two", labels: [] },
  { text: "three", labels: ["c"] },
];
const csv = (of: (labels: readonly string[]) => string) =>
  `text,labels\n${ROWS.map(({ text, labels }) => `${text},${of(labels)}`).join("\n")}\n`;

describe("data", () => {
  test.each<readonly [string, string, string, { readonly labelColumn?: string }]>([
    ["JSON lists", "d.jsonl", jsonLines(ROWS), {}],
    [
      "a column by name",
      "d.jsonl",
      jsonLines(ROWS.map(({ text, labels }) => ({ text, kinds: labels }))),
      { labelColumn: "kinds" },
    ],
    ["CSV, bars between labels", "d.csv", csv((labels) => labels.join("|")), {}],
    ["CSV, commas between labels", "d.csv", csv((labels) => `"${labels.join(", ")}"`), {}],
    ["CSV, lists in JSON", "d.csv", csv((labels) => `"${JSON.stringify(labels).replaceAll('"', '""')}"`), {}],
    [
      "CSV, lists as pandas writes them",
      "d.csv",
      csv((labels) => `"[${labels.map((label) => `'${label}'`).join(", ")}]"`),
      {},
    ],
    [
      "a column a class",
      "d.csv",
      `text,a,b,c\n${ROWS.map(({ text, labels }) => [text, ...["a", "b", "c"].map((c) => Number(labels.includes(c)))].join(",")).join("\n")}\n`,
      { labelColumn: "a,b,c" },
    ],
    [
      "a column a class, true and false",
      "d.jsonl",
      jsonLines(
        ROWS.map(({ text, labels }) => ({
          text,
          ...Object.fromEntries(["a", "b", "c"].map((c) => [c, labels.includes(c)])),
        })),
      ),
      { labelColumn: "a, b, c" },
    ],
  ])("%s", async (_, file, text, columns) => {
    const options = { task: "multi-label", data: file, splits: ["dev"], heldOutShare: null, ...columns };
    const dataset = await openDataset(memoryFiles([[file, text]]), options);
    expect(dataset.task).toMatchObject({ kind: "multi-label", labels: ["a", "b", "c"], mainMetric: "f1_micro" });
    const found = [];
    for await (const example of splitOf(dataset, "dev").examples())
      found.push({ text: example.text, labels: example.labelList!.map((label) => dataset.task.labels[label]!) });
    expect(found).toEqual(ROWS);
    expect(splitOf(dataset, "dev").labelCounts).toEqual([1, 1, 1]);
  });

  test.each<readonly [string, string, readonly string[], RegExp]>([
    [
      "a record",
      `{"text":"x","labels":{"a":1}}\n${jsonLines(ROWS)}`,
      [],
      /:1, column labels: expected a list, got a record/,
    ],
    [
      "null",
      `${jsonLines(ROWS)}{"text":"x","labels":null}\n`,
      [],
      /:4, column labels: expected a list of labels \(\[\] for none\), got nothing/,
    ],
    ["no such column", jsonLines(ROWS), ["--label-column", "a,b"], /expected a column a.*--label-column/s],
    [
      "a class's cell that is neither",
      '{"text":"x","a":1,"b":2}\n',
      ["--label-column", "a,b"],
      /expected 1 or 0 in b, got "2"/,
    ],
    [
      "one label alone",
      '{"text":"x","labels":["a"]}\n{"text":"y","labels":["a"]}\n',
      [],
      /expected at least two different labels/,
    ],
  ])("%s is refused", async (_, text, flags, message) => {
    await writeFile(at("wrong.jsonl"), text);
    const { code, err } = await deft(
      "train",
      "--model",
      at("bert"),
      "--task",
      "multi-label",
      "--data",
      at("wrong.jsonl"),
      "--output",
      at("never"),
      ...flags,
    );
    expect({ code, err: err.replaceAll("\n", " ") }).toEqual({
      code: 2,
      err: expect.stringMatching(message) as string,
    });
    expect(await filesBelow(at("never"))).toEqual({});
  });
});

describe("a model whose config.json says multi_label_classification", () => {
  test("gives each class the sigmoid of its logit", async () => {
    const { labels, scores, logits } = await predicted("--model", at("stated"));
    LABELS.forEach((label, i) => {
      expect(scores[label]).toBeCloseTo(1 / (1 + Math.exp(-logits[i]!)), 6);
    });
    expect(labels).toEqual(LABELS.filter((_, i) => logits[i]! > 0));
  });

  test("keeps that in every folder that is made of it", async () => {
    const ours = await predicted("--model", at("stated"));
    for (const format of ["merged", "onnx"])
      await succeed("export", "--model", at("stated"), "--format", format, "--output", at(`stated-${format}`), "-q");
    const rows = tinyLabelled(24, 3).map(({ text, labels }) => ({ text, labels: labels.map((_, i) => LABELS[i]!) }));
    await writeFiles(folder, { "stated-data/train.jsonl": jsonLines(rows), "stated-data/dev.jsonl": jsonLines(rows) });
    const flags = ["--model", at("stated"), "--task", "multi-label", "--data", at("stated-data")];
    await succeed(
      "compress",
      ...flags,
      "--keep-neurons",
      "0.5",
      "--output",
      at("stated-small"),
      "--threads",
      "1",
      "-q",
    );
    await succeed(
      "compress",
      ...flags,
      "--prune",
      "magnitude:0.1",
      "--output",
      at("stated-pruned"),
      "--threads",
      "1",
      "-q",
    );
    for (const made of ["stated-merged", "stated-onnx", "stated-small", "stated-pruned"]) {
      const config = JSON.parse(await readFile(at(made, "config.json"), "utf8")) as Record<string, unknown>;
      expect([made, config.problem_type]).toEqual([made, "multi_label_classification"]);
    }
    expect((await predicted("--model", at("stated-merged"))).scores).toEqual(ours.scores);
    expect(await predicted("--model", at("stated-small"))).toHaveProperty("scores");
  });

  test("is not scored as if one label could be true", async () => {
    const { code, err } = await deft(
      "eval",
      "--model",
      at("stated"),
      "--task",
      "text-classification",
      "--data",
      at("data"),
    );
    expect({ code, err }).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /several labels \(problem_type multi_label_classification\)\nSuch a model does --task multi-label\./,
      ) as string,
    });
  });
});

test("a run learns, says its scores, is compressed and teaches", async () => {
  await train("run", "--epochs", "40", "--eval-steps", "320");
  const record = JSON.parse(await readFile(at("run/run.json"), "utf8")) as {
    labels: string[];
    metricName: string;
    result: { metrics: Record<string, number> };
  };
  expect(record).toMatchObject({ labels: ["bright", "dull", "place"], metricName: "f1_micro" });
  expect(record.result.metrics.f1_micro).toBeGreaterThan(0.9);
  expect(await predicted(at("run"))).toMatchObject({ labels: ["dull", "place"] });
  const [first] = (await readFile(at("run/predictions.jsonl"), "utf8")).split("\n");
  expect(JSON.parse(first!)).toMatchObject({ line: 1, target: tinyLabelled(1, 2)[0]!.labels.join(", ") });
  await succeed("profile", at("run"), "--threads", "1", "-q");
  await succeed("compress", at("run"), "--score-budget", "5", "--output", at("small"), "--threads", "1", "-q");
  const compression = JSON.parse(await readFile(at("small/compression.json"), "utf8")) as {
    metricName: string;
    before: { neurons: number };
    after: { neurons: number; metrics: Record<string, number> };
  };
  expect(compression.metricName).toBe("f1_micro");
  expect(compression.after.neurons).toBeLessThan(compression.before.neurons);
  await train("taught", "--max-steps", "3", "--teacher", at("run"));
});
