// Regular expressions matched in time linear in the text, whatever the expression: a tokenizer.json from elsewhere cannot hang a run.
import { shownValue } from "../../errors.ts";
import { wordSet } from "./char-set.ts";
import type { Find } from "./patterns.ts";
import { type Anchor, parseRegex, refusedRegex, type Written } from "./regex-parse.ts";
import { compiled, type Program, type Step } from "./regex-program.ts";
import { StepBudget } from "./step-budget.ts";

/** What is known of the text that was searched last: one for all expressions, as they take turns only where a search has ended. */
let last: {
  readonly find: Find;
  readonly text: string;
  readonly budget: StepBudget | undefined;
  readonly matcher: Matcher;
} | null = null;

/**
 * The search for a regular expression of a file. Without a budget, a text has one of its own.
 *
 * Backtracking finds the match that Oniguruma finds; a step that failed at a place is not tried there again, which no
 * back-reference could notice as there are none.
 * @param options - How errors call the expression, and how many steps it may have.
 * @throws {UnsupportedError} naming what of it is not built; the search throws it where it would take too long, or too much memory.
 */
export function regexFind(source: string, options: Partial<Omit<Written, "source">> = {}): Find {
  const named = `the regular expression ${shownValue(source)} in tokenizer.json`;
  const written = { source, named, mostSteps: MOST_STEPS, ...options };
  const program = compiled(parseRegex(written), written);
  const find: Find = (text, from, budget) => {
    if (last?.find !== find || last.text !== text || last.budget !== budget)
      last = { find, text, budget, matcher: new Matcher(text, written, budget ?? new StepBudget(text.length)) };
    const { matcher } = last;
    for (let at = from; at <= text.length; at += at < text.length && text.codePointAt(at)! > 0xffff ? 2 : 1) {
      const end = matcher.endOf(program, at);
      if (end >= 0) return [at, end];
    }
    return null;
  };
  return find;
}

const MOST_STEPS = 20_000;

/** Bytes that may be remembered for a text: 64 MB, more only for a text of more than a million units. */
const MOST_BYTES = 2 ** 26;
const MOST_BYTES_FOR_A_UNIT = 64;

/** What a run knows of steps at places, by step × width + place − base. */
interface Memo {
  readonly base: number;
  readonly width: number;
  /** Tried: it has failed, unless it is being tried or `good`. A bit for each. */
  readonly tried: Uint8Array;
  /** Led to a match, of a part that stands for itself. A bit for each. */
  readonly good: Uint8Array | null;
  /** Where that match ended. */
  readonly ends: Int32Array | null;
}

const has = (bits: Uint8Array, key: number): boolean => (bits[key >>> 3]! & (1 << (key & 7))) !== 0;

/** Keeps of the steps that led to a match that they did, in a part that stands for itself; else that they have not failed. */
function remembered({ tried, good, ends }: Memo, keys: readonly number[], end: number): number {
  for (const key of keys) {
    if (good === null) tried[key >>> 3]! &= ~(1 << (key & 7));
    else good[key >>> 3]! |= 1 << (key & 7);
    if (ends !== null) ends[key] = end;
  }
  return end;
}

/** What is known of one text: which steps failed where, and where parts that stand for themselves end. */
class Matcher {
  readonly #text: string;
  readonly #written: Written;
  readonly #budget: StepBudget;
  #bytesLeft: number;
  readonly #memos = new Map<Program, Memo>();
  /** Where parts end whose loops may turn empty: 0 is not known, 1 is none. */
  readonly #ends = new Map<Program, Int32Array>();

  constructor(text: string, written: Written, budget: StepBudget) {
    this.#text = text;
    this.#written = written;
    this.#bytesLeft = Math.max(MOST_BYTES, MOST_BYTES_FOR_A_UNIT * text.length);
    this.#budget = budget;
  }

  /** Where a match from a place ends; −1 when there is none. */
  endOf(program: Program, from: number): number {
    let memo = this.#memos.get(program);
    if (memo === undefined) {
      memo = { ...this.#whole, tried: this.#bits(program), good: null, ends: null };
      this.#memos.set(program, memo);
    }
    return this.#run(program, from, null, memo);
  }

  get #whole() {
    return { base: 0, width: this.#text.length + 1 };
  }

  /** A bit for each step at each place. */
  #bits({ steps }: Program): Uint8Array {
    return new Uint8Array(this.#allowed(Math.ceil((steps.length * (this.#text.length + 1)) / 8)));
  }

  /** The number of bytes, where they may be taken. */
  #allowed(bytes: number): number {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) throw this.#tooMuch("too large");
    return bytes;
  }

  #tooMuch(what: string) {
    const told = `${what} for a text of ${this.#text.length} characters`;
    return refusedRegex(this.#written, told, "expressions that are matched in a few hundred steps for each character");
  }

  /** Where a match that nothing outside can shorten ends; found once for each place. */
  #ownEnd(program: Program, from: number, isEndAsked: boolean): number {
    if (program.mayTurnEmpty) return this.#knownEnd(program, from);
    let memo = this.#memos.get(program);
    if (memo === undefined) {
      const [tried, good] = [this.#bits(program), this.#bits(program)];
      const cells = isEndAsked ? this.#allowed(program.steps.length * (this.#text.length + 1) * 4) / 4 : 0;
      memo = { ...this.#whole, tried, good, ends: isEndAsked ? new Int32Array(cells) : null };
      this.#memos.set(program, memo);
    }
    return this.#run(program, from, null, memo);
  }

  #knownEnd(program: Program, from: number): number {
    let ends = this.#ends.get(program);
    if (ends === undefined) {
      ends = new Int32Array(this.#allowed(4 * (this.#text.length + 1)) / 4);
      this.#ends.set(program, ends);
    }
    if (ends[from] === 0) ends[from] = this.endOf(program, from) + 2;
    return ends[from]! - 2;
  }

  /** Runs a program from a place, to a given end where there is one; −1 when there is no match. */
  #run(program: Program, from: number, to: number | null, memo: Memo): number {
    const { steps, mayTurnEmpty } = program;
    const { tried, good, ends, base, width } = memo;
    /** The steps that led here, by their keys; all that were tried, where what led to one may matter. */
    const trail: number[] = [];
    const all: number[] | null = mayTurnEmpty ? [] : null;
    const stack = [0, from, 0];
    while (stack.length > 0) {
      trail.length = stack.pop()!;
      let at = stack.pop()!;
      let step = stack.pop()!;
      for (;;) {
        if (to !== null && at > to) break;
        const key = step * width + at - base;
        if (has(tried, key)) {
          if (good === null || !has(good, key)) break;
          return remembered(memo, trail, ends === null ? at : ends[key]!);
        }
        if (!this.#budget.take()) throw this.#tooMuch("too many steps");
        tried[key >>> 3]! |= 1 << (key & 7);
        trail.push(key);
        all?.push(key);
        const does = steps[step]!;
        if (does.op === "match") {
          if (to === null || at === to) return remembered(memo, all ?? trail, at);
          break;
        }
        if (does.op === "fork") {
          stack.push(does.second, at, trail.length);
          step = does.first;
        } else if (does.op === "jump") step = does.to;
        else if (does.op === "again") {
          const turnsEmpty = mayTurnEmpty && has(tried, does.to * width + at - base);
          step = turnsEmpty ? does.behind : does.to;
        } else {
          at = this.#after(does, at);
          if (at < 0) break;
          step++;
        }
      }
    }
    return -1;
  }

  /** Where a step that takes text, or looks at it, goes on; −1 when it fails. */
  #after(does: Exclude<Step, { op: "match" | "fork" | "jump" | "again" }>, at: number): number {
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
        return this.#ownEnd(does.of, at, true);
      case "look": {
        const { of, widths, isNegative } = does;
        const found = widths === null ? this.#ownEnd(of, at, false) >= 0 : this.#endsAt(of, widths, at);
        return found === isNegative ? -1 : at;
      }
    }
  }

  /** Whether a match of one of the numbers of characters ends at a place. */
  #endsAt(program: Program, widths: readonly number[], to: number): boolean {
    const base = Math.max(0, to - 2 * widths.at(-1)!);
    const width = to - base + 1;
    const bytes = Math.ceil((program.steps.length * width) / 8);
    if (!this.#budget.take(1 + (bytes >> 8))) throw this.#tooMuch("too many steps");
    const memo = { tried: new Uint8Array(bytes), good: null, ends: null, base, width };
    let from = to;
    let before = 0;
    for (const count of widths) {
      from = back(this.#text, from, count - before);
      before = count;
      if (from < 0) return false;
      if (this.#run(program, from, to, memo) >= 0) return true;
    }
    return false;
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
