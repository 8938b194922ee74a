// Questions over contexts: SQuAD's JSON, versions 1.1 and 2.0, as rajpurkar.github.io/SQuAD-explorer hands it out, or rows of a table.
import { DataError } from "../../errors.ts";
import type { Files } from "../../tensor/index.ts";
import { isGzip, uncompressed, withoutGzip } from "../tables/gzip.ts";
import { parseJson } from "../tables/json-items.ts";
import { openTable } from "../tables/table.ts";
import { textBlocks } from "../tables/text-blocks.ts";
import type { Task } from "../task.ts";
import { readDocument } from "./squad-document.ts";
import { type SquadFile, SquadReader } from "./squad-reader.ts";
import { readRows } from "./squad-rows.ts";

/** Question answering over one context each; `unanswerable` as in version 2.0. */
export function squadTask(unanswerable: boolean): Task {
  return {
    name: "squad",
    kind: "question-answering",
    labels: [],
    isPair: true,
    scoreRange: null,
    metrics: ["exact_match", "f1"],
    mainMetric: "f1",
    trainSplit: "train",
    evalSplits: ["dev"],
    testSplits: ["test"],
    unanswerable,
  };
}

/**
 * The questions of a SQuAD file: its JSON, or rows with question, context and answers, as the Hugging Face hub has them, in JSON
 * (lines, an array, or the `data` of a document), CSV or Parquet.
 *
 * A document is one value and so is read whole; questions of a paragraph share its context. An answer that does not stand at its
 * `answer_start` keeps its text alone, and a note counts such answers.
 * @throws {DataError} with every fault at once, each with its path: `data[3].paragraphs[0].qas[2].answers[1]`; where no answer of the file
 * stands where it should, too.
 */
export async function readSquad(files: Files, path: string, answersRequired: boolean): Promise<SquadFile> {
  const reader = new SquadReader(path, answersRequired);
  if (/\.(csv|tsv|jsonl|ndjson|parquet)$/i.test(withoutGzip(path)))
    await readRows(await openTable(files, path), reader);
  else {
    const text = await readText(files, path);
    if (isLines(text)) await readRows(await openTable(files, path, { format: "jsonl" }), reader);
    else readDocument(jsonOf(path, text), reader);
  }
  return reader.finish();
}

/** Whether a JSON file has an object of its own in its first line. */
function isLines(text: string): boolean {
  const [first = "", ...rest] = text.trim().split("\n", 2);
  if (rest.length === 0) return false;
  try {
    const value = parseJson(first);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

async function readText(files: Files, path: string): Promise<string> {
  const blocks: string[] = [];
  for await (const { text } of textBlocks(isGzip(path) ? uncompressed(files) : files, path)) blocks.push(text);
  const whole = blocks.join("");
  if (whole.trim() === "") throw new DataError(path, { expected: "SQuAD's JSON", got: "an empty file" });
  return whole;
}

function jsonOf(path: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    const { message } = cause as Error;
    const line = lineOf(text, message);
    const hint = "The file may be cut off; download it again. One JSON object on each line needs the ending .jsonl.";
    throw new DataError(path, { ...(line === null ? {} : { line }), expected: "JSON", got: message, hint, cause });
  }
}

/** The line that V8's message points at, by a position or by the text around it; null where it is not clear. */
function lineOf(text: string, message: string): number | null {
  const position = /position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return text.slice(0, Number(position)).split("\n").length;
  if (message.includes("end of JSON input")) return text.trimEnd().split("\n").length;
  const around = /(\.{3})?"(.*)"(?:\.{3})? is not valid JSON$/s.exec(message);
  const at = around === null ? -1 : text.indexOf(around[2]!);
  if (at < 0 || text.includes(around![2]!, at + 1)) return null;
  // V8 shows ten characters before the one it stumbled on
  return text.slice(0, at + (around![1] === undefined ? 0 : 10)).split("\n").length;
}
