// The regular expressions of tokenizer.json (Oniguruma's) as trees; what is not built is refused by name.
import { UnsupportedError } from "../../errors.ts";
import {
  type CharSet,
  foldedSet,
  intersection,
  literalSet,
  namedSet,
  type Range,
  rangeSet,
  rangesSet,
  union,
  wordSet,
} from "./char-set.ts";

/** An expression, and what it may be. */
export interface Written {
  readonly source: string;
  /** How errors call it. */
  readonly named: string;
  /** Most steps of it with all its parts: counts such as `(a{1000}){1000}` are written out. */
  readonly mostSteps: number;
}

/** The error for a regular expression that is not built, or takes too long. */
export function refusedRegex(
  { named }: Written,
  what: string,
  supported = "look-behinds of a bounded length, a few thousand steps",
): UnsupportedError {
  return new UnsupportedError(`${named} (${what})`, [supported]);
}

/** A regular expression. Groups do not capture: nothing here asks for their content. */
export type RegexNode =
  | { readonly kind: "set"; readonly set: CharSet }
  | { readonly kind: "sequence"; readonly parts: readonly RegexNode[] }
  | { readonly kind: "choice"; readonly options: readonly RegexNode[] }
  | {
      readonly kind: "repeat";
      readonly of: RegexNode;
      readonly min: number;
      readonly max: number;
      readonly isLazy: boolean;
    }
  | { readonly kind: "atomic"; readonly of: RegexNode }
  | { readonly kind: "look"; readonly of: RegexNode; readonly isBehind: boolean; readonly isNegative: boolean }
  | { readonly kind: "anchor"; readonly at: Anchor };

export type Anchor =
  | "text start"
  | "text end"
  | "last line end"
  | "line start"
  | "line end"
  | "word edge"
  | "no word edge";

/**
 * Parses Oniguruma's syntax in its Ruby form, which the Rust tokenizers use.
 * @throws {UnsupportedError} naming the construct, for what is not a regular expression in the strict sense.
 */
export function parseRegex(written: Written): RegexNode {
  return new Parser(written).whole();
}

const ANCHORS: Readonly<Record<string, Anchor>> = {
  A: "text start",
  z: "text end",
  Z: "last line end",
  b: "word edge",
  B: "no word edge",
};
const CONTROLS: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  f: "\f",
  v: "\v",
  a: "\u0007",
  e: "\u001b",
};
const CLASSES = "wWdDsShH";
/** Longest expression, deepest nesting of groups, classes and repetitions, and largest count of one: no tokenizer needs more. */
const MOST_CHARACTERS = 10_000;
const DEEPEST = 50;
const MOST_REPEATS = 1000;

class Parser {
  readonly #written: Written;
  readonly #source: string;
  /** Sets by how they are written: one that is written often is one. */
  readonly #sets = new Map<string, CharSet>();
  #at = 0;
  #depth = 0;
  #isFolded = false;
  #dotTakesAll = false;

  constructor(written: Written) {
    this.#written = written;
    this.#source = written.source;
  }

  whole(): RegexNode {
    if (this.#source.length > MOST_CHARACTERS)
      throw this.#refused(`${this.#source.length} characters, more than ${MOST_CHARACTERS}`);
    const node = this.#choice();
    if (this.#at < this.#source.length) throw this.#refused("an unmatched )");
    return node;
  }

  #refused(what: string): UnsupportedError {
    return refusedRegex(
      this.#written,
      what,
      "characters, classes, groups, repetitions, look-arounds of a fixed length",
    );
  }

  #peek(text: string): boolean {
    return this.#source.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    const is = this.#peek(text);
    if (is) this.#at += text.length;
    return is;
  }

  #next(): string {
    const code = this.#source.codePointAt(this.#at);
    if (code === undefined) throw this.#refused("it ends too early");
    const char = String.fromCodePoint(code);
    this.#at += char.length;
    return char;
  }

  /** Inside one more level of nesting. */
  #nested<T>(read: () => T): T {
    if (++this.#depth > DEEPEST) throw this.#refused(`nesting deeper than ${DEEPEST}`);
    const result = read();
    this.#depth--;
    return result;
  }

  #choice(): RegexNode {
    const options = [this.#sequence()];
    while (this.#take("|")) options.push(this.#sequence());
    return options.length === 1 ? options[0]! : { kind: "choice", options };
  }

  #sequence(): RegexNode {
    const parts: RegexNode[] = [];
    while (this.#at < this.#source.length && !this.#peek("|") && !this.#peek(")")) {
      const atom = this.#atom();
      if (atom !== null) parts.push(this.#repeated(atom));
    }
    return parts.length === 1 ? parts[0]! : { kind: "sequence", parts };
  }

  #repeated(atom: RegexNode): RegexNode {
    let of = atom;
    for (let depth = 0; ; depth++) {
      if (depth > DEEPEST) throw this.#refused(`more than ${DEEPEST} repetitions of one another`);
      const bounds = this.#bounds();
      if (bounds === null) return of;
      const { min, max, isCounted } = bounds;
      if (min > MOST_REPEATS || (max !== Number.POSITIVE_INFINITY && max > MOST_REPEATS))
        throw this.#refused(`more than ${MOST_REPEATS} repetitions`);
      const isLazy = this.#take("?");
      of = { kind: "repeat", of, min, max, isLazy };
      // behind a count in braces, Ruby's + repeats once more
      if (!isLazy && !isCounted && this.#take("+")) of = { kind: "atomic", of };
    }
  }

  #bounds(): { min: number; max: number; isCounted: boolean } | null {
    if (this.#take("*")) return { min: 0, max: Number.POSITIVE_INFINITY, isCounted: false };
    if (this.#take("+")) return { min: 1, max: Number.POSITIVE_INFINITY, isCounted: false };
    if (this.#take("?")) return { min: 0, max: 1, isCounted: false };
    const counted = /^\{(\d*)(,?)(\d*)\}/.exec(this.#source.slice(this.#at, this.#at + 20));
    if (counted === null || (counted[1] === "" && counted[3] === "")) return null;
    this.#at += counted[0].length;
    const min = Number(counted[1] || 0);
    const max = counted[2] === "" ? min : counted[3] === "" ? Number.POSITIVE_INFINITY : Number(counted[3]);
    if (max < min) throw this.#refused(`the count ${counted[0]}`);
    return { min, max, isCounted: true };
  }

  #atom(): RegexNode | null {
    if (this.#take("(")) return this.#nested(() => this.#group());
    if (this.#take("[")) return this.#set("[", () => this.#nested(() => this.#bracket()));
    if (this.#take("\\")) return this.#escape();
    if (this.#take("^")) return { kind: "anchor", at: "line start" };
    if (this.#take("$")) return { kind: "anchor", at: "line end" };
    if (this.#take("."))
      return { kind: "set", set: this.#dotTakesAll ? rangeSet(0, 0x10ffff) : literalSet("\n").not() };
    if (/^[*+?]/.test(this.#source[this.#at]!)) throw this.#refused("nothing to repeat");
    return this.#set("", () => literalSet(this.#next()));
  }

  /** The set that `read` reads behind what opens it. */
  #set(opening: string, read: () => CharSet): RegexNode {
    const from = this.#at;
    const set = read();
    const key = `${this.#isFolded ? "i" : "-"}${opening}${this.#source.slice(from, this.#at)}`;
    const known = this.#sets.get(key) ?? (this.#isFolded ? foldedSet(set) : set);
    this.#sets.set(key, known);
    return { kind: "set", set: known };
  }

  #group(): RegexNode | null {
    if (!this.#take("?")) return this.#closed(() => this.#choice());
    if (this.#take(":")) return this.#closed(() => this.#choice());
    if (this.#take(">")) return { kind: "atomic", of: this.#closed(() => this.#choice()) };
    for (const [opening, isBehind, isNegative] of LOOKS)
      if (this.#take(opening)) return { kind: "look", of: this.#closed(() => this.#choice()), isBehind, isNegative };
    if (this.#take("#")) {
      this.#at = this.#source.indexOf(")", this.#at) + 1 || this.#source.length;
      return null;
    }
    const name = /^<[A-Za-z_]\w*>/.exec(this.#source.slice(this.#at, this.#at + 60));
    if (name !== null) {
      this.#at += name[0].length;
      return this.#closed(() => this.#choice());
    }
    return this.#options();
  }

  /** `(?i:…)` and `(?i)`, which holds to the end of the group around it. */
  #options(): RegexNode | null {
    const flags = /^([im]*)(?:-([im]+))?([:)])/.exec(this.#source.slice(this.#at, this.#at + 20));
    if (flags === null) throw this.#refused(`the group (?${this.#source.slice(this.#at, this.#at + 2)}…)`);
    this.#at += flags[0].length;
    const before = [this.#isFolded, this.#dotTakesAll] as const;
    const set = (on: string, value: boolean) => {
      if (on.includes("i")) this.#isFolded = value;
      if (on.includes("m")) this.#dotTakesAll = value;
    };
    set(flags[1]!, true);
    set(flags[2] ?? "", false);
    const rest = flags[3] === ":" ? this.#closed(() => this.#choice()) : this.#choice();
    [this.#isFolded, this.#dotTakesAll] = before;
    return rest;
  }

  #closed(read: () => RegexNode): RegexNode {
    const before = [this.#isFolded, this.#dotTakesAll] as const;
    const node = read();
    [this.#isFolded, this.#dotTakesAll] = before;
    if (!this.#take(")")) throw this.#refused("a group that does not end");
    return node;
  }

  #escape(): RegexNode {
    const char = this.#source[this.#at];
    const anchor = char === undefined ? undefined : ANCHORS[char];
    if (anchor !== undefined) {
      this.#at++;
      return { kind: "anchor", at: anchor };
    }
    return this.#set("\\", () => this.#escapedSet(true));
  }

  /** The set of an escape, behind its backslash. */
  #escapedSet(isOutside = false): CharSet {
    const char = this.#next();
    if (CLASSES.includes(char)) {
      const name = SHORT_CLASSES[char.toLowerCase()]!;
      const set = isOutside && name === "word" ? wordSet() : namedSet(name)!;
      return char === char.toLowerCase() ? set : set.not();
    }
    if (char === "p" || char === "P") return this.#property(char === "P");
    const code = this.#codeOf(char);
    if (code !== null) return literalSet(String.fromCodePoint(code));
    if (/[A-Za-z0-9]/.test(char)) throw this.#refused(`\\${char}`);
    return literalSet(char);
  }

  #codeOf(char: string): number | null {
    if (CONTROLS[char] !== undefined) return CONTROLS[char].codePointAt(0)!;
    const rest = this.#source.slice(this.#at, this.#at + 12);
    const digits =
      char === "x"
        ? /^(?:\{([\da-fA-F]{1,8})\}|([\da-fA-F]{1,2}))/.exec(rest)
        : char === "u"
          ? /^()([\da-fA-F]{4})/.exec(rest)
          : null;
    if (digits === null) return char === "0" ? 0 : null;
    this.#at += digits[0].length;
    const code = Number.parseInt(digits[1] || digits[2]!, 16);
    if (code > 0x10ffff || (char === "x" && !digits[1] && code > 0x7f)) throw this.#refused(`\\${char}${digits[0]}`);
    return code;
  }

  #property(isNegative: boolean): CharSet {
    const braced = /^\{(\^?)([\w =-]+)\}/.exec(this.#source.slice(this.#at, this.#at + 60));
    if (braced === null) throw this.#refused("\\p without a property in braces");
    this.#at += braced[0].length;
    const set = namedSet(braced[2]!);
    if (set === null) throw this.#refused(`the property \\p{${braced[2]}}`);
    return isNegative === (braced[1] === "^") ? set : set.not();
  }

  /** A class in brackets, behind the opening one; `&&` keeps what both sides hold. */
  #bracket(): CharSet {
    const isNegative = this.#take("^");
    const sides: (CharSet | Range)[][] = [[]];
    for (let isFirst = true; ; isFirst = false) {
      if (this.#at >= this.#source.length) throw this.#refused("a class that does not end");
      if (this.#peek("]") && !isFirst) break;
      if (this.#take("&&")) sides.push([]);
      else sides.at(-1)!.push(this.#classMember());
    }
    this.#at++;
    if (sides.some((side) => side.length === 0)) throw this.#refused("an empty class");
    const set = sides.map(joinedMembers).reduce(intersection);
    return isNegative ? (this.#isFolded ? foldedSet(set) : set).not() : set;
  }

  #classMember(): CharSet | Range {
    const posix = /^\[:(\^?)(\w+):\]/.exec(this.#source.slice(this.#at, this.#at + 20));
    if (posix !== null) {
      this.#at += posix[0].length;
      const set = namedSet(posix[2]!);
      if (set === null) throw this.#refused(`the class ${posix[0]}`);
      return posix[1] === "^" ? set.not() : set;
    }
    if (this.#take("[")) return this.#nested(() => this.#bracket());
    const low = this.#classCharacter();
    const isRange = typeof low === "number" && this.#peek("-") && !this.#peek("-]") && !this.#peek("-&&");
    if (!isRange) return typeof low === "number" ? [low, low] : low;
    this.#at++;
    const high = this.#peek("[") ? null : this.#classCharacter();
    if (typeof high !== "number" || high < low) throw this.#refused("a range in a class");
    return [low, high];
  }

  /** One character, or the set of an escape. */
  #classCharacter(): number | CharSet {
    if (!this.#take("\\")) return this.#next().codePointAt(0)!;
    const char = this.#source[this.#at] ?? "";
    if (char === "b") {
      this.#at++;
      return 8;
    }
    if (CLASSES.includes(char) || char === "p" || char === "P") return this.#escapedSet();
    this.#next();
    const code = this.#codeOf(char);
    if (code !== null) return code;
    if (/[A-Za-z0-9]/.test(char)) throw this.#refused(`\\${char} in a class`);
    return this.#source.codePointAt(this.#at - (char === "" ? 0 : 1))!;
  }
}

/** What any of a class's members holds. */
function joinedMembers(members: readonly (CharSet | Range)[]): CharSet {
  const isRange = (member: CharSet | Range): member is Range => Array.isArray(member);
  const ranges = members.filter(isRange);
  const sets = new Set(members.filter((member): member is CharSet => !isRange(member)));
  return union([...(ranges.length > 0 ? [rangesSet(ranges)] : []), ...sets]);
}

const LOOKS = [
  ["=", false, false],
  ["!", false, true],
  ["<=", true, false],
  ["<!", true, true],
] as const;

const SHORT_CLASSES: Readonly<Record<string, string>> = { w: "word", d: "digit", s: "space", h: "xdigit" };
