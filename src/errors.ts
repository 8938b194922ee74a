// Every error class of the system, split by what the reader can do about it.

/** Characters of a value that a message shows. */
const SHOWN_CHARACTERS = 60;
/** Deeper, a value is not written out. */
const SHOWN_DEPTH = 4;

/** A value read from a file, for a message: its JSON, shortened. Whatever the value is, this cannot fail. */
export function shownValue(value: unknown): string {
  const text = shownTo(value, SHOWN_DEPTH);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

function shownTo(value: unknown, depth: number): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") return JSON.stringify(value.slice(0, SHOWN_CHARACTERS + 1));
  if (typeof value !== "object" || value === null) return typeof value === "symbol" ? "a symbol" : `${value as number}`;
  if (depth === 0) return Array.isArray(value) ? "[…]" : "{…}";
  // more than these would not be shown
  if (Array.isArray(value))
    return `[${value
      .slice(0, SHOWN_CHARACTERS)
      .map((one) => shownTo(one, depth - 1))
      .join(",")}]`;
  const entries = Object.entries(value).slice(0, SHOWN_CHARACTERS);
  return `{${entries.map(([key, one]) => `${JSON.stringify(key.slice(0, SHOWN_CHARACTERS))}:${shownTo(one, depth - 1)}`).join(",")}}`;
}

/** One mistake in a settings file or on the command line. */
export interface ConfigIssue {
  readonly path: string;
  readonly expected: string;
  readonly got: string;
  readonly didYouMean?: string;
}

/** One tensor of a checkpoint that does not fit. */
export interface CheckpointIssue {
  readonly name: string;
  readonly expected: string;
  readonly got: string;
}

export interface DeftErrorOptions {
  readonly hint?: string;
  readonly cause?: unknown;
}

/** How a face words the texts of an error. */
export interface Wording {
  /** The message without its hint, the mistakes and the file. */
  readonly facts?: (text: string) => string;
  readonly hint?: (text: string) => string;
}

/** Root of all errors thrown on purpose; `code` is stable, `hint` says how to mend it. */
export class DeftError extends Error {
  override readonly name: string = "DeftError";
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, { hint, cause }: DeftErrorOptions = {}) {
    super(hint === undefined ? message : `${message}\n${hint}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
  }

  /** Says in place what a face words otherwise; cause, stack and code stay. */
  reword({ facts = (text) => text, hint = (text) => text }: Wording): void {
    const { message } = this;
    const end = this.hint === undefined ? "" : `\n${this.hint}`;
    const said = this.hint === undefined ? undefined : hint(this.hint);
    const body = message.endsWith(end) ? message.slice(0, message.length - end.length) : message;
    this.message = `${facts(body)}${said === undefined || body === message ? "" : `\n${said}`}`;
    if (this.stack?.includes(message)) this.stack = this.stack.replace(message, () => this.message);
    const own = Object.entries(this).filter(([key]) => key === "issues" || key === "file");
    const worded = own.map(([key, value]) => [key, rewordedFact(value, facts)]);
    Object.assign(this, { hint: said, ...Object.fromEntries(worded) });
  }
}

/** A fact of an error, or a list of mistakes, with every text in it worded. */
function rewordedFact(fact: unknown, word: (text: string) => string): unknown {
  if (typeof fact === "string") return word(fact);
  if (Array.isArray(fact)) return fact.map((one) => rewordedFact(one, word));
  if (typeof fact !== "object" || fact === null) return fact;
  return Object.fromEntries(Object.entries(fact).map(([key, value]) => [key, rewordedFact(value, word)]));
}

/** An op met shapes or dtypes it cannot take. */
export class ShapeError extends DeftError {
  override readonly name = "ShapeError";
  readonly op: string;
  readonly expected: string;
  readonly got: readonly string[];
  readonly site: string;

  constructor(op: string, expected: string, got: readonly string[], site = "") {
    super("shape", `${op}${site ? ` at ${site}` : ""}: expected ${expected}, got ${got.join(" · ")}`);
    this.op = op;
    this.expected = expected;
    this.got = got;
    this.site = site;
  }
}

/** No gradient can be had: an op without a rule, or a target the loss does not depend on. */
export class GradientError extends DeftError {
  override readonly name = "GradientError";
  readonly op: string;
  readonly site: string;

  constructor(op: string, site: string, message: string, options: DeftErrorOptions = {}) {
    super("gradient", `${op}${site ? ` at ${site}` : ""}: ${message}`, options);
    this.op = op;
    this.site = site;
  }
}

/** `verify` found an illegal graph. */
export class GraphError extends DeftError {
  override readonly name = "GraphError";
  readonly issues: readonly string[];

  constructor(issues: readonly string[]) {
    super(
      "graph",
      `graph: expected a legal graph, got ${issues.length} fault(s)\n${issues.map((i) => `  ${i}`).join("\n")}`,
    );
    this.issues = issues;
  }
}

/** A checkpoint is damaged, or its names or shapes do not fit the model. */
export class CheckpointError extends DeftError {
  override readonly name = "CheckpointError";
  readonly file: string;
  readonly issues: readonly CheckpointIssue[];

  constructor(file: string, issues: readonly CheckpointIssue[], options: DeftErrorOptions = {}) {
    const lines = issues.map((i) => `  ${i.name}: expected ${i.expected}, got ${i.got}`);
    super(
      "checkpoint",
      `${file}: does not fit (${issues.length} problem${issues.length === 1 ? "" : "s"})\n${lines.join("\n")}`,
      options,
    );
    this.file = file;
    this.issues = issues;
  }
}

/** The user's settings are wrong: every mistake, each with its path. */
export class ConfigError extends DeftError {
  override readonly name = "ConfigError";
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[], options: DeftErrorOptions = {}) {
    const lines = issues.map(
      (i) => `${i.path}: expected ${i.expected}, got ${i.got}${i.didYouMean ? ` (did you mean ${i.didYouMean}?)` : ""}`,
    );
    super("config", lines.join("\n"), options);
    this.issues = issues;
  }
}

/** One fault of a data file; lines count from 1. */
export interface DataIssue {
  /** Where it is another file than the error's: a part of a data set in several. */
  readonly file?: string;
  readonly line?: number;
  readonly column?: string;
  /** Place in a JSON document: `data[3].paragraphs[0]`. */
  readonly path?: string;
  readonly expected: string;
  readonly got: string;
}

/** A data file is wrong at places that are named; `issues` holds the first of `total` faults. */
export class DataError extends DeftError {
  override readonly name = "DataError";
  readonly file: string;
  readonly line: number | undefined;
  readonly column: string | undefined;
  readonly issues: readonly DataIssue[];
  readonly total: number;

  constructor(
    file: string,
    {
      file: part,
      line,
      column,
      path,
      expected,
      got,
      others = [],
      total = others.length + 1,
      ...options
    }: DataIssue & { others?: readonly DataIssue[]; total?: number } & DeftErrorOptions,
  ) {
    const first: DataIssue = {
      ...(part === undefined ? {} : { file: part }),
      ...(line === undefined ? {} : { line }),
      ...(column === undefined ? {} : { column }),
      ...(path === undefined ? {} : { path }),
      expected,
      got,
    };
    const issues = [first, ...others];
    const more = total > issues.length ? [`… and ${total - issues.length} more`] : [];
    super("data", [...issues.map((issue) => dataIssueLine(file, issue)), ...more].join("\n"), options);
    this.file = file;
    this.line = line;
    this.column = column;
    this.issues = issues;
    this.total = total;
  }
}

function dataIssueLine(whole: string, { file = whole, line, column, path, expected, got }: DataIssue): string {
  const parts = [column === undefined ? "" : `, column ${column}`, path === undefined ? "" : `, ${path}`];
  const place = `${file}${line === undefined ? "" : `:${line}`}${parts.join("")}`;
  return `${place}: expected ${expected}, got ${got}`;
}

/** ONNX Runtime refused or failed; `cause` is its own error. */
export class BackendError extends DeftError {
  override readonly name = "BackendError";
  readonly backend: string;
  readonly phase: "load" | "compile" | "run";
  readonly site: string;

  constructor(
    backend: string,
    phase: "load" | "compile" | "run",
    message: string,
    { site = "", ...options }: DeftErrorOptions & { site?: string } = {},
  ) {
    super("backend", `${backend} (${phase})${site ? ` at ${site}` : ""}: ${message}`, options);
    this.backend = backend;
    this.phase = phase;
    this.site = site;
  }
}

/** Known, but not built: a model type, an op, a dtype. */
export class UnsupportedError extends DeftError {
  override readonly name = "UnsupportedError";
  readonly what: string;
  readonly supported: readonly string[];

  constructor(what: string, supported: readonly string[], options: DeftErrorOptions = {}) {
    super("unsupported", `${what}: not supported; expected one of ${supported.join(", ")}`, options);
    this.what = what;
    this.supported = supported;
  }
}

/** A file or folder cannot be read or written: missing, no permission, disk full, already taken. */
export class FileError extends DeftError {
  override readonly name = "FileError";
  readonly file: string;

  constructor(file: string, message: string, options: DeftErrorOptions = {}) {
    super("file", `${file}: ${message}`, options);
    this.file = file;
  }
}

/** Training cannot go on, for a reason that lies in the run: a loss that is not finite. */
export class TrainingError extends DeftError {
  override readonly name = "TrainingError";
  readonly step: number;

  constructor(step: number, message: string, options: DeftErrorOptions = {}) {
    super("training", `step ${step}: ${message}`, options);
    this.step = step;
  }
}

/** A model gave NaN or an infinite number, with which nothing can be said. */
export class NotFiniteError extends DeftError {
  override readonly name = "NotFiniteError";
  /** What was given: `logits`, `activations at SITE`. */
  readonly what: string;
  readonly got: number;

  constructor(what: string, got: number, options: DeftErrorOptions = {}) {
    super("not-finite", `expected finite ${what}, got ${got}`, options);
    this.what = what;
    this.got = got;
  }
}

/** Our bug. */
export class InternalError extends DeftError {
  override readonly name = "InternalError";

  constructor(message: string, options: DeftErrorOptions = {}) {
    super("internal", `internal: ${message}`, { hint: "This is a fault in deft; please report it.", ...options });
  }
}

/** Throws an `InternalError` when a fact the code relies on does not hold. */
export function invariant(fact: unknown, message: string): asserts fact {
  if (!fact) throw new InternalError(message);
}

/** The candidate nearest to `word` by edit distance, if near enough to be a slip of the hand. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    // no fewer changes than the lengths differ by
    if (Math.abs(word.length - candidate.length) >= bestDistance) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
