// Regular expressions matched in time linear in the text, whatever the expression: a tokenizer.json from elsewhere cannot hang a run.
import { wordSet } from "./char-set.ts";
import type { Find } from "./patterns.ts";
import { type Anchor, parseRegex } from "./regex-parse.ts";
import { compiled, type Program, refused, type Step } from "./regex-program.ts";

/**
 * The search for a regular expression of tokenizer.json.
 *
 * Backtracking finds the match that Oniguruma finds; a step that failed at a place is not tried there again, which no
 * back-reference could notice as there are none.
 * @throws {UnsupportedError} naming what of it is not built; the search throws it where it would take too long.
 */
export function regexFind(source: string): Find {
  const program = compiled(parseRegex(source), source);
  let last: { readonly text: string; readonly matcher: Matcher } | null = null;
  return (text, from) => {
    if (last?.text !== text) last = { text, matcher: new Matcher(text, source) };
    const { matcher } = last;
    for (let at = from; at <= text.length; at += at < text.length && text.codePointAt(at)! > 0xffff ? 2 : 1) {
      const end = matcher.endOf(program, at);
      if (end >= 0) return [at, end];
    }
    return null;
  };
}

/** Steps for each unit of a text; what parts that stand for themselves take is the square of it at worst. */
const STEPS_FOR_A_UNIT = 300;

/** What is known of one text: which steps failed where, and where parts that stand for themselves end. */
class Matcher {
  readonly #text: string;
  readonly #source: string;
  #stepsLeft: number;
  readonly #failed = new Map<Program, Uint8Array>();
  readonly #ends = new Map<Program, Map<number, number>>();

  constructor(text: string, source: string) {
    this.#text = text;
    this.#source = source;
    this.#stepsLeft = STEPS_FOR_A_UNIT * (text.length + 1000);
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
        if (--this.#stepsLeft < 0) throw refused(this.#source, `too many steps in a text of ${this.#text.length}`);
        const does = program[step]!;
        if (does.op === "match") {
          if (to === null || at === to) return at;
          break;
        }
        if (does.op === "fork") {
          stack.push(does.second, at);
          step = does.first;
        } else if (does.op === "jump") step = does.to;
        else if (does.op === "again") {
          const fork = program[does.to] as Extract<Step, { op: "fork" }>;
          const goesOn = isNew(does.to * width + at);
          if (goesOn) stack.push(fork.second, at);
          step = goesOn ? fork.first : does.behind;
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
