// A table of one's own, from deft init to a table with the answers: what is guessed trains and predicts, and what is refused leaves nothing.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTable } from "../../src/data/index.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { deft, filesBelow } from "../support/command.ts";
import { tinySeq2seq, tinySquad, writeTinyT5 } from "../support/tiny-answers.ts";
import { tinyExamples, writeFiles, writeTinyModel } from "../support/tiny-model.ts";
import { jsonLines, tinyLabelled, tinyTagged } from "../support/tiny-words.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);
const ONE = ["--threads", "1"];
const STEPS = ["--max-steps", "2", "--batch-size", "4", "--density-weight", "0.01", ...ONE, "-q"];

const NEW = tinyExamples(9, 3);
const newRows = NEW.map(({ text }, i) => `${i},"${text}, ""said""",${i}.5`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-own-"));
  await writeTinyModel(at("model"));
  await writeTinyT5(at("t5"));
  const rows = tinyExamples(60, 1).map(({ text, label }, i) => `${i},"${text}",${label === 1 ? "good" : "bad"}`);
  await writeFiles(folder, {
    "reviews.csv": ["id,opinion,verdict", ...rows, ""].join("\n"),
    "new.csv": ["id,opinion,score", ...newRows, ""].join("\n"),
    "words.jsonl": jsonLines(tinyTagged(24, 1)),
    "labels.jsonl": jsonLines(tinyLabelled(24, 1)),
    "scores.csv": ["text,score", ...tinyExamples(24, 1).map(({ text }, i) => `${text},${i / 10}`), ""].join("\n"),
    "squad.jsonl": jsonLines(
      tinyExamples(24, 1).map(({ text }, i) => ({
        id: i,
        question: "is it",
        context: text,
        answers: { text: [text.slice(0, 1)], answer_start: [0] },
      })),
    ),
  });
  const written = await deft(
    "init",
    at("reviews.csv"),
    at("reviews.yaml"),
    "--model",
    at("model"),
    "--output",
    at("run"),
  );
  expect({ code: written.code, out: written.out }).toEqual({ code: 0, out: `${at("reviews.yaml")}\n` });
  const trained = await deft("train", at("reviews.yaml"), ...STEPS);
  expect({ code: trained.code, err: trained.err }).toEqual({ code: 0, err: "" });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function rowsOf(file: string) {
  const table = await openTable(nodeFiles(), at(file));
  const rows = [];
  for await (const { cells } of table.rows()) rows.push(cells);
  return { columns: table.columns, rows };
}

describe("deft init of data", () => {
  test("writes what trains, and says what it found", async () => {
    const { code, out, err } = await deft("init", at("reviews.csv"), "-", "--model", at("model"));
    expect(code).toBe(0);
    expect(out).toMatch(/^text-column: opinion /m);
    expect(out).toMatch(/^label-column: verdict /m);
    expect(out).toMatch(/^max-length: 32 /m);
    expect(out).toMatch(/^output: runs\/reviews /m);
    expect(err).toContain("all 60 rows were looked at; the columns are id, opinion, verdict\n");
    expect(err).toContain("label: verdict; 2 classes: bad 30, good 30\n");
    const record = JSON.parse(await readFile(at("run/run.json"), "utf8")) as { labels: string[] };
    expect(record.labels).toEqual(["bad", "good"]);
  });

  test("flags win, and --json gives settings and findings", async () => {
    const flags = ["--label-column", "id", "--task", "text-regression", "--model", "m", "--max-length", "99", "--json"];
    const { code, out, err } = await deft("init", at("reviews.csv"), "-", ...flags);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(JSON.parse(out)).toMatchObject({
      file: null,
      settings: {
        "label-column": "id",
        task: "text-regression",
        model: "m",
        "max-length": 99,
        "text-column": "opinion",
      },
      found: expect.arrayContaining([expect.stringContaining("task: text-regression")]),
    });
  });

  test.each([
    ["words.jsonl", "model"],
    ["labels.jsonl", "model"],
    ["scores.csv", "model"],
    ["squad.jsonl", "model"],
    ["squad.jsonl", "t5"],
    ["reviews.csv", "t5"],
  ])("%s on %s: what is proposed trains and answers the same file", async (file, model) => {
    const data = at(file);
    const name = `${file.split(".")[0]}-${model}`;
    const run = at(`run-${name}`);
    const made = await deft("init", data, at(`${name}.yaml`), "--model", at(model), "--output", run, "-q");
    expect({ code: made.code, err: made.err }).toEqual({ code: 0, err: "" });
    const trained = await deft("train", at(`${name}.yaml`), ...STEPS, "--max-length", "48");
    expect({ code: trained.code, err: trained.err }).toEqual({ code: 0, err: "" });
    const to = at(`${name}-answers.jsonl`);
    const { code } = await deft("predict", run, "--input", data, "--output", to, ...ONE, "-q");
    expect(code).toBe(0);
    const before = await rowsOf(file);
    const after = await rowsOf(`${name}-answers.jsonl`);
    expect(after.rows).toHaveLength(before.rows.length);
    expect(after.columns).toContain("prediction");
    expect(after.rows.map((cells) => cells.slice(0, before.columns.length))).toEqual(before.rows);
  });

  test("refuses a task that the model cannot do, given or guessed", async () => {
    await writeFiles(folder, { "texts.jsonl": tinySeq2seq(80, 1) });
    const rows = tinyExamples(60, 1).map(({ text }, i) => ({
      article: `${text} ${text} ${text} ${text}`,
      summary: `${text} ${i}`,
    }));
    await writeFiles(folder, { "sums.jsonl": jsonLines(rows) });
    const before = await filesBelow(folder);
    for (const [args, message] of [
      [["reviews.csv", "--model", at("t5"), "--task", "text-classification"], "expected an encoder (bert, roberta, "],
      [["texts.jsonl", "--model", at("model"), "--task", "seq2seq"], "expected an encoder–decoder (t5, mt5), got"],
      [
        ["sums.jsonl", "--model", at("model")],
        "--model: expected an encoder–decoder (t5, mt5), because summary is a text",
      ],
    ] as const) {
      const { code, out, err } = await deft("init", at(args[0]), at("never.yaml"), ...args.slice(1));
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(err).toContain(message);
    }
    expect(await filesBelow(folder)).toEqual(before);
  });

  test("refuses a file that is there, data that are not, and data twice; nothing is written", async () => {
    const before = await filesBelow(folder);
    for (const [args, message] of [
      [["init", at("reviews.csv"), at("new.csv")], "expected a new file"],
      [["init", at("reviewss.csv"), at("x.yaml")], "reviews.csv"],
      [["init", at("reviews.csv"), at("x.yaml"), "--data", at("new.csv")], "--data: expected nothing beside"],
      [
        ["init", at("new.csv"), at("x.yaml"), "--task", "text-classification", "--label-column", "opinon"],
        "did you mean opinion",
      ],
    ] as const) {
      const { code, out, err } = await deft(...args);
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(err).toContain(message);
    }
    expect(await filesBelow(folder)).toEqual(before);
  });

  test("says which flag decides, and following it works", async () => {
    const rows = Array.from({ length: 40 }, (_, i) => `a text that is number ${i},${"ab"[i % 2]},${"xyz"[i % 3]}`);
    await writeFiles(folder, { "open.csv": ["words,tone,kind", ...rows, ""].join("\n") });
    const { code, out, err } = await deft("init", at("open.csv"), at("open.yaml"));
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("words, tone, kind");
    const flags = /Say which: (--label-column \w+)/.exec(err)![1]!.split(" ");
    expect(await deft("init", at("open.csv"), at("open.yaml"), ...flags)).toMatchObject({ code: 0 });
  });
});

describe("deft predict of a table", () => {
  test("writes the input's columns and the answers, by the run's own column", async () => {
    const { code, out, err } = await deft(
      "predict",
      at("run"),
      "--input",
      at("new.csv"),
      "--output",
      at("a.csv"),
      ...ONE,
    );
    expect({ code, out }).toEqual({ code: 0, out: `${at("a.csv")}\n` });
    expect(err).toContain("The input's column score is called score_input in");
    const { columns, rows } = await rowsOf("a.csv");
    expect(columns).toEqual(["id", "opinion", "score_input", "prediction", "score"]);
    expect(rows.map((cells) => cells.slice(0, 3))).toEqual((await rowsOf("new.csv")).rows);
    const plain = await deft("predict", at("run"), "--input", at("new.csv"), ...ONE);
    const answers = plain.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { label: string; score: number });
    expect(rows.map((cells) => cells.slice(3))).toEqual(answers.map(({ label, score }) => [label, String(score)]));
    expect(Object.keys(await filesBelow(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("to TSV and JSON lines; a flag names another column", async () => {
    await writeFiles(folder, { "other.jsonl": jsonLines(NEW.map(({ text }) => ({ said: `${text}\tso`, list: [1] }))) });
    const to = (name: string) =>
      deft(
        "predict",
        at("run"),
        "--input",
        at("other.jsonl"),
        "--text-column",
        "said",
        "--output",
        at(name),
        ...ONE,
        "-q",
      );
    expect(await to("b.tsv")).toMatchObject({ code: 0, err: "" });
    expect(await to("b.jsonl")).toMatchObject({ code: 0, err: "" });
    const tsv = await rowsOf("b.tsv");
    expect(tsv.columns).toEqual(["said", "list", "prediction", "score"]);
    expect(tsv.rows[0]!.slice(0, 2)).toEqual([`${NEW[0]!.text} so`, "[1]"]);
    expect((await rowsOf("b.jsonl")).rows[0]!.slice(0, 2)).toEqual([`${NEW[0]!.text}\tso`, [1]]);
  });

  test("reads Parquet, whose nested cells are JSON in a CSV", async () => {
    const input = "test/golden/data/features.parquet";
    const asked = ["--input", input, "--text-column", "text", ...ONE, "-q"];
    expect(await deft("predict", at("run"), ...asked, "--output", at("p.csv"))).toMatchObject({ code: 0 });
    const { columns, rows } = await rowsOf("p.csv");
    expect(columns.slice(0, 4)).toEqual(["text", "label", "tags", "answers"]);
    expect(rows).toHaveLength(4);
    expect(rows[0]!.slice(0, 4)).toEqual(["one", "1", "[0,1]", '{"text":["o"],"answer_start":[0]}']);
  });

  test("reads gzipped files, and SQuAD's document for a run that answers questions", async () => {
    await writeFile(at("new.csv.gz"), gzipSync(await readFile(at("new.csv"))));
    const packed = await deft("predict", at("run"), "--input", at("new.csv.gz"), "--output", at("g.csv"), ...ONE, "-q");
    expect(packed).toMatchObject({ code: 0 });
    expect((await rowsOf("g.csv")).rows).toHaveLength(NEW.length);
    await writeFiles(folder, { "dev.json": tinySquad(5, 2) });
    const base = ["predict", at("run-squad-model"), "--input", at("dev.json"), ...ONE];
    expect(await deft(...base, "--output", at("s.jsonl"), "-q")).toMatchObject({ code: 0, err: "" });
    const { columns, rows } = await rowsOf("s.jsonl");
    expect(columns.slice(0, 4)).toEqual(["id", "question", "context", "prediction"]);
    expect(rows.map(([id, question]) => [id, question])).toEqual(
      Array.from({ length: 5 }, (_, i) => [`2-${i}`, "what is it"]),
    );
    expect((await deft(...base)).out.trim().split("\n")).toHaveLength(5);
  });

  test("JSON lines with the key text are read as before, and have the run's column where they have both", async () => {
    const texts = NEW.slice(0, 2).map(({ text }) => text);
    await writeFiles(folder, {
      "plain.jsonl": jsonLines(texts.map((text) => ({ text }))),
      "both.jsonl": jsonLines(texts.map((text) => ({ text: "dull", opinion: text }))),
    });
    const ask = async (file: string) => (await deft("predict", at("run"), "--input", at(file), ...ONE)).out;
    expect((await ask("plain.jsonl")).trim().split("\n")).toHaveLength(2);
    expect(await ask("both.jsonl")).toBe(await ask("plain.jsonl"));
  });

  test("refuses what cannot be done, and writes nothing", async () => {
    await writeFiles(folder, { "short.csv": 'id,opinion\n1,"bright"\n2\n', "none.csv": "id,body\n1,bright\n" });
    const before = await filesBelow(folder);
    const base = ["predict", at("run")];
    for (const [args, message] of [
      [["--input", at("new.csv"), "--output", at("new.csv")], "another file than --input"],
      [["--input", at("new.csv"), "--output", at("reviews.csv")], "expected a new file"],
      [["--input", at("new.csv"), "--output", at("x.xlsx")], ".csv, .tsv or .jsonl"],
      [["--input", at("short.csv"), "--output", at("x.csv")], "short.csv:3: expected 2 columns, got 1 column"],
      [["--input", at("none.csv"), "--output", at("x.csv")], "got the columns id, body"],
      [["--input", at("none.csv")], "Name the column with --text-column"],
      [["--text", "bright", "--output", at("x.csv")], "--output: expected --input FILE"],
      [["--input", at("nothing.csv"), "--output", at("x.csv")], "nothing.csv"],
    ] as const) {
      const { code, out, err } = await deft(...base, ...args, ...ONE);
      expect({ code, out, args }).toEqual({ code: 2, out: "", args });
      expect(err).toContain(message);
    }
    expect(await filesBelow(folder)).toEqual(before);
  });
});
