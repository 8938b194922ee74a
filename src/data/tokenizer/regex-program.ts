// Regular expressions as programs: what is tried, in order.
import { UnsupportedError } from "../../errors.ts";
import type { CharSet } from "./char-set.ts";
import type { Anchor, RegexNode } from "./regex-parse.ts";

/** One step of a program; `next` is the step behind it. */
export type Step =
  | { readonly op: "set"; readonly set: CharSet }
  | { readonly op: "fork"; readonly first: number; readonly second: number }
  | { readonly op: "jump"; readonly to: number }
  /** Back to the fork that a loop begins with; behind the loop where a turn has taken no text. */
  | { readonly op: "again"; readonly to: number; readonly behind: number }
  | {
      readonly op: "look";
      readonly of: Program;
      readonly isNegative: boolean;
      readonly widths: readonly number[] | null;
    }
  | { readonly op: "atomic"; readonly of: Program }
  | { readonly op: "anchor"; readonly at: Anchor }
  | { readonly op: "match" };

export type Program = readonly Step[];

/** Largest program: counts such as `(a{1000}){1000}` are written out. */
const MOST_STEPS = 20_000;

/** A regular expression that is not built, or takes too long. */
export function refused(source: string, what: string): UnsupportedError {
  return new UnsupportedError(`the regular expression ${JSON.stringify(source)} in tokenizer.json (${what})`, [
    "look-behinds of a bounded length, a few thousand steps",
  ]);
}

/** The program of a regular expression. @throws {UnsupportedError} when it is too large, or looks behind without a largest length. */
export function compiled(node: RegexNode, source: string): Program {
  const compiler = new Compiler(source);
  compiler.write(node);
  return compiler.ended();
}

class Compiler {
  readonly #source: string;
  readonly #steps: Step[] = [];

  constructor(source: string) {
    this.#source = source;
  }

  ended(): Program {
    this.#emit({ op: "match" });
    return this.#steps;
  }

  write(node: RegexNode): void {
    switch (node.kind) {
      case "set":
        this.#emit({ op: "set", set: node.set });
        return;
      case "anchor":
        this.#emit({ op: "anchor", at: node.at });
        return;
      case "sequence":
        for (const part of node.parts) this.write(part);
        return;
      case "choice":
        this.#choice(node.options);
        return;
      case "repeat":
        this.#repeat(node);
        return;
      case "atomic":
        this.#emit({ op: "atomic", of: compiled(node.of, this.#source) });
        return;
      case "look": {
        const widths = node.isBehind ? widthsOf(node.of) : null;
        if (node.isBehind && widths === null) throw refused(this.#source, "a look-behind without a largest length");
        this.#emit({ op: "look", of: compiled(node.of, this.#source), isNegative: node.isNegative, widths });
      }
    }
  }

  #emit(step: Step): number {
    if (this.#steps.length >= MOST_STEPS) throw refused(this.#source, "too large");
    return this.#steps.push(step) - 1;
  }

  /** A step that is filled in when its place is known. */
  #later(): number {
    return this.#emit({ op: "match" });
  }

  #choice(options: readonly RegexNode[]): void {
    const jumps: number[] = [];
    options.forEach((option, i) => {
      if (i === options.length - 1) {
        this.write(option);
        return;
      }
      const fork = this.#later();
      this.write(option);
      jumps.push(this.#later());
      this.#steps[fork] = { op: "fork", first: fork + 1, second: this.#steps.length };
    });
    for (const jump of jumps) this.#steps[jump] = { op: "jump", to: this.#steps.length };
  }

  #repeat({ of, min, max, isLazy }: Extract<RegexNode, { kind: "repeat" }>): void {
    for (let i = 0; i < min; i++) this.write(of);
    const forkTo = (fork: number, inside: number, outside: number) => {
      this.#steps[fork] = { op: "fork", first: isLazy ? outside : inside, second: isLazy ? inside : outside };
    };
    if (max === Number.POSITIVE_INFINITY) {
      const fork = this.#later();
      this.write(of);
      const again = this.#later();
      this.#steps[again] = { op: "again", to: fork, behind: again + 1 };
      forkTo(fork, fork + 1, again + 1);
      return;
    }
    const forks: number[] = [];
    for (let i = min; i < max; i++) {
      forks.push(this.#later());
      this.write(of);
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
