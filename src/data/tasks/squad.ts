// SQuAD's JSON, versions 1.1 and 2.0, as rajpurkar.github.io/SQuAD-explorer hands it out, checked answer by answer.
import { DataError, type DataIssue } from "../../errors.ts";
import type { Files } from "../../tensor/index.ts";
import type { Answer, Example } from "../examples.ts";
import { type CellFault, quoted } from "../labels.ts";
import { cellText, openTable } from "../table.ts";
import type { Task } from "../task.ts";
import { textBlocks } from "../text-blocks.ts";
import { wellFormed } from "../tokenizer/unicode.ts";

/** The questions of a file, in its order. */
export interface SquadFile {
  readonly examples: readonly Example[];
  /** Some questions have no answer, and the file says so. */
  readonly unanswerable: boolean;
}

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

/** Faults shown in one error; all are counted. */
const MAX_ISSUES = 20;

/**
 * The questions of a SQuAD file: JSON, or a table with the columns question, context and answers, as on the Hugging
 * Face hub.
 *
 * The JSON is one value and so is read whole; questions of a paragraph share its context.
 * @throws {DataError} with every fault at once, each with its path: `data[3].paragraphs[0].qas[2].answers[1]`.
 */
export async function readSquad(files: Files, path: string, answersRequired: boolean): Promise<SquadFile> {
  const reader = new Reader(path, answersRequired);
  if (/\.(csv|tsv|jsonl|ndjson|parquet)$/i.test(path)) await readRows(files, path, reader);
  else reader.document(await readJson(files, path));
  return reader.finish();
}

async function readJson(files: Files, path: string): Promise<unknown> {
  let text = "";
  for await (const block of textBlocks(files, path)) text += block.text;
  if (text.trim() === "") throw new DataError(path, { expected: "SQuAD's JSON", got: "an empty file" });
  try {
    return JSON.parse(text) as unknown;
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

async function readRows(files: Files, path: string, reader: Reader): Promise<void> {
  const table = await openTable(files, path);
  const [id, question, context, answers] = ["id", "question", "context", "answers"].map((c) =>
    table.columns.indexOf(c),
  );
  const lacking = ["question", "context"].filter((_, i) => [question, context][i]! < 0);
  if (lacking.length > 0) {
    const got = `the columns ${table.columns.join(", ")}`;
    throw new DataError(path, { expected: `a column ${lacking.join(" and a column ")}`, got });
  }
  for await (const { line, cells, fault } of table.rows()) {
    if (fault !== undefined) reader.fault({ line, ...fault });
    else {
      const given = answers! < 0 ? undefined : listedAnswers(cells[answers!]);
      const name = id! < 0 ? String(line) : cellText(cells[id!] ?? null);
      const row = { id: name, question: cells[question!], answers: given };
      reader.row(line, cells[context!], row);
    }
  }
}

/** The hub's `{ text: […], answer_start: […] }` as SQuAD's list of answers; text is JSON of either. */
function listedAnswers(cell: unknown): unknown {
  let value = cell;
  if (typeof value === "string") {
    try {
      value = JSON.parse(value) as unknown;
    } catch {
      return cell;
    }
  }
  if (!isObject(value) || !Array.isArray(value.text) || !Array.isArray(value.answer_start)) return value;
  const starts = value.answer_start as unknown[];
  return (value.text as unknown[]).map((text, i) => ({ text, answer_start: starts[i] }));
}

type Json = Readonly<Record<string, unknown>>;

type Place = Pick<DataIssue, "line" | "path">;

class Reader {
  readonly #file: string;
  readonly #answersRequired: boolean;
  readonly #examples: Example[] = [];
  readonly #issues: DataIssue[] = [];
  readonly #ids = new Map<string, string>();
  #total = 0;
  #unanswerable = false;
  /** A table has no `is_impossible`: an empty list says it. */
  #emptyIsImpossible = false;

  constructor(file: string, answersRequired: boolean) {
    this.#file = file;
    this.#answersRequired = answersRequired;
  }

  /** Reads a whole document. */
  document(json: unknown): void {
    if (!isObject(json) || !Array.isArray(json.data)) {
      this.fault({ expected: 'a JSON object with a list "data"', got: describe(isObject(json) ? json.data : json) });
      return;
    }
    this.#list(json, "data", "", (article, at) =>
      this.#list(article, "paragraphs", at, (paragraph, place) => {
        const context = this.#text(paragraph, "context", place);
        this.#list(paragraph, "qas", place, (qa, path) => this.#question(qa, context, { path }));
      }),
    );
  }

  /** Reads one row of a table. */
  row(line: number, context: unknown, qa: Json): void {
    this.#emptyIsImpossible = true;
    const isText = typeof context === "string" && context !== "";
    if (!isText) this.fault({ line, path: "context", expected: "text", got: describe(context) });
    this.#question(qa, isText ? wellFormed(context) : null, { line });
  }

  fault(issue: DataIssue): void {
    if (++this.#total <= MAX_ISSUES) this.#issues.push(issue);
  }

  /** @throws {DataError} with all that was found wrong, or when there is no question. */
  finish(): SquadFile {
    const [first, ...others] = this.#issues;
    if (first !== undefined) throw new DataError(this.#file, { ...first, others, total: this.#total });
    if (this.#examples.length === 0) {
      throw new DataError(this.#file, { expected: "at least one question", got: "none" });
    }
    return { examples: this.#examples, unanswerable: this.#unanswerable };
  }

  #list(holder: Json, key: string, at: string, visit: (item: Json, path: string) => void): void {
    const path = at === "" ? key : `${at}.${key}`;
    const items = holder[key];
    if (!Array.isArray(items)) {
      this.fault({ path, expected: "a list", got: describe(items) });
      return;
    }
    items.forEach((item: unknown, i) => {
      if (isObject(item)) visit(item, `${path}[${i}]`);
      else this.fault({ path: `${path}[${i}]`, expected: "an object", got: describe(item) });
    });
  }

  #text(holder: Json, key: string, at: string): string | null {
    const value = holder[key];
    if (typeof value === "string" && value !== "") return wellFormed(value);
    this.fault({ path: `${at}.${key}`, expected: "text", got: describe(value) });
    return null;
  }

  #question(qa: Json, context: string | null, place: Place): void {
    const before = this.#total;
    const at = (key: string) => ({ ...place, path: place.path === undefined ? key : `${place.path}.${key}` });
    if (typeof qa.question !== "string") {
      this.fault({ ...at("question"), expected: "text", got: describe(qa.question) });
    }
    const id = this.#id(qa.id, at("id"));
    const impossible = this.#isImpossible(qa, at("is_impossible"));
    const answers = this.#answers(qa, impossible, context, at("answers"));
    if (this.#total > before || context === null) return;
    if (impossible) this.#unanswerable = true;
    const line = place.line ?? this.#examples.length + 1;
    const text = wellFormed(qa.question as string).trimStart();
    this.#examples.push({ text, pair: context, label: null, line, question: { id, answers } });
  }

  #id(id: unknown, place: Place): string {
    if ((typeof id !== "string" || id === "") && typeof id !== "number") {
      this.fault({ ...place, expected: "a text that names the question", got: describe(id) });
      return "";
    }
    const name = String(id);
    const where = place.line === undefined ? place.path! : `line ${place.line}`;
    const other = this.#ids.get(name);
    if (other !== undefined) {
      this.fault({ ...place, expected: "an id of its own", got: `${quoted(name)}, which ${other} has too` });
    } else this.#ids.set(name, where);
    return name;
  }

  #isImpossible({ is_impossible, answers }: Json, place: Place): boolean {
    if (is_impossible === undefined) {
      return this.#emptyIsImpossible && Array.isArray(answers) && answers.length === 0;
    }
    if (typeof is_impossible === "boolean") return is_impossible;
    this.fault({ ...place, expected: "true or false", got: describe(is_impossible) });
    return false;
  }

  #answers({ answers }: Json, impossible: boolean, context: string | null, place: Place): Answer[] {
    if (answers === undefined && (impossible || !this.#answersRequired)) return [];
    if (!Array.isArray(answers)) {
      this.fault({ ...place, expected: "a list", got: describe(answers) });
      return [];
    }
    if (impossible && answers.length > 0) {
      this.fault({ ...place, expected: "no answer, as is_impossible is true", got: `${answers.length}` });
    }
    if (!impossible && answers.length === 0 && this.#answersRequired) {
      this.fault({ ...place, expected: "an answer, or is_impossible: true (version 2.0)", got: "none" });
    }
    return answers.flatMap((answer: unknown, i) => {
      const read = isObject(answer) ? readAnswer(answer, context) : { expected: "an object", got: describe(answer) };
      if (read !== null && "text" in read) return [read];
      if (read !== null) this.fault({ ...place, path: `${place.path}[${i}]`, ...read });
      return [];
    });
  }
}

/** An answer whose text stands where it says, or what is wrong with it; null where there is no context to look at. */
function readAnswer({ text, answer_start: start }: Json, context: string | null): Answer | CellFault | null {
  if (typeof text !== "string" || text === "") return { expected: '"text" with the answer', got: describe(text) };
  if (typeof start !== "number" || !Number.isInteger(start) || start < 0) {
    return { expected: '"answer_start", a whole number ≥ 0', got: describe(start) };
  }
  if (context === null) return null;
  const wanted = wellFormed(text);
  const at = unitOf(context, start);
  if (at !== null && context.startsWith(wanted, at)) return { text: wanted, start: at };
  const length = codePoints(context);
  if (at === null || start >= length) {
    return { expected: `answer_start inside the context of ${length} characters`, got: String(start) };
  }
  const elsewhere = context.indexOf(wanted);
  const found =
    elsewhere < 0 ? "which the context does not have" : `which stands at ${codePoints(context.slice(0, elsewhere))}`;
  const there = wellFormed(context.slice(at, at + wanted.length)).replace(/\ufffd$/, "");
  return { expected: `${quoted(wanted)} (${found}) at answer_start ${start}`, got: quoted(there) };
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** The UTF-16 unit at which code point `index` starts; null past the end. */
function unitOf(text: string, index: number): number | null {
  if (!/[\ud800-\udbff]/.test(text)) return index <= text.length ? index : null;
  let at = 0;
  for (let i = 0; i < index; i++) {
    if (at >= text.length) return null;
    at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  }
  return at;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return typeof value === "string" ? quoted(value) : `${typeof value} ${JSON.stringify(value)}`;
}
