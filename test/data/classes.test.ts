// Labels of data meet the classes of a model: by name in every task, layout and format, with one error where names do not agree.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type Dataset, type DatasetOptions, GLUE_TASKS, glueTask, openDataset, splitOf } from "../../src/data/index.ts";
import { ConfigError, DataError } from "../../src/errors.ts";
import { memoryFiles } from "../../src/hub/files-memory.ts";
import { glueMetrics, metricClasses } from "../../src/tasks/index.ts";

type Content = string | Uint8Array;
type Options = Omit<DatasetOptions, "data">;

const open = (name: string, content: Content, options: Options) =>
  openDataset(memoryFiles([[name, content]]), { ...options, data: name });

/** The whole file as the split `dev`. */
const whole = (name: string, content: Content, options: Partial<Options> = {}) =>
  open(name, content, { task: "text-classification", heldOutShare: null, splits: ["dev"], ...options });

async function labelsOf(dataset: Dataset, split = "dev"): Promise<(string | number | null)[]> {
  const { task } = dataset;
  const found: (string | number | null)[] = [];
  for await (const { label } of splitOf(dataset, split).examples())
    found.push(label === null || task.kind === "regression" ? label : task.labels[label]!);
  return found;
}

async function failure(opened: Promise<unknown>): Promise<ConfigError | DataError> {
  const error = await opened.catch((e: unknown) => e);
  if (error instanceof ConfigError || error instanceof DataError) return error;
  throw new Error(`expected a ConfigError or DataError, got ${String(error)}`);
}

/** The same rows of text and label in every format. */
const FORMATS: readonly [string, (labels: readonly string[]) => Content][] = [
  ["a.csv", (labels) => `text,label\n${labels.map((label, i) => `t${i},"${label}"\n`).join("")}`],
  ["a.tsv", (labels) => `text\tlabel\n${labels.map((label, i) => `t${i}\t${label}\n`).join("")}`],
  ["a.jsonl", (labels) => labels.map((label, i) => JSON.stringify({ text: `t${i}`, label })).join("\n")],
  ["a.json", (labels) => JSON.stringify(labels.map((label, i) => ({ text: `t${i}`, label })))],
  ["a.csv.gz", (labels) => gzipSync(`text,label\n${labels.map((label, i) => `t${i},${label}\n`).join("")}`)],
];

const NLI = ["contradiction", "neutral", "entailment"];
const STARS = ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"];
const model = (...names: string[]) => ({ names, of: "MODEL" });

describe("GLUE's tasks", () => {
  const tasks = GLUE_TASKS.filter((name) => name !== "stsb").map(glueTask);
  /** A split with each label once, as GLUE spells it in its files. */
  const file = (task: (typeof tasks)[number]) => {
    const spelled = ["mnli", "qnli", "rte"].includes(task.name) ? task.labels : task.labels.map((_, i) => String(i));
    const columns = [task.textColumn, ...(task.pairColumn === null ? [] : [task.pairColumn]), task.labelColumn];
    const rows = spelled.map((label) => columns.map((column) => (column === task.labelColumn ? label : "text")));
    return rows.map((row) => JSON.stringify(Object.fromEntries(row.map((cell, i) => [columns[i], cell])))).join("\n");
  };
  const read = (task: (typeof tasks)[number], names: readonly string[], isTrained = false) =>
    whole("a.jsonl", file(task), {
      task: task.name,
      splits: [task.evalSplits[0]!],
      classes: { names, of: "MODEL", isTrained },
    });

  test.each(tasks)("$name takes a model's order, in any case and spelling", async (task) => {
    const spellings = [
      (name: string) => name,
      (name: string) => name.toUpperCase(),
      (name: string) => name.replace("_", " "),
      (name: string) => name.replace("_", "-"),
    ];
    for (const spell of spellings)
      for (const names of [task.labels, task.labels.toReversed(), [...task.labels.slice(1), task.labels[0]!]]) {
        const dataset = await read(task, names.map(spell));
        expect(dataset.task.labels).toEqual(names);
        expect(await labelsOf(dataset, task.evalSplits[0])).toEqual(task.labels);
      }
  });

  test.each(tasks)("$name keeps its own order for a model without names", async (task) => {
    for (const name of ["LABEL_", "label_", "class ", ""]) {
      const dataset = await read(
        task,
        task.labels.map((_, i) => `${name}${i}`),
      );
      expect(dataset.task.labels).toEqual(task.labels);
      expect(dataset.notes).toEqual([]);
    }
  });

  test.each(tasks)("$name refuses a model of other names, with both lists", async (task) => {
    for (const names of [
      task.labels.map((_, i) => `other ${"abc"[i]}`),
      [...task.labels.slice(1), "more"],
      task.labels.slice(1),
    ]) {
      const error = await failure(read(task, names));
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toContain(
        `MODEL: expected classes named as the labels of the data, ${JSON.stringify(task.labels)}, got ${JSON.stringify(names)}`,
      );
    }
  });

  test("training goes on with a head of the same classes in its order, and says so", async () => {
    const dataset = await read(glueTask("mnli"), NLI, true);
    expect(dataset.task.labels).toEqual(NLI);
    expect(dataset.notes).toEqual([`the classes keep the order that MODEL has them in: ${JSON.stringify(NLI)}`]);
  });

  test("training on a head of other classes keeps the task's, and says so", async () => {
    const dataset = await read(glueTask("sst2"), ["toxic", "harmless"], true);
    expect(dataset.task.labels).toEqual(["negative", "positive"]);
    expect(dataset.notes).toEqual([
      'MODEL has a head for the classes ["toxic","harmless"]; it is trained on for ["negative","positive"]',
    ]);
    expect((await read(glueTask("sst2"), NLI, true)).notes).toEqual([]);
  });

  test("F1 counts the same class in a model's order as in GLUE's", async () => {
    const own = (await read(glueTask("mrpc"), ["LABEL_0", "LABEL_1"])).task;
    const turned = (await read(glueTask("mrpc"), ["equivalent", "not_equivalent"])).task;
    const [predictions, labels] = [
      [1, 1, 0, 1, 0],
      [1, 0, 1, 1, 0],
    ];
    const f1 = (task: typeof own, turn: (index: number) => number) =>
      glueMetrics(
        ["accuracy", "f1"],
        metricClasses(task, predictions.map(turn)),
        metricClasses(task, labels.map(turn)),
      );
    expect(f1(turned, (index) => 1 - index)).toEqual(f1(own, (index) => index));
    expect(f1(own, (index) => index).f1).toBeCloseTo(2 / 3, 12);
  });
});

describe("one's own table", () => {
  test.each(FORMATS)("%s: names in any case and spelling", async (name, content) => {
    const dataset = await whole(name, content(["Neutral", "entailment", "CONTRADICTION", "neutral"]), {
      classes: model(...NLI),
    });
    expect(await labelsOf(dataset)).toEqual(["neutral", "entailment", "contradiction", "neutral"]);
    expect(dataset.task.labels).toEqual(NLI);
    expect(dataset.notes).toEqual([]);
  });

  const ONE_TO_FOUR =
    'the labels 1, 2, 3, 4 are taken as the numbers in the classes\' names (1 is "1 star"), not as indices from 0';
  test.each<[string, readonly string[], readonly string[], readonly string[], readonly string[]]>([
    ["numbers in names", ["1", "2", "3", "4"], STARS, STARS.slice(0, 4), [ONE_TO_FOUR]],
    ["numbers in names, all of them", ["5", "1"], STARS, ["5 stars", "1 star"], []],
    ["floats of whole numbers", ["1.0", "4.0", "5.0"], STARS, ["1 star", "4 stars", "5 stars"], []],
    ["indices of names without numbers", ["0", "2", "1.0"], NLI, ["contradiction", "entailment", "neutral"], []],
    ["numbers as names", ["10", "2.0", "1"], ["1", "2", "10"], ["10", "2", "1"], []],
    ["names with decimals", ["1", "1.5"], ["1.0", "1.5", "2.0"], ["1.0", "1.5"], []],
    ["negative numbers", ["-1", "1", "0"], ["-1", "0", "1"], ["-1", "1", "0"], []],
    ["indices of placeholders", ["1", "0"], ["LABEL_0", "LABEL_1", "LABEL_2"], ["LABEL_1", "LABEL_0"], []],
  ])("%s", async (_, labels, names, expected, notes) => {
    for (const [name, content] of FORMATS) {
      const dataset = await whole(name, content(labels), { classes: model(...names) });
      expect(await labelsOf(dataset)).toEqual(expected);
      expect(dataset.notes).toEqual(notes);
    }
  });

  test("a model without names has the labels in their order, and a note says so", async () => {
    const dataset = await whole("a.csv", "text,label\na,pos\nb,neg\n", { classes: model("LABEL_0", "LABEL_1") });
    expect(dataset.task.labels).toEqual(["neg", "pos"]);
    expect(await labelsOf(dataset)).toEqual(["pos", "neg"]);
    expect(dataset.notes).toEqual([
      'MODEL names its classes LABEL_0, LABEL_1: they are taken as ["neg","pos"], in this order',
    ]);
    const named = await whole("a.csv", "text,label\na,pos\nb,neg\n", {
      classes: model("LABEL_0", "LABEL_1"),
      labels: ["pos", "neg"],
    });
    expect(named.task.labels).toEqual(["pos", "neg"]);
    expect(named.notes).toEqual([]);
  });

  test.each<[string, string, readonly string[], Partial<Options>]>([
    ["other names", "text,label\na,ham\nb,spam\n", NLI, {}],
    ["numbers over names with several", "text,label\na,1\nb,2\n", ["1-2 stars", "3-4 stars"], {}],
    ["too few labels for placeholders", "text,label\na,ham\nb,spam\n", ["LABEL_0", "LABEL_1", "LABEL_2"], {}],
    ["words over a model of numbers", "text,label\na,ham\nb,spam\n", ["0", "1"], {}],
  ])("%s: one error with both lists", async (_, text, names, options) => {
    const error = await failure(whole("a.csv", text, { classes: model(...names), ...options }));
    expect(error).toBeInstanceOf(ConfigError);
    const found = text.includes("ham") ? '["ham","spam"]' : '["1","2"]';
    expect(error.message).toContain(`MODEL: expected classes named as the labels of `);
    expect(error.message).toContain(`${found}, got ${JSON.stringify(names)}`);
    const named = error.hint!.endsWith("Name all 3, in the order of its logits: --labels A,B,…");
    expect(named).toBe(names[0] === "LABEL_0");
  });

  test("some other names: every line, and both lists", async () => {
    const error = await failure(
      whole("a.csv", "text,label\na,neutral\nb,other\nc,entailment\nd,other\n", { classes: model(...NLI) }),
    );
    expect(error.message.split("\n")).toEqual([
      'a.csv:3, column label: expected contradiction (0) or neutral (1) or entailment (2), got "other"',
      'a.csv:5, column label: expected contradiction (0) or neutral (1) or entailment (2), got "other"',
      `The classes of MODEL are ${JSON.stringify(NLI)}; not among them: ["other"].`,
    ]);
  });

  test("training on a head of the same classes: the head's order, the data's spelling", async () => {
    const rows = Array.from({ length: 30 }, (_, i) => `t${i},${["Neutral", "Entailment", "Contradiction"][i % 3]}`);
    const file = `text,label\n${rows.join("\n")}\n`;
    const classes = { ...model(...NLI), isTrained: true };
    const { task } = await open("a.csv", file, { task: "text-classification", classes });
    expect(task.labels).toEqual(["Contradiction", "Neutral", "Entailment"]);
    const numbers = file.replaceAll("Neutral", "3").replaceAll("Entailment", "1").replaceAll("Contradiction", "2");
    const stars = { ...model("3 stars", "2 stars", "1 star"), isTrained: true };
    expect((await open("a.csv", numbers, { task: "text-classification", classes: stars })).task.labels).toEqual([
      "3",
      "2",
      "1",
    ]);
    const other = { ...model("x", "y", "z"), isTrained: true };
    expect((await open("a.csv", file, { task: "text-classification", classes: other })).task.labels).toEqual([
      "Contradiction",
      "Entailment",
      "Neutral",
    ]);
  });

  test("what is held out of a file does not depend on a model's order", async () => {
    const rows = Array.from({ length: 90 }, (_, i) => `t${i},${NLI[(i * 7) % 3]}`);
    const held = async (options: Partial<Options>) => {
      const dataset = await open("a.csv", `text,label\n${rows.join("\n")}\n`, {
        task: "text-classification",
        ...options,
      });
      const lines = [];
      for await (const { line } of splitOf(dataset, "dev").examples()) lines.push(line);
      return lines;
    };
    const own = await held({});
    for (const names of [NLI, NLI.toReversed(), ["Neutral", "Entailment", "Contradiction"]]) {
      expect(await held({ classes: { ...model(...names), isTrained: true } })).toEqual(own);
      expect(await held({ classes: model(...names) })).toEqual(own);
    }
    expect(await held({ labels: NLI.toReversed() })).toEqual(own);
  });

  test("booleans are classes", async () => {
    const rows = [true, false, true].map((label, i) => JSON.stringify({ text: `t${i}`, label })).join("\n");
    const dataset = await whole("a.jsonl", rows);
    expect(dataset.task.labels).toEqual(["false", "true"]);
    expect(await labelsOf(dataset)).toEqual(["true", "false", "true"]);
    expect(await labelsOf(await whole("a.jsonl", rows, { classes: model("True", "False") }))).toEqual([
      "True",
      "False",
      "True",
    ]);
  });

  test("whole numbers with a decimal point are classes, and a note says so", async () => {
    for (const [name, content] of FORMATS) {
      const dataset = await whole(name, content(["1.0", "0.0", "1.0"]));
      expect(dataset.task.labels).toEqual(["0", "1"]);
      expect(await labelsOf(dataset)).toEqual(["1", "0", "1"]);
      expect(dataset.notes).toEqual([`${name}, column label: 1.0, 0.0 are taken as the classes 1, 0`]);
    }
  });
});

describe("names in the file", () => {
  const bytes = readFileSync(fileURLToPath(new URL("../golden/data/features.parquet", import.meta.url)));
  const read = (options: Partial<Options>) =>
    whole("a.parquet", new Uint8Array(bytes), { labelsRequired: false, ...options });

  test("are the classes, in the file's order; −1 is no label", async () => {
    const dataset = await read({});
    expect(dataset.task.labels).toEqual(["terrible", "great", "fair"]);
    expect(await labelsOf(dataset)).toEqual(["great", "terrible", "fair", null]);
  });

  test("meet a model by name, by placeholders and by the bare numbers of an earlier run", async () => {
    expect(await labelsOf(await read({ classes: model("Great", "Fair", "Terrible") }))).toEqual([
      "Great",
      "Terrible",
      "Fair",
      null,
    ]);
    expect((await read({ classes: model("LABEL_0", "LABEL_1", "LABEL_2") })).task.labels).toEqual([
      "terrible",
      "great",
      "fair",
    ]);
    expect(await labelsOf(await read({ classes: model("0", "1", "2") }))).toEqual(["1", "0", "2", null]);
    expect(await labelsOf(await read({ labels: ["0", "1", "2"] }))).toEqual(["1", "0", "2", null]);
  });
});

// pandas 3.1's read_csv, na_values by default
const MISSING =
  "#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null".split("|");

describe("missing labels", () => {
  test.each(MISSING)("%s is no class, in any format", async (word) => {
    for (const [name, content] of FORMATS) {
      const labels = ["0", "1", "0", word, "1", word];
      const error = await failure(whole(name, content(labels)));
      expect(error).toBeInstanceOf(DataError);
      expect((error as DataError).total).toBe(2);
      expect(error.message).toContain(
        `column label: expected a label, got ${JSON.stringify(word)}, a word for a missing value`,
      );
      const lines = (error as DataError).issues.map(({ line }) => line);
      expect(lines).toEqual(name === "a.jsonl" ? [4, 6] : name === "a.json" ? [1, 1] : [5, 7]);
      // what the hint says works
      const named = /--labels ('.*'|\S+)$/.exec(error.hint!)![1]!.replaceAll("'", "").split(",");
      expect(named).toEqual(["0", "1", word]);
      expect(await labelsOf(await whole(name, content(labels), { labels: named }))).toEqual(labels);
      // and a model's classes need no setting
      expect(await labelsOf(await whole(name, content(labels), { classes: model(word, "0", "1") }))).toEqual(labels);
    }
  });

  test("empty cells and nulls stay what they were; none in small letters is a class", async () => {
    expect((await failure(whole("a.csv", "text,label\na,x\nb,\nc,y\n"))).message).toBe(
      "a.csv:3, column label: expected a label, got nothing",
    );
    expect(
      (await failure(whole("a.jsonl", '{"text":"a","label":"x"}\n{"text":"b","label":null}\n{"text":"c","label":"y"}')))
        .message,
    ).toBe("a.jsonl:2, column label: expected a label, got nothing");
    expect((await whole("a.csv", "text,label\na,none\nb,some\n")).task.labels).toEqual(["none", "some"]);
  });

  test("words that stand for nothing elsewhere are texts", async () => {
    const dataset = await whole("a.csv", "text,label\nNone,x\nNA,y\n");
    const texts = [];
    for await (const { text } of splitOf(dataset, "dev").examples()) texts.push(text);
    expect(texts).toEqual(["None", "NA"]);
  });

  test("are no fault where no label is needed, and one of a score", async () => {
    expect(await labelsOf(await whole("a.csv", "text,label\na,x\nb,NA\nc,y\n", { labelsRequired: false }))).toEqual([
      "x",
      null,
      "y",
    ]);
    const scores = await failure(whole("a.csv", "text,score\na,1.5\nb,NaN\nc,2\n", { task: "text-regression" }));
    expect(scores.message).toBe(
      'a.csv:3, column score: expected a finite number, got "NaN", a word for a missing value',
    );
  });

  test("NaN of a Parquet float and of Python's JSON", async () => {
    const bytes = readFileSync(fileURLToPath(new URL("../golden/data/features.parquet", import.meta.url)));
    const options = { labelColumn: "score", task: "text-regression" };
    expect((await failure(whole("a.parquet", new Uint8Array(bytes), options))).message).toContain(
      'a.parquet:3, column score: expected a finite number, got "NaN"',
    );
    expect(
      (await failure(whole("a.jsonl", '{"text":"a","label":1}\n{"text":"b","label":NaN}\n{"text":"c","label":0}')))
        .message,
    ).toContain("a.jsonl:2, column label: expected a label, got nothing");
  });
});

describe("cells that are no single label", () => {
  const CELLS = [
    '["toxic","insult"]',
    "[]",
    "[0, 1]",
    "['a', 'b']",
    "('a', 'b')",
    "[0 1]",
    "array([0, 1])",
    "{'a', 'b'}",
  ];
  test.each(CELLS)("the list %s, printed into a table", async (cell) => {
    const file = `text\tlabel\nt0\tx\nt1\t${cell}\nt2\ty\n`;
    const error = await failure(whole("a.tsv", file));
    expect(error.message).toBe(
      `a.tsv:3, column label: expected one label, got a list, ${cell}\nRows of several labels are trained with --task multi-label.`,
    );
    const scores = await failure(
      whole("a.tsv", file.replace("\tx", "\t1").replace("\ty", "\t2"), {
        task: "text-regression",
        labelColumn: "label",
      }),
    );
    expect(scores.message).toContain(`a.tsv:3, column label: expected a finite number, got a list, ${cell}`);
  });

  test("a list, a record and text, as JSON has them, all at once", async () => {
    const rows = [
      ["a", ["x"]],
      [["b"], "x"],
      ["c", { x: 1 }],
      ["d", null],
      ["e", "x"],
      ["f", "y"],
    ];
    const error = await failure(
      whole("a.jsonl", rows.map(([text, label]) => JSON.stringify({ text, label })).join("\n")),
    );
    expect(error.message.split("\n")).toEqual([
      'a.jsonl:1, column label: expected one label, got a list, ["x"]',
      "a.jsonl:2, column text: expected text, got a list or record",
      'a.jsonl:3, column label: expected one label, got a record, {"x":1}',
      "a.jsonl:4, column label: expected a label, got nothing",
      "Rows of several labels are trained with --task multi-label.",
    ]);
  });

  test("brackets in a name make no list", async () => {
    const labels = ["[redacted]", "(see note)", "{name}", "[2024-01-01]", "(1)"];
    expect((await whole("a.csv", `text,label\n${labels.map((l, i) => `t${i},${l}`).join("\n")}`)).task.labels).toEqual(
      labels.sort(),
    );
  });
});

describe("numbers with decimals", () => {
  test.each<[string, readonly string[], string]>([
    ["half points", ["1.0", "1.5", "2.0", "1.5"], "name them: --labels 1.0,1.5,2.0"],
    ["few decimals", ["0.25", "3", "0.25"], "name them: --labels 0.25,3"],
    ["exponents", ["1e-3", "2e-3"], "name them: --labels 1e-3,2e-3"],
    ["scores", Array.from({ length: 40 }, (_, i) => (1 + i / 7).toFixed(2)), "name all 40 with --labels"],
  ])("%s are no classes without a word", async (_, labels, way) => {
    for (const task of ["text-classification", "text-pair"]) {
      const file = `text,pair,label\n${labels.map((label, i) => `t${i},p${i},${label}\n`).join("")}`;
      const error = await failure(whole("a.csv", file, { task }));
      expect(error.message).toContain("a.csv, column label: expected labels, got numbers with decimals: ");
      const regression = task === "text-pair" ? "text-pair-regression" : "text-regression";
      expect(error.hint).toBe(`To predict the number: --task ${regression}. If each is a class of its own, ${way}`);
      // both ways work
      expect((await labelsOf(await whole("a.csv", file, { task: regression }))).map(Number)).toEqual(
        labels.map(Number),
      );
      const names = way.includes("all") ? labels : /--labels (.*)$/.exec(way)![1]!.split(",");
      expect(await labelsOf(await whole("a.csv", file, { task, labels: names }))).toEqual(labels);
    }
  });

  test("with a missing cell both are told", async () => {
    const error = await failure(whole("a.csv", "text,label\na,1.5\nb,NA\nc,2\n"));
    expect(error.message.split("\n").slice(0, 2)).toEqual([
      "a.csv, column label: expected labels, got numbers with decimals: 1.5, 2",
      'a.csv:3, column label: expected a label, got "NA", a word for a missing value',
    ]);
  });

  test("among words they are classes like any other", async () => {
    expect((await whole("a.csv", "text,label\na,1.5\nb,two\n")).task.labels).toEqual(["1.5", "two"]);
  });
});

test.each(["text-regression", "text-pair-regression"])("%s reads any finite number", async (task) => {
  const file = "text,pair,label,score\na,p,x,-1.5\nb,q,y,2e3\nc,r,z,4\n";
  const dataset = await whole("a.csv", file, { task });
  expect(dataset.task).toMatchObject({
    kind: "regression",
    labels: [],
    metrics: ["pearson", "spearmanr"],
    isPair: task !== "text-regression",
  });
  expect(await labelsOf(dataset)).toEqual([-1.5, 2000, 4]);
  for (const bad of ["high", "1,5", "0x10", "inf", "1.2.3"]) {
    const error = await failure(whole("a.csv", file.replace(",4\n", `,"${bad}"\n`), { task }));
    expect(error.message).toBe(`a.csv:4, column score: expected a finite number, got ${JSON.stringify(bad)}`);
  }
});
