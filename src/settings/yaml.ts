// A settings file in YAML, with the line and column of each mistake.
import { type CST, type Document, isMap, isScalar, LineCounter, Parser, parseDocument } from "yaml";
import type { ConfigIssue } from "../errors.ts";
import { DEEPEST_JSON } from "../tensor/index.ts";
import { type Checked, checkInput } from "./schema.ts";

/** A YAML file's checked values, and where each key stands: `file:line:column (key)`. */
export interface CheckedFile extends Checked {
  readonly places: ReadonlyMap<string, string>;
}

/** Checks the text of a settings file; keys are the flags' names without `--`. */
export function checkYaml(name: string, text: string): CheckedFile {
  if (isTooDeep(text)) {
    const issue = { path: name, expected: `lists and maps nested at most ${DEEPEST_JSON} deep`, got: "more" };
    return { values: {}, issues: [issue], badKeys: new Set(), places: new Map() };
  }
  const lines = new LineCounter();
  const document = withoutStacks(() =>
    parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" }),
  );
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const issues: ConfigIssue[] = document.errors.slice(0, MOST_ERRORS).map((error) => ({
    path: at(error.pos[0]),
    expected: "YAML",
    got: error.message.replace(/\s+/g, " "),
  }));
  const more = document.errors.length - issues.length;
  if (more > 0) issues.push({ path: name, expected: "YAML", got: `${more} more mistakes of this kind` });
  const root = document.contents;
  if (issues.length === 0 && root !== null && !isMap(root)) {
    issues.push({ path: at(root.range?.[0] ?? 0), expected: "settings as `key: value` lines", got: "something else" });
  }
  if (issues.length > 0 || !isMap(root)) return { values: {}, issues, badKeys: new Set(), places: new Map() };
  const places = new Map<string, string>();
  for (const { key } of root.items) {
    if (isScalar(key)) places.set(String(key.value), `${at(key.range?.[0] ?? 0)} (${String(key.value)})`);
  }
  const values = valuesOf(document);
  if (values === null) {
    const issue = {
      path: name,
      expected: "settings without aliases of aliases",
      got: "aliases that stand for far too much",
    };
    return { values: {}, issues: [issue], badKeys: new Set(), places };
  }
  return { ...checkInput(nullsDropped(values), (key) => places.get(key) ?? name), places };
}

/** Mistakes of YAML that are shown: one early in a file makes many behind it. */
const MOST_ERRORS = 20;

/** Runs what may make an error for each character of a file, without a stack for each. */
function withoutStacks<T>(act: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return act();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/**
 * Whether lists and maps are nested deeper than a settings file has them. What is made of the tokens follows the nesting by calls, and
 * near the end of the stack V8 may end the process.
 */
function isTooDeep(text: string): boolean {
  const left: (readonly [CST.Token, number])[] = [];
  for (const token of new Parser().parse(text))
    if (token.type === "document" && token.value) left.push([token.value, 1]);
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [token, depth] = next;
    if (!("items" in token)) continue;
    if (depth > DEEPEST_JSON) return true;
    for (const { key, value } of token.items)
      for (const inner of [key, value]) if (inner) left.push([inner, depth + 1]);
  }
  return false;
}

/** The document's values; null where its aliases stand for more than the parser unfolds. */
function valuesOf(document: Document): Record<string, unknown> | null {
  try {
    return document.toJS() as Record<string, unknown>;
  } catch (error) {
    if (error instanceof ReferenceError) return null;
    throw error;
  }
}

// `patience:` with nothing behind it means "leave it to the default"
function nullsDropped(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}
