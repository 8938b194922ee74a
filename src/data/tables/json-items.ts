// The rows of a JSON document, streamed: the elements of its array, each as text with the line it starts in.
import { parseBoundedJson } from "../../tensor/index.ts";

/** How a JSON file holds its rows: one object a line, or in an array that starts at a place of the text. */
export type JsonLayout = { readonly kind: "lines" } | { readonly kind: "array"; readonly from: number };

/** An object's start up to a list of objects `"data": [{`; what stands before is single values, such as a version. */
const DATA_START =
  /^\s*\{(?:\s*"(?:[^"\\]|\\.)*"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[\w.+-]+)\s*,)*\s*"data"\s*:\s*\[(?=\s*\{)/;

/** The layout of a JSON file by how its text begins; `{"data": [rows]}` is a document only where `documents` says so. */
export function jsonLayout(start: string, documents: boolean): JsonLayout {
  const array = /^\s*\[/.exec(start);
  if (array !== null) return { kind: "array", from: array[0].length };
  const data = documents ? DATA_START.exec(start) : null;
  return data === null ? { kind: "lines" } : { kind: "array", from: data[0].length };
}

/** An element of the array. */
export interface JsonItem {
  readonly text: string;
  /** Where it starts in the file, from 1. */
  readonly line: number;
}

/** Cuts the text behind an array's bracket into the array's elements, as the text comes in. */
export class JsonItems {
  #line = 1;
  #depth = 0;
  #isString = false;
  #isEscaped = false;
  #isDone = false;
  /** The element under way, in pieces; null between elements. */
  #pieces: string[] | null = null;
  #startLine = 0;

  /** Whether the array's closing bracket has been read. */
  isDone(): boolean {
    return this.#isDone;
  }

  /** The line that has been read up to, from 1. */
  line(): number {
    return this.#line;
  }

  /** Counts the lines of text that stands before the array. */
  skip(text: string): void {
    this.#line += text.split("\n").length - 1;
  }

  /** The elements that end in this piece of text, which follows the one before it. */
  *push(text: string): Generator<JsonItem> {
    // where the element under way starts in this piece
    let from = 0;
    for (let at = 0; at < text.length && !this.#isDone; at++) {
      const char = text[at]!;
      if (char === "\n") this.#line++;
      if (this.#isString) this.#inString(char);
      else if (this.#depth === 0 && (char === "," || char === "]")) {
        if (this.#pieces !== null) yield this.#ended(text.slice(from, at));
        this.#isDone = char === "]";
      } else if (!isSpace(char)) {
        if (this.#pieces === null) {
          this.#pieces = [];
          this.#startLine = this.#line;
          from = at;
        }
        if (char === '"') this.#isString = true;
        else if (char === "{" || char === "[") this.#depth++;
        else if (char === "}" || char === "]") this.#depth--;
      }
    }
    if (!this.#isDone) this.#pieces?.push(text.slice(from));
  }

  #inString(char: string): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (char === "\\") this.#isEscaped = true;
    else if (char === '"') this.#isString = false;
  }

  #ended(rest: string): JsonItem {
    const text = [...this.#pieces!, rest].join("");
    this.#pieces = null;
    return { text, line: this.#startLine };
  }
}

function isSpace(char: string): boolean {
  return char === " " || char === "\n" || char === "\r" || char === "\t";
}

const NOT_FINITE = /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g;

/**
 * JSON, and what Python's `json` writes besides: `NaN`, which is read as null, and `Infinity`.
 * @throws {SyntaxError} where the text is neither.
 */
export function parseJson(text: string): unknown {
  try {
    return parseBoundedJson(text);
  } catch (error) {
    if (!/\b(NaN|Infinity)\b/.test(text)) throw error;
    // a number too large for a float is infinite
    const plain = text.replace(NOT_FINITE, (word) =>
      word.startsWith('"') ? word : word === "NaN" ? "null" : word.replace("Infinity", "1e999"),
    );
    return parseBoundedJson(plain);
  }
}
