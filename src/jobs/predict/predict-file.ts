// Predictions for the rows of a file, one by one or as a table with the answers beside them.
import { openTable, openTexts, type RowText, type TextTable, tableFileFormat } from "../../data/index.ts";
import { ConfigError, DataError, UnsupportedError } from "../../errors.ts";
import { type OpenedTarget, openTarget, type RunOverrides, type RunTarget } from "../../load/index.ts";
import type { Environment, Watched } from "../../runs/index.ts";
import { taskRecord } from "../../tasks/index.ts";
import type { Files } from "../../tensor/index.ts";
import { answerCells, answerFormat, columnNames, headerLine, rowLine } from "./answer-table.ts";
import { openPredictorOn } from "./predict.ts";
import type { PredictInput, Prediction } from "./prediction.ts";

/** Characters that are written at once. */
const CHUNK = 1 << 16;

/** A table that was written. */
export interface WrittenPredictions {
  readonly file: string;
  readonly rows: number;
  /** Columns of the input that have another name there. */
  readonly renamed: readonly (readonly [from: string, to: string])[];
}

/**
 * Predictions for the rows of a table, in their order. `lines` reads the file as JSON lines with the keys `text` and `pair`, `question` and
 * `context`, or `tokens`: used where it has these, and not the run's own column.
 * @throws {DataError} naming the columns where one is missing, and the line where a row has no text.
 */
export async function* predictFile(
  environment: Environment,
  target: RunTarget,
  { input, lines }: { readonly input: string; readonly lines: () => AsyncIterable<PredictInput> },
  overrides: RunOverrides = {},
  watched: Watched = {},
): AsyncGenerator<Prediction> {
  const { files } = environment;
  const opened = await openTarget(environment, target, overrides);
  const table = await tableOf(files, opened, input, true);
  const predictor = await openPredictorOn(environment, opened);
  try {
    yield* predictor.predict(table === null ? lines() : inputsOf(opened, table), watched);
  } finally {
    await predictor.dispose();
  }
}

/**
 * Writes a table of the input's columns and the answers; the file appears whole or not at all.
 * @throws {ConfigError} when `output` is there already, or its name says no format. Errors as `predictFile`.
 */
export async function writePredictions(
  environment: Environment,
  target: RunTarget,
  { input, output }: { readonly input: string; readonly output: string },
  overrides: RunOverrides = {},
  watched: Watched = {},
): Promise<WrittenPredictions> {
  const { files } = environment;
  const format = answerFormat(output);
  await checkFree(files, input, output);
  const opened = await openTarget(environment, target, overrides);
  const texts = await outputTable(files, opened, input);
  const predictor = await openPredictorOn(environment, opened);
  let rows = 0;
  let names: readonly string[] = [];
  async function* pieces(): AsyncGenerator<string> {
    const cells: (readonly unknown[])[] = [];
    for await (const prediction of predictor.predict(inputsOf(opened, texts, cells), watched)) {
      const answer = answerCells(prediction);
      if (rows++ === 0) {
        const own = Object.keys(answer);
        names = [...columnNames(texts.columns, own), ...own];
        yield headerLine(format, names);
      }
      const before = cells.shift()!;
      const all = [...texts.columns.map((_, i) => before[i] ?? null), ...Object.values(answer)];
      yield rowLine(format, names, all);
    }
    if (rows === 0) throw new DataError(input, { expected: "at least one row", got: "none" });
  }
  try {
    await files.write(output, chunks(pieces()));
  } finally {
    await predictor.dispose();
  }
  const renamed = texts.columns.flatMap((from, i) => (names[i] === from ? [] : [[from, names[i]!] as const]));
  return { file: output, rows, renamed };
}

async function checkFree(files: Files, input: string, output: string): Promise<void> {
  if ((await files.stat(output)) === null) return;
  const isInput =
    (await files.stat(input)) !== null && (await files.realPath(input)) === (await files.realPath(output));
  throw new ConfigError(
    [
      isInput
        ? { path: "--output", expected: "another file than --input", got: output }
        : { path: "--output", expected: "a new file", got: `${output}, which is there` },
    ],
    { hint: "Name another file, or remove this one first." },
  );
}

/** Keys of JSON lines that are no table of the run's. */
const PLAIN_KEYS = ["text", "tokens", "words", "question"];

/**
 * The table by the run's own columns, or those asked for; null where the file is of another kind, or `mayBeLines` and has the keys of JSON
 * lines and not the run's column.
 */
async function tableOf(
  files: Files,
  { task, kind, options }: OpenedTarget,
  input: string,
  mayBeLines: boolean,
): Promise<TextTable | null> {
  const format = tableFileFormat(input);
  if (format === null || /\.txt$/i.test(input)) return null;
  const { textColumn, pairColumn, sourceColumn } = options.data;
  const name = task ?? taskRecord(kind).names[0]!;
  const isAsked = (["text-column", "pair-column", "source-column"] as const).some((key) => options.asked.has(key));
  if (format === "jsonl" && !isAsked) {
    const isLines = mayBeLines && /\.(jsonl|ndjson)$/i.test(input);
    const keys = await columnsOf(files, input, isLines);
    if (keys === null) return null;
    const own = name === "seq2seq" ? sourceColumn : textColumn;
    if (PLAIN_KEYS.some((key) => keys.includes(key)) && !keys.includes(own ?? "")) {
      if (isLines) return null;
      return openTexts(files, input, plainColumns(name, keys));
    }
  }
  return openTexts(files, input, {
    task: name,
    textColumn: textColumn ?? undefined,
    pairColumn: pairColumn ?? undefined,
    sourceColumn: sourceColumn ?? undefined,
  });
}

async function outputTable(files: Files, opened: OpenedTarget, input: string): Promise<TextTable> {
  const texts = await tableOf(files, opened, input, false);
  if (texts !== null) return texts;
  throw new UnsupportedError(`--input ${input} with --output`, [".csv", ".tsv", ".jsonl", ".parquet"]);
}

/** The keys of a JSON file's first object; null where `mayFail` and there is none: who reads the lines says what is wrong. */
async function columnsOf(files: Files, input: string, mayFail: boolean): Promise<readonly string[] | null> {
  try {
    return (await openTable(files, input)).columns;
  } catch (error) {
    if (mayFail && error instanceof DataError) return null;
    throw error;
  }
}

function plainColumns(task: string, keys: readonly string[]) {
  if (task === "seq2seq") return { task, sourceColumn: "text" };
  const textColumn = PLAIN_KEYS.find((key) => keys.includes(key));
  return { task, textColumn, ...(keys.includes("pair") ? { pairColumn: "pair" } : {}) };
}

/** What the predictor is asked, row by row; the rows' cells are kept in `cells` until their answer comes. */
async function* inputsOf(
  { kind }: OpenedTarget,
  texts: TextTable,
  cells: (readonly unknown[])[] | null = null,
): AsyncGenerator<PredictInput> {
  const { asksQuestions } = taskRecord(kind);
  for await (const row of texts.rows()) {
    cells?.push(row.cells);
    yield asksQuestions ? { question: row.text, context: row.pair ?? "" } : inputOf(row);
  }
}

function inputOf({ text, pair, words }: RowText): PredictInput {
  if (words !== undefined) return { tokens: words };
  return pair === undefined ? { text } : { text, pair };
}

async function* chunks(pieces: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  let text = "";
  for await (const piece of pieces) {
    text += piece;
    if (text.length < CHUNK) continue;
    yield encoder.encode(text);
    text = "";
  }
  if (text !== "") yield encoder.encode(text);
}
