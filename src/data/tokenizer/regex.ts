// Regular expressions matched in time linear in the text, whatever the expression: a tokenizer.json from elsewhere cannot hang a run.

import { UnsupportedError } from "../../errors.ts";
import { type CharSet, wordSet } from "./char-set.ts";
import type { Find } from "./patterns.ts";
import { type Anchor, parseRegex, type RegexNode } from "./regex-parse.ts";

/** One step of a program; `next` is the step behind it. */
type Step =
  | { readonly op: "set"; readonly set: CharSet }
  | { readonly op: "fork"; readonly first: number; readonly second: number }
  | { readonly op: "jump"; readonly to: number }
  | {
      readonly op: "look";
      readonly of: Program;
      readonly isNegative: boolean;
      readonly widths: readonly number[] | null;
    }
  | { readonly op: "atomic"; readonly of: Program }
  | { readonly op: "anchor"; readonly at: Anchor }
  | { readonly op: "match" };

type Program = readonly Step[];

/** Largest program: counts such as `(a{1000}){1000}` are written out. */
const MOST_STEPS = 20_000;

/**
 * The search for a regular expression of tokenizer.json.
 *
 * Backtracking finds the match that Oniguruma finds; a step that failed at a place is not tried there again, which no
 * back-reference could notice as there are none.
 * @throws {UnsupportedError} naming what of it is not built.
 */
export function regexFind(source: string): Find {
  const program = compiled(parseRegex(source), source);
  let last: { readonly text: string; readonly matcher: Matcher } | null = null;
  return (text, from) => {
    if (last?.text !== text) last = { text, matcher: new Matcher(text) };
    const { matcher } = last;
    for (let at = from; at <= text.length; at += at < text.length && text.codePointAt(at)! > 0xffff ? 2 : 1) {
      const end = matcher.endOf(program, at);
      if (end >= 0) return [at, end];
    }
    return null;
  };
}

/** What is known of one text: which steps failed where, and where parts that stand for themselves end. */
class Matcher {
  readonly #text: string;
  readonly #failed = new Map<Program, Uint8Array>();
  readonly #ends = new Map<Program, Map<number, number>>();

  constructor(text: string) {
    this.#text = text;
  }

  /** Where a match from a place ends; −1 when there is none. */
  endOf(program: Program, from: number): number {
    let failed = this.#failed.get(program);
    if (failed === undefined) {
      failed = new Uint8Array(program.length * (this.#text.length + 1));
      this.#failed.set(program, failed);
    }
    const tried: number[] = [];
    const end = this.#run(program, from, null, (key) => {
      if (failed[key] === 1) return false;
      failed[key] = 1;
      tried.push(key);
      return true;
    });
    // what led to a match has not failed
    if (end >= 0) for (const key of tried) failed[key] = 0;
    return end;
  }

  /** Where a match that nothing outside can shorten ends; found once for each place. */
  #ownEnd(program: Program, from: number): number {
    let ends = this.#ends.get(program);
    if (ends === undefined) {
      ends = new Map();
      this.#ends.set(program, ends);
    }
    let end = ends.get(from);
    if (end === undefined) {
      end = this.endOf(program, from);
      ends.set(from, end);
    }
    return end;
  }

  /** Runs a program from a place, to a given end where there is one; `isNew` says whether a step was not tried there before. */
  #run(program: Program, from: number, to: number | null, isNew: (key: number) => boolean): number {
    const width = this.#text.length + 1;
    const stack = [0, from];
    while (stack.length > 0) {
      let at = stack.pop()!;
      let step = stack.pop()!;
      while (isNew(step * width + at)) {
        const does = program[step]!;
        if (does.op === "match") {
          if (to === null || at === to) return at;
          break;
        }
        if (does.op === "fork") {
          stack.push(does.second, at);
          step = does.first;
        } else if (does.op === "jump") step = does.to;
        else {
          at = this.#after(does, at);
          if (at < 0) break;
          step++;
        }
      }
    }
    return -1;
  }

  /** Where a step that takes text, or looks at it, goes on; −1 when it fails. */
  #after(does: Exclude<Step, { op: "match" | "fork" | "jump" }>, at: number): number {
    const text = this.#text;
    switch (does.op) {
      case "set": {
        if (at >= text.length) return -1;
        const code = text.codePointAt(at)!;
        return does.set.has(code) ? at + (code > 0xffff ? 2 : 1) : -1;
      }
      case "anchor":
        return stands(does.at, text, at) ? at : -1;
      case "atomic":
        return this.#ownEnd(does.of, at);
      case "look": {
        const { of, widths, isNegative } = does;
        const found =
          widths === null
            ? this.#ownEnd(of, at) >= 0
            : widths.some((count) => this.#reaches(of, back(text, at, count), at));
        return found === isNegative ? -1 : at;
      }
    }
  }

  /** Whether a match goes from one place exactly to another; from −1 none does. */
  #reaches(program: Program, from: number, to: number): boolean {
    const tried = new Set<number>();
    const isNew = (key: number) => !tried.has(key) && tried.add(key) !== undefined;
    return from >= 0 && this.#run(program, from, to, isNew) >= 0;
  }
}

/** The place `count` characters before another; −1 when the text begins sooner. */
function back(text: string, from: number, count: number): number {
  let at = from;
  for (let i = 0; i < count; i++) {
    if (at <= 0) return -1;
    at -= at > 1 && text.codePointAt(at - 2)! > 0xffff ? 2 : 1;
  }
  return at;
}

const words = wordSet();

function stands(anchor: Anchor, text: string, at: number): boolean {
  const isWord = (place: number) => place >= 0 && place < text.length && words.has(text.codePointAt(place)!);
  switch (anchor) {
    case "text start":
      return at === 0;
    case "text end":
      return at === text.length;
    case "last line end":
      return at === text.length || (at === text.length - 1 && text[at] === "\n");
    case "line start":
      return at === 0 || (text[at - 1] === "\n" && at < text.length);
    case "line end":
      return at === text.length || text[at] === "\n";
    case "word edge":
      return isWord(back(text, at, 1)) !== isWord(at);
    case "no word edge":
      return isWord(back(text, at, 1)) === isWord(at);
  }
}

function compiled(node: RegexNode, source: string): Program {
  return new ProgramWriter(source).program(node);
}

/** Writes the steps of a regular expression, one after the other. */
class ProgramWriter {
  readonly #source: string;
  readonly #steps: Step[] = [];

  constructor(source: string) {
    this.#source = source;
  }

  /** The steps of a whole expression. @throws {UnsupportedError} when it is too large, or looks behind without a bound. */
  program(node: RegexNode): Program {
    this.#write(node);
    this.#emit({ op: "match" });
    return this.#steps;
  }

  #refused(what: string): UnsupportedError {
    return new UnsupportedError(`the regular expression ${JSON.stringify(this.#source)} in tokenizer.json (${what})`, [
      "look-behinds of a bounded length, at most a few thousand steps",
    ]);
  }

  #emit(step: Step): number {
    if (this.#steps.length >= MOST_STEPS) throw this.#refused("too large");
    return this.#steps.push(step) - 1;
  }

  #write(of: RegexNode): void {
    switch (of.kind) {
      case "set":
        this.#emit({ op: "set", set: of.set });
        return;
      case "anchor":
        this.#emit({ op: "anchor", at: of.at });
        return;
      case "sequence":
        for (const part of of.parts) this.#write(part);
        return;
      case "choice":
        this.#choice(of.options);
        return;
      case "repeat":
        this.#repeat(of);
        return;
      case "atomic":
        this.#emit({ op: "atomic", of: compiled(of.of, this.#source) });
        return;
      case "look": {
        const widths = of.isBehind ? widthsOf(of.of) : null;
        if (of.isBehind && widths === null) throw this.#refused("a look-behind without a largest length");
        this.#emit({ op: "look", of: compiled(of.of, this.#source), isNegative: of.isNegative, widths });
      }
    }
  }

  #choice(options: readonly RegexNode[]): void {
    const jumps: number[] = [];
    options.forEach((option, i) => {
      if (i === options.length - 1) {
        this.#write(option);
        return;
      }
      const fork = this.#emit({ op: "match" });
      this.#write(option);
      jumps.push(this.#emit({ op: "match" }));
      this.#steps[fork] = { op: "fork", first: fork + 1, second: this.#steps.length };
    });
    for (const jump of jumps) this.#steps[jump] = { op: "jump", to: this.#steps.length };
  }

  #repeat({ of, min, max, isLazy }: Extract<RegexNode, { kind: "repeat" }>): void {
    for (let i = 0; i < min; i++) this.#write(of);
    const forkTo = (fork: number, inside: number, outside: number) => {
      this.#steps[fork] = { op: "fork", first: isLazy ? outside : inside, second: isLazy ? inside : outside };
    };
    if (max === Number.POSITIVE_INFINITY) {
      const fork = this.#emit({ op: "match" });
      this.#write(of);
      this.#emit({ op: "jump", to: fork });
      forkTo(fork, fork + 1, this.#steps.length);
      return;
    }
    const forks: number[] = [];
    for (let i = min; i < max; i++) {
      forks.push(this.#emit({ op: "match" }));
      this.#write(of);
    }
    for (const fork of forks) forkTo(fork, fork + 1, this.#steps.length);
  }
}

/** How many characters a match can have, where there is a largest number; null where there is none. */
function widthsOf(node: RegexNode): number[] | null {
  switch (node.kind) {
    case "set":
      return [1];
    case "anchor":
    case "look":
      return [0];
    case "atomic":
      return widthsOf(node.of);
    case "choice":
      return joinedWidths(node.options.map(widthsOf), (all) => all.flat());
    case "sequence":
      return joinedWidths(node.parts.map(widthsOf), (all) => all.reduce(sums, [0]));
    case "repeat": {
      const one = widthsOf(node.of);
      if (one === null || node.max > LONGEST_BEHIND) return null;
      let total = [0];
      const all: number[] = node.min === 0 ? [0] : [];
      for (let i = 1; i <= node.max; i++) {
        total = sums(total, one);
        if (i >= node.min) all.push(...total);
      }
      return unique(all);
    }
  }
}

/** The most characters that a look-behind may have. */
const LONGEST_BEHIND = 100;

function joinedWidths(all: readonly (number[] | null)[], join: (all: number[][]) => number[]): number[] | null {
  const known = all.filter((widths) => widths !== null);
  return known.length < all.length ? null : unique(join(known));
}

function sums(a: readonly number[], b: readonly number[]): number[] {
  return unique(a.flatMap((first) => b.map((second) => first + second)));
}

const unique = (numbers: readonly number[]): number[] =>
  [...new Set(numbers)].filter((n) => n <= LONGEST_BEHIND).sort((a, b) => a - b);
