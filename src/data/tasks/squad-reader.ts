// Questions checked one by one, with every fault of a file and a count of the answers that stand elsewhere than they should.
import { DataError, type DataIssue } from "../../errors.ts";
import type { Answer, Example } from "../examples.ts";
import { type CellFault, plural, quoted } from "../tables/row.ts";
import { wellFormed } from "../tokenizer/unicode.ts";

/** The questions of a file, in its order. */
export interface SquadFile {
  readonly examples: readonly Example[];
  /** Some questions have no answer, and the file says so. */
  readonly unanswerable: boolean;
  /** What a person should know: answers that do not stand where they should. */
  readonly notes: readonly string[];
}

export type Json = Readonly<Record<string, unknown>>;

/** Where something stands in a file. */
export type Place = Pick<DataIssue, "file" | "line" | "path">;

/** A question as it was found; `answers` is SQuAD's list. */
export interface FoundQuestion {
  readonly id: unknown;
  readonly question: unknown;
  readonly answers: unknown;
  readonly is_impossible?: unknown;
}

/** Faults shown in one error; all are counted. */
const MAX_ISSUES = 20;

/** The layouts that are read, for a file of another one. */
export const LAYOUTS =
  'Read are SQuAD\'s {"data": [{"paragraphs": […]}]}, and rows {"question": …, "context": …, "answers": {"text": […], "answer_start": […]}} as JSON Lines, in an array, in {"data": […]}, in CSV and in Parquet.';

const MISPLACED =
  "No answer stands where it says: answer_start counts the characters of the context from 0, not its bytes or tokens.";

/** Issues of one kind: the first of them, and how many there are. */
class Issues {
  readonly first: { readonly issue: DataIssue; readonly order: number }[] = [];
  total = 0;

  add(issue: DataIssue, order: number): void {
    if (++this.total <= MAX_ISSUES) this.first.push({ issue, order });
  }
}

/** Collects the questions of a file with all that is wrong with them. */
export class SquadReader {
  readonly #file: string;
  readonly answersRequired: boolean;
  readonly #examples: Example[] = [];
  readonly #faults = new Issues();
  /** Answers that do not stand at their `answer_start`. */
  readonly #misplaced = new Issues();
  readonly #ids = new Map<string, string>();
  #answers = 0;
  /** Questions whose answers are all misplaced. */
  #unplaced = 0;
  #order = 0;
  #unanswerable = false;
  #isOtherLayout = false;

  constructor(file: string, answersRequired: boolean) {
    this.#file = file;
    this.answersRequired = answersRequired;
  }

  /** @param isLayout - the file has another layout, so that those that are read should be named */
  fault(issue: DataIssue, isLayout = false): void {
    this.#faults.add(issue, this.#order++);
    if (isLayout) this.#isOtherLayout = true;
  }

  /** The context of a question or paragraph; null, with a fault, where it is none. */
  context(value: unknown, place: Place): string | null {
    if (typeof value === "string" && value !== "") return wellFormed(value);
    this.fault({ ...place, expected: "text", got: describe(value) });
    return null;
  }

  /** @param emptyIsImpossible - an empty list of answers says that there is none */
  question(qa: FoundQuestion, context: string | null, place: Place, emptyIsImpossible: boolean): void {
    const before = this.#faults.total;
    const at = (key: string) => ({ ...place, path: place.path === undefined ? key : `${place.path}.${key}` });
    if (typeof qa.question !== "string") {
      this.fault({ ...at("question"), expected: "text", got: describe(qa.question) });
    }
    const id = this.#id(qa.id, at("id"));
    const impossible = this.#isImpossible(qa, at("is_impossible"), emptyIsImpossible);
    if (qa.answers === undefined && !impossible && this.answersRequired && emptyIsImpossible)
      this.#isOtherLayout = true;
    const answers = this.#answersOf(qa, impossible, context, at("answers"));
    if (this.#faults.total > before || context === null) return;
    if (impossible) this.#unanswerable = true;
    if (answers.length > 0 && answers.every(({ start }) => start === null)) this.#unplaced++;
    const line = place.line ?? this.#examples.length + 1;
    const text = wellFormed(qa.question as string).trimStart();
    this.#examples.push({ text, pair: context, label: null, line, question: { id, answers } });
  }

  /** @throws {DataError} with all that was found wrong, or when there is no question. */
  finish(): SquadFile {
    const isHopeless = this.#answers > 0 && this.#misplaced.total === this.#answers;
    if (this.#faults.total > 0 || isHopeless) throw this.#error();
    if (this.#examples.length === 0) {
      throw new DataError(this.#file, { expected: "at least one question", got: "none" });
    }
    return { examples: this.#examples, unanswerable: this.#unanswerable, notes: this.#notes() };
  }

  #error(): DataError {
    const faults = this.#faults.first;
    const shown = [...faults, ...this.#misplaced.first.slice(0, MAX_ISSUES - faults.length)];
    const [first, ...others] = shown.sort((a, b) => a.order - b.order).map(({ issue }) => issue);
    const total = this.#faults.total + this.#misplaced.total;
    const hint = this.#isOtherLayout ? LAYOUTS : this.#faults.total === 0 ? MISPLACED : null;
    return new DataError(this.#file, { ...first!, others, total, ...(hint === null ? {} : { hint }) });
  }

  #notes(): string[] {
    const [first] = this.#misplaced.first;
    if (first === undefined) return [];
    const { line, path } = first.issue;
    const where = [line === undefined ? "" : `line ${line}`, path ?? ""].filter((part) => part !== "").join(", ");
    const count = this.#misplaced.total;
    const said = count === 1 ? "does not stand at its" : "do not stand at their";
    return [
      `${this.#file}: ${count.toLocaleString("en-US")} of ${plural(this.#answers, "answer")} ${said} answer_start (the first: ` +
        `${where}); training leaves out ${plural(this.#unplaced, "question")} without another answer, and scores still count the texts`,
    ];
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

  #isImpossible({ is_impossible, answers }: FoundQuestion, place: Place, emptyIsImpossible: boolean): boolean {
    if (is_impossible === undefined) return emptyIsImpossible && Array.isArray(answers) && answers.length === 0;
    if (typeof is_impossible === "boolean") return is_impossible;
    this.fault({ ...place, expected: "true or false", got: describe(is_impossible) });
    return false;
  }

  #answersOf({ answers }: FoundQuestion, impossible: boolean, context: string | null, place: Place): Answer[] {
    if (answers === undefined && (impossible || !this.answersRequired)) return [];
    if (!Array.isArray(answers)) {
      this.fault({ ...place, expected: "a list", got: describe(answers) });
      return [];
    }
    if (impossible && answers.length > 0) {
      this.fault({ ...place, expected: "no answer, as is_impossible is true", got: `${answers.length}` });
    }
    if (!impossible && answers.length === 0 && this.answersRequired) {
      this.fault({ ...place, expected: "an answer, or is_impossible: true (version 2.0)", got: "none" });
    }
    return answers.flatMap((answer: unknown, i) =>
      this.#answer(answer, context, { ...place, path: `${place.path}[${i}]` }),
    );
  }

  #answer(answer: unknown, context: string | null, place: Place): Answer[] {
    if (!isObject(answer)) {
      this.fault({ ...place, expected: "an object", got: describe(answer) });
      return [];
    }
    const read = readAnswer(answer, context);
    if (read === null) return [];
    if ("expected" in read) {
      this.fault({ ...place, ...read });
      return [];
    }
    this.#answers++;
    const { misplaced, ...found } = read;
    if (misplaced !== undefined) this.#misplaced.add({ ...place, ...misplaced }, this.#order++);
    return [found];
  }
}

/** An answer, with what is wrong with its place; or a fault; null where there is no context to look at. */
function readAnswer(
  { text, answer_start: start }: Json,
  context: string | null,
): (Answer & { readonly misplaced?: CellFault }) | CellFault | null {
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
    const expected = `answer_start inside the context of ${length} characters`;
    return { text: wanted, start: null, misplaced: { expected, got: String(start) } };
  }
  const elsewhere = context.indexOf(wanted);
  const found =
    elsewhere < 0 ? "which the context does not have" : `which stands at ${codePoints(context.slice(0, elsewhere))}`;
  const there = wellFormed(context.slice(at, at + wanted.length)).replace(/\ufffd$/, "");
  const expected = `${quoted(wanted)} (${found}) at answer_start ${start}`;
  return { text: wanted, start: null, misplaced: { expected, got: quoted(there) } };
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

/** Whether a value is an object and no list. */
export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value for a message. */
export function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return typeof value === "string" ? quoted(value) : `${typeof value} ${JSON.stringify(value)}`;
}
