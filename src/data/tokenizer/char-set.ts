// Sets of characters, as regular expressions name them.
import { CharClass, charClasses } from "./unicode.ts";

/** A set of code points. */
export interface CharSet {
  has(code: number): boolean;
  /** All other code points. */
  not(): CharSet;
}

/** The code points that a test accepts; what it says of the first 65,536 is remembered, by pages of 256 that are asked for. */
export function charSet(test: (code: number) => boolean): CharSet {
  const pages: Uint8Array[] = [];
  return {
    has(code) {
      if (code > 0xffff) return test(code);
      let page = pages[code >> 8];
      if (page === undefined) {
        page = new Uint8Array(256);
        pages[code >> 8] = page;
      }
      const before = page[code & 0xff]!;
      if (before !== 0) return before === 2;
      const is = test(code);
      page[code & 0xff] = is ? 2 : 1;
      return is;
    },
    not() {
      return charSet((code) => !this.has(code));
    },
  };
}

export function literalSet(char: string): CharSet {
  const code = char.codePointAt(0)!;
  return rangeSet(code, code);
}

/** The code points from `low` to `high`, both included. */
export function rangeSet(low: number, high: number): CharSet {
  return {
    has: (code) => code >= low && code <= high,
    not: () => rangesSet([...(low > 0 ? [[0, low - 1] as const] : []), [high + 1, 0x10ffff]]),
  };
}

/** Code points from the first to the last, both included. */
export type Range = readonly [low: number, high: number];

/** The code points of any of the ranges. */
export function rangesSet(ranges: readonly Range[]): CharSet {
  const lows: number[] = [];
  const highs: number[] = [];
  for (const [low, high] of ranges.toSorted(([a], [b]) => a - b)) {
    if (lows.length > 0 && low <= highs.at(-1)! + 1) highs[highs.length - 1] = Math.max(highs.at(-1)!, high);
    else {
      lows.push(low);
      highs.push(high);
    }
  }
  const has = (code: number) => {
    let [from, to] = [0, lows.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (lows[middle]! <= code) from = middle + 1;
      else to = middle;
    }
    return from > 0 && code <= highs[from - 1]!;
  };
  return { has, not: () => charSet((code) => !has(code)) };
}

export function union(sets: readonly CharSet[]): CharSet {
  return sets.length === 1 ? sets[0]! : charSet((code) => sets.some((set) => set.has(code)));
}

export function intersection(a: CharSet, b: CharSet): CharSet {
  return charSet((code) => a.has(code) && b.has(code));
}

/** The set with everything that differs from one of its characters in case alone. */
export function foldedSet(set: CharSet): CharSet {
  return charSet((code) => {
    if (set.has(code)) return true;
    const char = String.fromCodePoint(code);
    const forms = [
      char.toLowerCase(),
      char.toUpperCase(),
      char.toUpperCase().toLowerCase(),
      char.toLowerCase().toUpperCase(),
    ];
    return forms.some((form) => isOneCharacter(form) && set.has(form.codePointAt(0)!));
  });
}

/** Whether a text is one code point. */
export function isOneCharacter(text: string): boolean {
  return text !== "" && text.length === (text.codePointAt(0)! > 0xffff ? 2 : 1);
}

const classSet = (bits: number): CharSet => charSet((code) => (charClasses()[code]! & bits) !== 0);
/** What a property of the engine's Unicode holds for, as far as Oniguruma knows the character. */
const propertySet = (pattern: RegExp): CharSet =>
  charSet((code) => (charClasses()[code]! & CharClass.unassigned) === 0 && pattern.test(String.fromCodePoint(code)));

/** Sets by their names in POSIX brackets and `\p{…}`. */
const NAMED: Readonly<Record<string, () => CharSet>> = {
  alpha: () => propertySet(/\p{Alphabetic}/u),
  alnum: () => propertySet(/[\p{Alphabetic}\p{Nd}]/u),
  digit: () => propertySet(/\p{Nd}/u),
  lower: () => propertySet(/\p{Lowercase}/u),
  upper: () => propertySet(/\p{Uppercase}/u),
  space: () => classSet(CharClass.whitespace),
  blank: () => propertySet(/[\t\p{Zs}]/u),
  punct: () => propertySet(/[\p{P}\p{S}]/u),
  cntrl: () => propertySet(/\p{Cc}/u),
  word: () => propertySet(/[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u),
  xdigit: () => propertySet(/[\da-fA-F]/),
  ascii: () => rangeSet(0, 0x7f),
  any: () => rangeSet(0, 0x10ffff),
  cn: () => classSet(CharClass.unassigned),
  unassigned: () => classSet(CharClass.unassigned),
  c: () => union([classSet(CharClass.unassigned), propertySet(/\p{C}/u)]),
  other: () => union([classSet(CharClass.unassigned), propertySet(/\p{C}/u)]),
  l: () => classSet(CharClass.letter),
  letter: () => classSet(CharClass.letter),
  n: () => classSet(CharClass.number),
  number: () => classSet(CharClass.number),
  mn: () => classSet(CharClass.mark),
};

let words: CharSet | undefined;

/** `\w` outside brackets, where Oniguruma takes some signs of Latin-1 along. */
export function wordSet(): CharSet {
  words ??= union([NAMED.word!(), charSet((code) => "²³¹¼½¾".includes(String.fromCodePoint(code)))]);
  return words;
}

/** Sets that were asked for: there are as many as there are names of properties. */
const known = new Map<string, CharSet>();

/** The set of that name, a general category or a script; null when there is none. */
export function namedSet(name: string): CharSet | null {
  const plain = name.toLowerCase().replace(/[ _-]/g, "");
  const make = Object.hasOwn(NAMED, plain) ? NAMED[plain] : undefined;
  const key = make === undefined ? name : plain;
  const set = known.get(key) ?? make?.() ?? unicodeSet(name);
  if (set !== null) known.set(key, set);
  return set;
}

function unicodeSet(name: string): CharSet | null {
  for (const form of [name, `Script=${name}`]) {
    try {
      return propertySet(new RegExp(`\\p{${form}}`, "u"));
    } catch {
      // no such property: the next form, or none
    }
  }
  return null;
}
