// Sets of characters, as regular expressions name them.
import { CharClass, charClasses } from "./unicode.ts";

/** A set of code points. */
export interface CharSet {
  has(code: number): boolean;
  /** All other code points. */
  not(): CharSet;
}

/** The code points that a test accepts; what it says of the first 65,536 is remembered. */
export function charSet(test: (code: number) => boolean): CharSet {
  const known = new Uint8Array(0x10000);
  return {
    has(code) {
      if (code > 0xffff) return test(code);
      const before = known[code]!;
      if (before !== 0) return before === 2;
      const is = test(code);
      known[code] = is ? 2 : 1;
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
    not: () => charSet((code) => code < low || code > high),
  };
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

/** `\w` outside brackets, where Oniguruma takes some signs of Latin-1 along. */
export function wordSet(): CharSet {
  return union([NAMED.word!(), charSet((code) => "²³¹¼½¾".includes(String.fromCodePoint(code)))]);
}

/** The set of that name, a general category or a script; null when there is none. */
export function namedSet(name: string): CharSet | null {
  const made = NAMED[name.toLowerCase().replace(/[ _-]/g, "")];
  if (made !== undefined) return made();
  for (const form of [name, `Script=${name}`]) {
    try {
      return propertySet(new RegExp(`\\p{${form}}`, "u"));
    } catch {
      // no such property: the next form, or none
    }
  }
  return null;
}
