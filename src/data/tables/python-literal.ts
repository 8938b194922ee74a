// Lists and dicts as Python prints them into a table's cell: repr(), str() of NumPy arrays, and JSON.

/** Nesting that is still read; deeper text is no data. */
const MAX_DEPTH = 64;

/**
 * The value of a text that prints a Python literal, or of JSON; null where it is neither.
 *
 * Read are numbers, strings, `None`, `True`, `False`, `nan`, lists, tuples, sets and dicts, `array([1, 2], dtype=int32)`, scalars such as
 * `np.int64(3)`, and NumPy's own print of an array, which has no commas: `['a' 'b']`.
 */
export function pythonLiteral(text: string): { readonly value: unknown } | null {
  const reader = new LiteralReader(text);
  try {
    const value = reader.value(0);
    return reader.isAtEnd() ? { value } : null;
  } catch (error) {
    if (error instanceof NoLiteral) return null;
    throw error;
  }
}

/** The list or record that a text prints, as pandas writes one into a CSV file; null where it is none. */
export function printedValue(text: string): object | null {
  if (!looksPrinted(text)) return null;
  const value = pythonLiteral(text)?.value ?? null;
  // brackets around one value are a way of writing it
  const isOne = text.startsWith("(") && Array.isArray(value) && value.length === 1;
  return typeof value === "object" && !isOne ? value : null;
}

/** Whether a text begins as a printed list or record does. */
export function looksPrinted(text: string): boolean {
  return /^(?:[[{(]|array\()/.test(text);
}

/** Ends the reading of a text that is no literal. */
class NoLiteral extends Error {}

const NUMBER = /[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const NAME = /[A-Za-z_][\w.]*/y;
const SPACE = /\s*/y;

const CONSTANTS: Readonly<Record<string, unknown>> = {
  None: null,
  null: null,
  True: true,
  true: true,
  False: false,
  false: false,
  nan: Number.NaN,
  NaN: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  Infinity: Number.POSITIVE_INFINITY,
};

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  f: "\f",
  v: "\v",
  a: "\u0007",
  "0": "\0",
};

class LiteralReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  isAtEnd(): boolean {
    this.#match(SPACE);
    return this.#at === this.#text.length;
  }

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw new NoLiteral();
    this.#match(SPACE);
    const start = this.#text[this.#at];
    if (start === "[") return this.#items("]", depth);
    if (start === "(") return this.#items(")", depth);
    if (start === "{") return this.#braces(depth);
    if (start === "'" || start === '"') return this.#string(start);
    const number = this.#match(NUMBER);
    if (number !== null) return Number(number.replaceAll("_", ""));
    const name = this.#match(NAME);
    if (name === null) throw new NoLiteral();
    if (Object.hasOwn(CONSTANTS, name)) return CONSTANTS[name];
    return this.#call(depth);
  }

  /** `array([…], dtype=object)`, `np.int64(3)`: what it is made of is its first argument. */
  #call(depth: number): unknown {
    if (!this.#take("(")) throw new NoLiteral();
    const value = this.value(depth + 1);
    while (this.#take(",")) {
      this.#match(SPACE);
      if (this.#match(NAME) === null || !this.#take("=")) throw new NoLiteral();
      this.#match(SPACE);
      // a dtype's name may stand without quotes
      if (this.#match(NAME) === null) this.value(depth + 1);
    }
    if (!this.#take(")")) throw new NoLiteral();
    return value;
  }

  #items(end: string, depth: number): unknown[] {
    const items: unknown[] = [];
    this.#at++;
    while (!this.#take(end)) {
      items.push(this.value(depth + 1));
      // NumPy prints arrays without commas
      const isApart = this.#match(SPACE) !== "" || this.#text[this.#at] === end;
      if (!this.#take(",") && !isApart) throw new NoLiteral();
    }
    return items;
  }

  /** A dict, or a set as a list. */
  #braces(depth: number): Record<string, unknown> | unknown[] {
    const entries: [string, unknown][] = [];
    const items: unknown[] = [];
    this.#at++;
    while (!this.#take("}")) {
      const key = this.value(depth + 1);
      if (this.#take(":")) entries.push([String(key), this.value(depth + 1)]);
      else items.push(key);
      if (!this.#take(",") && this.#text[this.#at] !== "}") throw new NoLiteral();
    }
    if (items.length === 0) return Object.fromEntries(entries);
    if (entries.length > 0) throw new NoLiteral();
    return items;
  }

  #string(quote: string): string {
    let out = "";
    for (this.#at++; ; ) {
      const char = this.#text[this.#at++];
      if (char === undefined) throw new NoLiteral();
      if (char === quote) return out;
      out += char === "\\" ? this.#escape() : char;
    }
  }

  #escape(): string {
    const kind = this.#text[this.#at++] ?? "";
    const digits = { x: 2, u: 4, U: 8 }[kind];
    if (digits === undefined) return ESCAPES[kind] ?? (kind === "\n" ? "" : /["'\\/]/.test(kind) ? kind : `\\${kind}`);
    const hex = this.#text.slice(this.#at, this.#at + digits);
    if (!/^[0-9a-f]+$/i.test(hex) || hex.length < digits || Number.parseInt(hex, 16) > 0x10ffff) throw new NoLiteral();
    this.#at += digits;
    return kind === "U"
      ? String.fromCodePoint(Number.parseInt(hex, 16))
      : String.fromCharCode(Number.parseInt(hex, 16));
  }

  /** Steps over one character where it stands next, and the space before it. */
  #take(char: string): boolean {
    this.#match(SPACE);
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }
}
