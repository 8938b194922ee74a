// CSV records over csv-parse's browser build, which needs no node:stream.
import { DataError } from "../../errors.ts";
import type { Files } from "../../tensor/index.ts";
import type { TableRow } from "./row.ts";
import { textBlocks } from "./text-blocks.ts";

/** Longest record, in characters: an unclosed quote must not read the rest of a large file into memory. */
const MAX_RECORD = 16_000_000;

/** The records of a CSV file, header included; blank lines are skipped. */
export async function* csvRows(files: Files, path: string): AsyncGenerator<TableRow> {
  const { parse } = await import("csv-parse/browser/esm");
  let parser: ReturnType<typeof parse> | null = null;
  let records: string[][] = [];
  let failure: Error | null = null;
  let finished = () => {};
  const ended = new Promise<void>((resolve) => {
    finished = resolve;
  });
  let line = 1;
  const drain = function* (): Generator<TableRow> {
    const ready = records;
    records = [];
    for (const cells of ready) {
      if (cells.length > 1 || cells[0]?.trim() !== "") yield { line, cells };
      line += 1 + cells.reduce((sum, cell) => sum + newlines(cell), 0);
    }
    if (failure !== null) throw csvError(path, line, failure);
  };
  for await (const { text } of textBlocks(files, path)) {
    if (parser === null) {
      parser = parse({
        delimiter: delimiterOf(text),
        // all three: left to itself, the parser takes the first it meets for the whole file
        record_delimiter: ["\r\n", "\n", "\r"],
        relax_column_count: true,
        max_record_size: MAX_RECORD,
      });
      parser.on("data", (record: string[]) => records.push(record));
      parser.on("end", finished);
      parser.on("error", (error: Error) => {
        failure = error;
        finished();
      });
    }
    parser.write(text);
    yield* drain();
  }
  if (parser === null) return;
  parser.end();
  await ended;
  yield* drain();
}

/** The separator of the header line: a comma, unless it has none but semicolons or tabs. */
function delimiterOf(text: string): string {
  const end = text.indexOf("\n");
  const header = end < 0 ? text : text.slice(0, end);
  return [",", ";", "\t"].find((delimiter) => header.includes(delimiter)) ?? ",";
}

function newlines(cell: string): number {
  let count = 0;
  for (let at = cell.indexOf("\n"); at >= 0; at = cell.indexOf("\n", at + 1)) count++;
  return count;
}

const EXPLAINED: { readonly [code: string]: readonly [expected: string, got: string] } = {
  CSV_QUOTE_NOT_CLOSED: ["a closing quote", "the end of the file (the quote opens in this row)"],
  CSV_MAX_RECORD_SIZE: ["a closing quote", "a row of more than 16 million characters"],
  INVALID_OPENING_QUOTE: ["a field that is quoted as a whole or not at all", "a quote inside an unquoted field"],
  CSV_INVALID_CLOSING_QUOTE: ["a comma or the end of the row after a closing quote", "more text"],
};

function csvError(path: string, line: number, cause: Error & { code?: string }): DataError {
  const [expected, got] = EXPLAINED[cause.code ?? ""] ?? ["a CSV row", cause.message];
  const hint = 'Put the whole field in quotes and double the quotes inside it ("say ""so"""), or use JSON Lines.';
  return new DataError(path, { line, expected, got, hint, cause });
}
