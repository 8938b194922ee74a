// Regular expressions as programs: what is tried, in order.
import type { CharSet } from "./char-set.ts";
import { type Anchor, type RegexNode, refusedRegex, type Written } from "./regex-parse.ts";

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

export interface Program {
  readonly steps: readonly Step[];
  /** Whether a turn of one of its loops may take no text: whether a step fails may then depend on what led to it. */
  readonly mayTurnEmpty: boolean;
}

/** The program of a regular expression. @throws {UnsupportedError} when it is too large, or looks behind without a largest length. */
export function compiled(node: RegexNode, written: Written): Program {
  return new Compiler({ written, stepsLeft: written.mostSteps, programs: new Map(), widths: new Map() }).program(node);
}

/** What the programs of an expression and of its parts have together. */
interface Shared {
  readonly written: Written;
  stepsLeft: number;
  /** Programs of parts that stand for themselves; a part that is repeated has one. */
  readonly programs: Map<RegexNode, Program>;
  readonly widths: Map<RegexNode, Widths | null>;
}

class Compiler {
  readonly #shared: Shared;
  readonly #steps: Step[] = [];
  #mayTurnEmpty = false;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  program(node: RegexNode): Program {
    this.write(node);
    this.#emit({ op: "match" });
    return { steps: this.#steps, mayTurnEmpty: this.#mayTurnEmpty };
  }

  /** The program of a part that nothing outside can shorten. */
  #own(node: RegexNode): Program {
    const { programs } = this.#shared;
    const program = programs.get(node) ?? new Compiler(this.#shared).program(node);
    programs.set(node, program);
    return program;
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
        this.#emit({ op: "atomic", of: this.#own(node.of) });
        return;
      case "look": {
        const widths = node.isBehind ? widthsOf(node.of, this.#shared.widths) : null;
        if (node.isBehind && widths === null)
          throw refusedRegex(this.#shared.written, "a look-behind without a largest length");
        this.#emit({
          op: "look",
          of: this.#own(node.of),
          isNegative: node.isNegative,
          widths: widths === null ? null : numbersOf(widths),
        });
      }
    }
  }

  #emit(step: Step): number {
    if (--this.#shared.stepsLeft < 0) throw refusedRegex(this.#shared.written, "too large");
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
      this.#mayTurnEmpty ||= mayBeEmpty(of);
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

/** Whether a match can have no characters. */
function mayBeEmpty(node: RegexNode): boolean {
  switch (node.kind) {
    case "set":
      return false;
    case "anchor":
    case "look":
      return true;
    case "atomic":
      return mayBeEmpty(node.of);
    case "choice":
      return node.options.some(mayBeEmpty);
    case "sequence":
      return node.parts.every(mayBeEmpty);
    case "repeat":
      return node.min === 0 || mayBeEmpty(node.of);
  }
}

/** The most characters that a look-behind may have. */
const LONGEST_BEHIND = 100;

/** Numbers of characters from 0 to `LONGEST_BEHIND`, as bits. */
type Widths = bigint;

const KEPT = (1n << BigInt(LONGEST_BEHIND + 1)) - 1n;

function numbersOf(widths: Widths): number[] {
  return Array.from({ length: LONGEST_BEHIND + 1 }, (_, n) => n).filter((n) => (widths >> BigInt(n)) & 1n);
}

/** How many characters a match can have, where there is a largest number; null where there is none. Each node is looked at once. */
function widthsOf(node: RegexNode, known: Map<RegexNode, Widths | null>): Widths | null {
  const before = known.get(node);
  if (before !== undefined) return before;
  const widths = newWidthsOf(node, known);
  known.set(node, widths);
  return widths;
}

function newWidthsOf(node: RegexNode, known: Map<RegexNode, Widths | null>): Widths | null {
  switch (node.kind) {
    case "set":
      return 0b10n;
    case "anchor":
    case "look":
      return 0b1n;
    case "atomic":
      return widthsOf(node.of, known);
    case "choice":
      return joinedWidths(node.options, known, 0n, (all, one) => all | one);
    case "sequence":
      return joinedWidths(node.parts, known, 1n, sums);
    case "repeat": {
      const one = widthsOf(node.of, known);
      if (one === null || node.max > LONGEST_BEHIND) return null;
      let total = 1n;
      let all = node.min === 0 ? 1n : 0n;
      for (let i = 1; i <= node.max; i++) {
        total = sums(total, one);
        if (i >= node.min) all |= total;
      }
      return all;
    }
  }
}

function joinedWidths(
  nodes: readonly RegexNode[],
  known: Map<RegexNode, Widths | null>,
  first: Widths,
  join: (all: Widths, one: Widths) => Widths,
): Widths | null {
  let all = first;
  for (const node of nodes) {
    const one = widthsOf(node, known);
    if (one === null) return null;
    all = join(all, one);
  }
  return all;
}

/** The sums of one number of each. */
function sums(a: Widths, b: Widths): Widths {
  let all = 0n;
  for (let n = 0n; n <= LONGEST_BEHIND; n++) if ((b >> n) & 1n) all |= a << n;
  return all & KEPT;
}
