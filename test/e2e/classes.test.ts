// Where data meet a model, names decide: measuring, training on, teaching, compressing and going on with a run begun before names did.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { safetensorsBytes } from "../../src/hub/index.ts";
import { fineTune, full, glue, table } from "../../src/node.ts";
import type { RunRecord } from "../../src/runs/index.ts";
import { float32, type Tensor } from "../../src/tensor/index.ts";
import { deft, filesBelow } from "../support/command.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

const names = (...labels: string[]) => ({ id2label: Object.fromEntries(labels.map((label, i) => [i, label])) });

/** The same classifier with its two classes the other way round. */
function turned(parameters: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return new Map(
    [...parameters].map(([name, tensor]) => {
      if (!name.startsWith("classifier.")) return [name, tensor];
      const data = tensor.data as Float32Array;
      const half = data.length / 2;
      return [name, float32(tensor.shape, [...data.subarray(half), ...data.subarray(0, half)])];
    }),
  );
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-classes-"));
  const parameters = await writeTinyModel(at("plain"), { headLabels: 2, config: names("LABEL_0", "LABEL_1") });
  for (const [name, labels] of [
    ["named", ["Negative", "POSITIVE"]],
    ["turned", ["positive", "negative"]],
    ["other", ["toxic", "harmless"]],
  ] as const) {
    await writeTinyModel(at(name), { headLabels: 2, config: names(...labels) });
    if (name === "turned") await writeFiles(at(name), { "model.safetensors": safetensorsBytes(turned(parameters)) });
  }
  await writeTinySst2(at("sst2"), { train: 64, dev: 32 });
  // more of one class, so that a classifier taken the other way round scores otherwise
  const dev = (await readFile(at("sst2/dev.tsv"), "utf8"))
    .split("\n")
    .filter((line, i) => line.endsWith("1") || i % 8 < 2);
  await writeFile(at("sst2/dev.tsv"), `${dev.join("\n")}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const DATA = () => ["--task", "sst2", "--data", at("sst2"), "--threads", "1"];

async function json<T>(...args: readonly string[]): Promise<T> {
  const { code, out, err } = await deft(...args, "--json");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out) as T;
}

type Scores = { readonly loss: number; readonly metrics: Readonly<Record<string, number>> };
const scores = async (...args: readonly string[]) => {
  const { loss, metrics } = await json<Scores>("eval", ...args);
  return { loss, metrics };
};
const recordOf = async (run: string) => JSON.parse(await readFile(at(run, "run.json"), "utf8")) as RunRecord;

test("a classifier scores alike in every order and spelling of its classes", async () => {
  const plain = await scores("--model", at("plain"), ...DATA());
  expect(plain.metrics["accuracy"]).not.toBe(0.5);
  expect(await scores("--model", at("named"), ...DATA())).toEqual(plain);
  const other = await scores("--model", at("turned"), ...DATA());
  expect(other.metrics).toEqual(plain.metrics);
  expect(other.loss).toBeCloseTo(plain.loss, 6);
});

test.each(["eval", "compress"])("%s refuses a model of other classes by one error with both lists", async (command) => {
  const own = command === "eval" ? [] : ["--keep-neurons", "0.5", "--output", at("never")];
  const before = await filesBelow(folder);
  const { code, out, err } = await deft(command, "--model", at("other"), ...DATA(), ...own, "-q");
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(
    'expected classes named as the labels of the data, ["negative","positive"], got ["toxic","harmless"]',
  );
  expect(await filesBelow(folder)).toEqual(before);
});

test("compression scores by name, and keeps the model's classes", async () => {
  const compress = (model: string) =>
    json<{ before: Scores; after: Scores }>(
      "compress",
      "--model",
      at(model),
      ...DATA(),
      "--keep-neurons",
      "0.5",
      "--output",
      at(`small-${model}`),
    );
  const [plain, other] = [await compress("plain"), await compress("turned")];
  expect(other.before.metrics).toEqual(plain.before.metrics);
  expect(other.after.metrics).toEqual(plain.after.metrics);
  const config = JSON.parse(await readFile(at("small-turned/config.json"), "utf8")) as { id2label: unknown };
  expect(config.id2label).toEqual({ "0": "positive", "1": "negative" });
});

const BARELY = [
  "--method",
  "head",
  "--density-weight",
  "0",
  "--max-steps",
  "1",
  "--learning-rate",
  "1e-12",
  "--batch-size",
  "8",
  "-q",
];

test("training goes on with a head in its own order, and what comes out says so", async () => {
  const trained = await deft("train", "--model", at("turned"), ...DATA(), ...BARELY, "--output", at("run"));
  expect({ code: trained.code, err: trained.err }).toEqual({ code: 0, err: "" });
  const { labels, result } = await recordOf("run");
  expect(labels).toEqual(["positive", "negative"]);
  const before = await scores("--model", at("turned"), ...DATA());
  expect(result!.metrics).toEqual(before.metrics);
  expect((await scores(at("run"), "--threads", "1")).metrics).toEqual(before.metrics);
  const events = await readFile(at("run/events.jsonl"), "utf8");
  expect(events).toContain("the classes keep the order that");
  expect((await deft("export", at("run"), "--format", "merged", "--output", at("merged"))).code).toBe(0);
  expect((await scores("--model", at("merged"), ...DATA())).metrics).toEqual(before.metrics);
});

test("training on a head of other classes keeps the data's, with a warning", async () => {
  const trained = await deft(
    "train",
    "--model",
    at("other"),
    ...DATA(),
    ...BARELY.slice(0, -1),
    "--output",
    at("over"),
  );
  expect(trained.code).toBe(0);
  expect(trained.err).toContain(
    'has a head for the classes ["toxic","harmless"]; it is trained on for ["negative","positive"]',
  );
  expect((await recordOf("over")).labels).toEqual(["negative", "positive"]);
});

test("a teacher's logits are those of the classes' names", async () => {
  const taught = async (teacher: string) => {
    const flags = [
      "--method",
      "full",
      "--density-weight",
      "0",
      "--max-steps",
      "3",
      "--batch-size",
      "8",
      "--distillation-weight",
      "1",
    ];
    const args = [
      "--model",
      at("plain"),
      ...DATA(),
      ...flags,
      "--teacher",
      at(teacher),
      "--output",
      at(`by-${teacher}`),
      "-q",
    ];
    expect(await deft("train", ...args)).toMatchObject({ code: 0, err: "" });
    return filesBelow(at(`by-${teacher}`, "adapter")).then((files) => files["trained.safetensors"]);
  };
  const named = await taught("named");
  expect(named).toBeDefined();
  expect(await taught("turned")).toBe(named);
  const refused = await deft(
    "train",
    "--model",
    at("plain"),
    ...DATA(),
    "--teacher",
    at("other"),
    "--output",
    at("never"),
  );
  expect(refused.err).toContain('expected the labels of the data, ["negative","positive"], got ["toxic","harmless"]');
  expect(refused.code).toBe(2);
});

test("an AdapterHub adapter's classes are matched by name", async () => {
  const flags = ["--method", "adapter", "--density-weight", "0", "--max-steps", "6", "--batch-size", "8", "-q"];
  expect((await deft("train", "--model", at("plain"), ...DATA(), ...flags, "--output", at("hub"))).code).toBe(0);
  expect((await deft("export", at("hub"), "--format", "adapters", "--output", at("adapter"))).code).toBe(0);
  const file = at("adapter/head_config.json");
  const head = JSON.parse(await readFile(file, "utf8")) as { label2id: Record<string, number> };
  expect(head.label2id).toEqual({ negative: 0, positive: 1 });
  const target = ["--model", at("plain"), "--adapter", at("adapter"), ...DATA()];
  const right = await scores(...target);
  const named = (label2id: Record<string, number>) => writeFile(file, JSON.stringify({ ...head, label2id }));
  await named({ POSITIVE: 1, Negative: 0 });
  expect(await scores(...target)).toEqual(right);
  await named({ negative: 1, positive: 0 });
  expect((await scores(...target)).metrics["accuracy"]).toBeCloseTo(1 - right.metrics["accuracy"]!, 12);
  await named({ spam: 0, ham: 1 });
  expect((await deft("eval", ...target)).err).toContain('got ["spam","ham"]');
});

describe("a run begun before names decided", () => {
  test("goes on with the classes in its order, and ends with the same bytes", async () => {
    const options = {
      method: full(),
      density: null,
      maxSteps: 6,
      batchSize: 8,
      threads: 1,
      saveSteps: 2,
      evalSteps: 2,
    };
    const data = await glue("sst2", at("sst2"));
    await writeTinyModel(at("base"), { headLabels: 2, config: names("LABEL_0", "LABEL_1") });
    const whole = await fineTune(at("base"), { ...options, data, output: at("whole") }).result;
    expect(whole.labels).toEqual(["negative", "positive"]);
    const stop = new AbortController();
    const begun = fineTune(at("base"), { ...options, data, output: at("begun"), signal: stop.signal });
    for await (const event of begun) if (event.type === "step" && event.step === 3) stop.abort();
    expect((await begun.result).interrupted).toBe(true);
    // the weights stay: a version that went by position took the head's classes in GLUE's order, whatever they were called
    await writeTinyModel(at("base"), { headLabels: 2, config: names("positive", "negative") });
    const resumed = await fineTune(at("base"), { ...options, data, output: at("begun"), resume: true }).result;
    expect(resumed.labels).toEqual(["negative", "positive"]);
    const [a, b] = [await filesBelow(at("whole/adapter")), await filesBelow(at("begun/adapter"))];
    expect(b["trained.safetensors"]).toBe(a["trained.safetensors"]);
  });
});

describe("classes that a person names", () => {
  const rows = (labels: readonly string[]) =>
    `text,label\n${Array.from({ length: 40 }, (_, i) => `the film is ${["dull", "funny"][i % 2]} ${i},${labels[i % labels.length]}\n`).join("")}`;

  test("hold a word for a missing value, and decimals, and run.json and its command keep them", async () => {
    await writeFiles(folder, { "na.csv": rows(["NA", "yes"]), "points.csv": rows(["1.5", "2.0"]) });
    const train = (file: string, labels: string, output: string) =>
      deft(
        "train",
        "--model",
        at("plain"),
        "--task",
        "text-classification",
        "--data",
        at(file),
        "--labels",
        labels,
        ...BARELY,
        "--threads",
        "1",
        "--output",
        at(output),
      );
    expect(await train("na.csv", "yes,NA", "na")).toMatchObject({ code: 0, err: "" });
    const { labels, settings } = await recordOf("na");
    expect(labels).toEqual(["yes", "NA"]);
    expect(settings.data.labels).toEqual(["yes", "NA"]);
    expect((await scores(at("na"), "--data", at("na.csv"), "--threads", "1")).metrics).toHaveProperty("accuracy");
    expect(await train("points.csv", "1.5,2.0", "points")).toMatchObject({ code: 0, err: "" });
    expect((await recordOf("points")).labels).toEqual(["1.5", "2.0"]);
    expect((await recordOf("over")).settings.data.labels).toBeNull();
  });

  test("are named in TypeScript and in a settings file, numbers too", async () => {
    await writeFiles(folder, { "points.csv": rows(["1.5", "2.0"]) });
    const data = await table(at("points.csv"), { labels: ["2.0", "1.5"] });
    const options = { density: null, maxSteps: 1, batchSize: 8, threads: 1, output: at("typed") };
    expect((await fineTune(at("plain"), { ...options, data }).result).labels).toEqual(["2.0", "1.5"]);
    const lines = [
      `model: ${at("plain")}`,
      "task: text-classification",
      `data: ${at("points.csv")}`,
      "labels: [1.5, 2]",
    ];
    await writeFiles(folder, { "settings.yaml": lines.join("\n") });
    const flags = [...BARELY, "--threads", "1", "--output", at("written")];
    expect(await deft("train", at("settings.yaml"), ...flags)).toMatchObject({ code: 0, err: "" });
    expect((await recordOf("written")).labels).toEqual(["1.5", "2"]);
  });

  test.each<[string, string, string]>([
    [
      "once each",
      "a,a",
      '--labels: expected different class names, joined by commas or as a JSON list such as ["no", "yes"], got "a,a"',
    ],
    ["more than one", "a", "--labels: expected classes named as the labels of"],
    ["as the data have them", "a,b", "--labels: expected classes named as the labels of"],
  ])("must be named %s", async (_, labels, message) => {
    await writeFiles(folder, { "na.csv": rows(["no", "yes"]) });
    const before = await filesBelow(folder);
    const args = [
      "--model",
      at("plain"),
      "--task",
      "text-classification",
      "--data",
      at("na.csv"),
      "--output",
      at("never"),
    ];
    const { code, err } = await deft("train", ...args, "--labels", labels);
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining(message) });
    expect(await filesBelow(folder)).toEqual(before);
  });
});
