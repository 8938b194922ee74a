// A table with the answers beside what was asked: its columns, and its rows as text.

import { ConfigError } from "../../errors.ts";
import { entryOf } from "../../tensor/index.ts";
import type { Prediction } from "./prediction.ts";

/** Formats of a table that is written. */
type Format = "csv" | "tsv" | "jsonl";

const ENDINGS: Readonly<Record<string, Format>> = { csv: "csv", tsv: "tsv", jsonl: "jsonl", ndjson: "jsonl" };

/** The format that a file's name says. @throws {ConfigError} for another. */
export function answerFormat(file: string): Format {
  const format = entryOf(ENDINGS, /\.(\w+)$/.exec(file)?.[1]?.toLowerCase() ?? "");
  if (format !== undefined) return format;
  throw new ConfigError([{ path: "--output", expected: "a file called .csv, .tsv or .jsonl", got: file }]);
}

/** What is written of a prediction, by column. */
export function answerCells(prediction: Prediction): Readonly<Record<string, unknown>> {
  if ("label" in prediction) return { prediction: prediction.label, score: prediction.score };
  if ("labels" in prediction) return { prediction: prediction.labels, scores: prediction.scores };
  if ("entities" in prediction) {
    const { entities, tags } = prediction;
    return { prediction: entities, ...(tags === undefined ? {} : { tags }) };
  }
  if ("value" in prediction) return { prediction: prediction.value };
  const score = "score" in prediction ? prediction.score : undefined;
  return { prediction: prediction.text, ...(score === undefined ? {} : { score }) };
}

/** Names of the input's columns beside the answers': one that is taken gets a suffix. */
export function columnNames(columns: readonly string[], answers: readonly string[]): string[] {
  const taken = new Set(answers);
  return columns.map((column) => {
    let name = column;
    const suffix = answers.includes(column) ? "_input" : "";
    for (let i = 1; taken.has(name); i++) name = `${column}${i === 1 && suffix !== "" ? suffix : `${suffix}_${i}`}`;
    taken.add(name);
    return name;
  });
}

/** The line that names the columns; none in JSON lines. */
export function headerLine(format: Format, names: readonly string[]): string {
  return format === "jsonl" ? "" : rowLine(format, names, names);
}

/** What a spreadsheet takes for the beginning of a formula, which it would run. @see OWASP, CSV Injection */
const FORMULA = /^[=+\-@\t\r]/;

/** A text that a spreadsheet would run has `'` before it, which it does not show; numbers stay as they are. */
function harmless(cell: string): string {
  return FORMULA.test(cell) && !Number.isFinite(Number(cell)) ? `'${cell}` : cell;
}

/**
 * A row as a line; line breaks and tabs in a cell of TSV, which has no way to write them, become spaces. In CSV and TSV a text that begins as a
 * formula has `'` before it.
 */
export function rowLine(format: Format, names: readonly string[], cells: readonly unknown[]): string {
  if (format === "jsonl") return `${JSON.stringify(Object.fromEntries(names.map((name, i) => [name, cells[i]])))}\n`;
  const texts = cells.map((cell) => harmless(text(cell)));
  if (format === "tsv") return `${texts.map((cell) => cell.replaceAll(/\r\n|[\t\r\n]/g, " ")).join("\t")}\n`;
  const line = texts.map((cell) => (/[",;\t\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",");
  // a blank line would be no row
  return `${line.trim() === "" && texts.length === 1 ? '""' : line}\n`;
}

function text(cell: unknown): string {
  if (cell === null || cell === undefined) return "";
  return typeof cell === "object" ? JSON.stringify(cell) : String(cell as string | number | boolean);
}
