// Kinds of values a setting takes, as plain data: checks, types, help and completion are derived from them.

import type { PresetName } from "../presets.ts";

/** What values a setting takes; `T` is the type of a checked value. */
export type Kind<T = unknown> = KindFacts & { readonly of?: T };

type KindFacts =
  | { readonly type: "text"; readonly mayBeEmpty: boolean }
  | NumberFacts
  | { readonly type: "boolean" }
  | { readonly type: "choice"; readonly choices: readonly string[] }
  /** Words, in a list or joined by commas; where there are choices, each is one of them. */
  | { readonly type: "words"; readonly choices: readonly string[] | null; readonly mayBeEmpty?: true }
  /** Whole numbers ≥ 0, in a list or joined by commas. */
  | { readonly type: "wholes" }
  | ParsedFacts
  /** `paper` or a row of the paper: names that only the presets know. */
  | { readonly type: "preset" };

interface NumberFacts {
  readonly type: "number";
  readonly isWhole: boolean;
  /** Smallest and largest value, themselves allowed. */
  readonly min?: number;
  readonly max?: number;
  /** Bounds that are themselves not allowed. */
  readonly above?: number;
  readonly below?: number;
}

interface ParsedFacts {
  readonly type: "parsed";
  /** What is accepted, in words. */
  readonly expected: string;
  /** The checked value; undefined for what is not accepted. */
  readonly parse: (value: unknown) => unknown;
  /** The type of a checked value, as TypeScript writes it. */
  readonly typeText: string;
  /** On the command line, text that is a number is taken as one. */
  readonly isNumeric: boolean;
  /** Values that are words, for completion. */
  readonly choices: readonly string[];
}

type Bounds = Omit<NumberFacts, "type" | "isWhole">;

/** The type of a setting's checked value. */
export type ValueOf<K> = K extends { readonly of?: infer T } ? T : never;

/** Any text; without `mayBeEmpty` at least one character. */
export const text = ({ mayBeEmpty = false } = {}): Kind<string> => ({ type: "text", mayBeEmpty });

/** A number within bounds. */
export const number = (bounds: Bounds = {}): Kind<number> => ({ type: "number", isWhole: false, ...bounds });

/** A whole number within bounds. */
export const whole = (bounds: Bounds = {}): Kind<number> => ({ type: "number", isWhole: true, ...bounds });

/** A whole number ≥ 1. */
export const count = (): Kind<number> => whole({ min: 1 });

/** A share, in [0, 1]. */
export const share = (): Kind<number> => number({ min: 0, max: 1 });

/** On or off. */
export const yesNo = (): Kind<boolean> => ({ type: "boolean" });

/** One of some words. */
export const oneOf = <const C extends readonly string[]>(choices: C): Kind<C[number]> => ({ type: "choice", choices });

/** A list of words. */
export const words = ({ mayBeEmpty = false } = {}): Kind<readonly string[]> => ({
  type: "words",
  choices: null,
  ...(mayBeEmpty ? { mayBeEmpty } : {}),
});

/** A list of some known words. */
export const someOf = <const C extends readonly string[]>(choices: C): Kind<readonly C[number][]> => ({
  type: "words",
  choices,
});

/** A list of whole numbers ≥ 0. */
export const wholes = (): Kind<readonly number[]> => ({ type: "wholes" });

/** `paper`, or a row of the paper. */
export const presetName = (): Kind<PresetName> => ({ type: "preset" });

/** What `parse` accepts; `typeText` is its type as TypeScript writes it. */
export const parsed = <T>(
  expected: string,
  typeText: string,
  parse: (value: unknown) => T | undefined,
  { isNumeric = false, choices = [] }: { readonly isNumeric?: boolean; readonly choices?: readonly string[] } = {},
): Kind<T> => ({ type: "parsed", expected, parse, typeText, isNumeric, choices });

/** What a value may be, where that is a few words; for completion. */
export function choicesOf(kind: Kind): readonly string[] {
  switch (kind.type) {
    case "choice":
    case "parsed":
      return kind.choices;
    case "words":
      return kind.choices ?? [];
    default:
      return [];
  }
}
