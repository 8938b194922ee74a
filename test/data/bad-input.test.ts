// Every way a person's data can be wrong gives one error that says what, where and how to mend it.
import { describe, expect, test } from "vitest";
import { type DatasetOptions, openDataset } from "../../src/data/index.ts";
import { DeftError } from "../../src/errors.ts";
import { memoryFiles } from "../../src/hub/files-memory.ts";

type Content = string | Uint8Array;

async function failure(entries: Readonly<Record<string, Content>>, options: DatasetOptions): Promise<DeftError> {
  const error = await openDataset(memoryFiles(Object.entries(entries)), options).catch((e: unknown) => e);
  if (!(error instanceof DeftError)) throw new Error(`expected a DeftError, got ${String(error)}`);
  return error;
}

const SST2 = { "sst2/train.tsv": "sentence\tlabel\ngood\t1\nbad\t0\n", "sst2/dev.tsv": "sentence\tlabel\nfine\t1\n" };
const own = (data: string, more: Partial<DatasetOptions> = {}): DatasetOptions => ({
  task: "text-classification",
  data,
  ...more,
});
const bytes = (...parts: (string | number)[]) =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "number" ? [part] : [...new TextEncoder().encode(part)])));

describe("paths and names", () => {
  test("a wrong path, with the near one", async () => {
    const error = await failure(SST2, { task: "sst2", data: "sst" });
    expect(error.name).toBe("FileError");
    expect(error.message).toMatchInlineSnapshot(`
      "sst: expected a data file or folder, got nothing at this path
      Did you mean sst2?"
    `);
  });
  test("a wrong task, with the near one", async () => {
    const error = await failure(SST2, { task: "sst-2", data: "sst2" });
    expect(error.name).toBe("ConfigError");
    expect(error.message).toContain("got sst-2 (did you mean sst2?)");
  });
  test("a split that is not there", async () => {
    const error = await failure(SST2, { task: "sst2", data: "sst2", splits: ["tset"] });
    expect(error.message).toBe("split: expected train, dev, test, got tset (did you mean test?)");
  });
  test("a folder without the dev file", async () => {
    const error = await failure({ "sst2/train.tsv": SST2["sst2/train.tsv"] }, { task: "sst2", data: "sst2" });
    expect(error.message).toMatchInlineSnapshot(`
      "sst2: expected dev.tsv, got train.tsv
      This is the layout of GLUE's SST-2 folder."
    `);
  });
  test("one of MNLI's two dev files is missing", async () => {
    const files = { "m/train.tsv": "x", "m/dev_matched.tsv": "x" };
    expect((await failure(files, { task: "mnli", data: "m" })).message).toContain("expected dev_mismatched.tsv, got");
  });
  test("a file of another kind", async () => {
    expect((await failure({ "a.docx": "x" }, own("a.docx"))).message).toContain("expected a data file (.csv, .tsv");
  });
});

describe("files as a whole", () => {
  test("empty", async () => {
    const error = await failure({ "a.csv": "" }, own("a.csv"));
    expect(error).toMatchObject({ name: "DataError", file: "a.csv" });
    expect(error.message).toBe("a.csv: expected at least one row, got an empty file");
  });
  test("a byte-order mark and blank lines only", async () => {
    expect((await failure({ "a.csv": "\ufeff\n\n" }, own("a.csv"))).message).toContain("got an empty file");
  });
  test("one line: only the header", async () => {
    const files = { ...SST2, "sst2/dev.tsv": "sentence\tlabel\n" };
    expect((await failure(files, { task: "sst2", data: "sst2" })).message).toMatchInlineSnapshot(`
      "sst2/dev.tsv: expected at least one example, got none after the header line
      The header line names the columns "sentence", "label"."
    `);
    expect((await failure({ "a.csv": "text,label\n" }, own("a.csv"))).message).toContain(
      "at least two different labels",
    );
  });
  test("broken UTF-8, the line named", async () => {
    const error = await failure({ "a.csv": bytes("text,label\ngood,1\nb", 0xe9, "te,0\nx,1\n") }, own("a.csv"));
    expect(error).toMatchObject({ name: "DataError", line: 3 });
    expect(error.message).toMatchInlineSnapshot(`
      "a.csv:3: expected UTF-8 text, got bytes that are not UTF-8
      Save the file as UTF-8, for instance: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW"
    `);
  });
  test("UTF-16", async () => {
    const error = await failure({ "a.csv": bytes(0xff, 0xfe, "t", 0, "e", 0) }, own("a.csv"));
    expect(error.message).toContain("a.csv:1: expected UTF-8 text, got UTF-16 text");
  });
  test("a file cut off inside a character", async () => {
    const error = await failure({ "a.tsv": bytes("text\tlabel\na\t1\nb\t0\nc", 0xe4, 0xb8) }, own("a.tsv"));
    expect(error).toMatchObject({ line: 4 });
  });
  test("a Parquet file cut off", async () => {
    const error = await failure({ "a.parquet": "PAR1 and no more" }, own("a.parquet"));
    expect(error).toMatchObject({ name: "DataError", file: "a.parquet" });
  });
});

describe("columns", () => {
  test("missing ones, with those there are and the near one", async () => {
    const error = await failure(
      { "a.csv": "txet,lable\na,1\nb,0\n" },
      own("a.csv", { textColumn: "text", labelColumn: "label" }),
    );
    expect(error.message).toMatchInlineSnapshot(`
      "a.csv: expected a column text, got the columns txet, lable (did you mean txet?)
      a.csv: expected a column label, got the columns txet, lable (did you mean lable?)
      Name the column with --text-column and --label-column."
    `);
  });
  test("GLUE's file of another task", async () => {
    const files = { "f/train.tsv": "index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1\n", "f/dev.tsv": "x" };
    expect((await failure(files, { task: "sst2", data: "f" })).message).toContain("expected a column sentence, got");
  });
  test("too few and too many, all at once, at most twenty shown", async () => {
    const rows = Array.from({ length: 30 }, (_, i) => (i % 2 ? "only text" : "a\tb\t1"));
    const files = { ...SST2, "sst2/train.tsv": `sentence\tlabel\n${rows.join("\n")}\n` };
    const error = await failure(files, { task: "sst2", data: "sst2" });
    expect(error).toMatchObject({ name: "DataError", line: 2, total: 30, issues: { length: 20 } });
    expect(error.message.split("\n").slice(0, 2)).toEqual([
      "sst2/train.tsv:2: expected 2 columns, got 3 columns",
      "sst2/train.tsv:3: expected 2 columns, got 1 column",
    ]);
    expect(error.message).toContain("… and 10 more");
  });
});

describe("labels", () => {
  test("outside the range", async () => {
    const files = { ...SST2, "sst2/train.tsv": "sentence\tlabel\ngood\t1\nbad\t2\nugly\t-1\n" };
    expect((await failure(files, { task: "sst2", data: "sst2" })).message).toMatchInlineSnapshot(`
      "sst2/train.tsv:3, column label: expected negative (0) or positive (1), got "2"
      sst2/train.tsv:4, column label: expected negative (0) or positive (1), got "-1""
    `);
  });
  test("not among those given", async () => {
    const error = await failure(
      { "a.csv": "text,label\na,ham\nb,spam\nc,egg\n" },
      own("a.csv", { labels: ["ham", "spam"] }),
    );
    expect(error.message).toBe('a.csv:4, column label: expected ham (0) or spam (1), got "egg"');
  });
  test("missing", async () => {
    const error = await failure({ "a.csv": "text,label\na,ham\nb,\nc,spam\n" }, own("a.csv"));
    expect(error.message).toBe("a.csv:3, column label: expected a label, got nothing");
  });
  test("only one class", async () => {
    const error = await failure({ "a.csv": "text,label\na,ham\nb,ham\n" }, own("a.csv"));
    expect(error.message).toBe('a.csv, column label: expected at least two different labels, got only "ham"');
  });
  test("a column that is no label", async () => {
    const rows = Array.from({ length: 60 }, (_, i) => `text ${i},title ${i}`);
    const error = await failure({ "a.csv": `text,label\n${rows.join("\n")}` }, own("a.csv"));
    expect(error.message).toContain("expected labels that repeat from row to row, got 60 different values");
  });
  test.each(["nan", "NaN", "inf", "", "five", "5.1", "-0.5"])("the score %j of STS-B", async (score) => {
    const header = "index\tsentence1\tsentence2\tscore\n";
    const files = {
      "s/train.tsv": `${header}0\ta\tb\t${score}\n1\tc\td\t5.000\n`,
      "s/dev.tsv": `${header}0\ta\tb\t0\n`,
    };
    const error = await failure(files, { task: "stsb", data: "s" });
    expect(error).toMatchObject({ name: "DataError", line: 2, column: "score", total: 1 });
  });
  test("too few examples to hold any out", async () => {
    const error = await failure({ "a.csv": "text,label\na,ham\nb,spam\n" }, own("a.csv"));
    expect(error.message).toContain("so that one can be held out as dev, got 2 examples");
  });
});

describe("CSV and JSON Lines", () => {
  test("an unclosed quote, at the row where it opens", async () => {
    const error = await failure(
      { "a.csv": 'text,label\ngood,1\n"bad,0\nfine,1\n' },
      own("a.csv", { labels: ["0", "1"] }),
    );
    expect(error).toMatchObject({ name: "DataError", line: 3 });
    expect(error.message).toMatchInlineSnapshot(`
      "a.csv:3: expected a closing quote, got the end of the file (the quote opens in this row)
      Put the whole field in quotes and double the quotes inside it ("say ""so"""), or use JSON Lines."
    `);
  });
  test("a quote inside an unquoted field, after a faulty row", async () => {
    const error = await failure({ "a.csv": 'text,label\ngood\na 5" nail,0\n' }, own("a.csv", { labels: ["0", "1"] }));
    expect(error.message.split("\n").slice(0, 2)).toEqual([
      "a.csv:2: expected 2 columns, got 1 column",
      "a.csv:3: expected a field that is quoted as a whole or not at all, got a quote inside an unquoted field",
    ]);
  });
  test("lines that are no objects, texts that are no texts", async () => {
    const lines = [
      '{"text": "a", "label": 1}',
      "{oops",
      "[1]",
      '{"text": 7, "label": 0}',
      '{"label": 0}',
      '{"text": "b", "label": 0}',
    ];
    const error = await failure({ "a.jsonl": lines.join("\n") }, own("a.jsonl"));
    expect(error).toMatchObject({ name: "DataError", line: 2, total: 4 });
    expect(error.message).toContain("a.jsonl:3: expected one JSON object, got an array");
    expect(error.message).toContain('a.jsonl:4, column text: expected text, got number "7"');
    expect(error.message).toContain("a.jsonl:5, column text: expected text, got nothing");
  });
  test("JSON of another layout, with those that are read", async () => {
    const error = await failure({ "a.json": '{\n"text": ["a"],\n"label": [1]}' }, own("a.json"));
    expect(error.message).toContain("a.json:1: expected one JSON object, got ");
    expect(error.hint).toMatch(/^One object on each line \(JSON Lines\), an array of objects, and .* are read\.$/);
  });
});
