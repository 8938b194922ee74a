// Splitting a text by what it holds: what a pattern finds, and what becomes of it, as the Rust library's Pattern and SplitDelimiterBehavior.
import type { StepBudget } from "./step-budget.ts";
import { sliceOf, type TrackedText, widthAt } from "./tracked-text.ts";

/** A part of a text, from `from` up to `to`; the parts of a text cover it. */
export interface Part {
  readonly from: number;
  readonly to: number;
  readonly isMatch: boolean;
}

/** Text → its parts, in order. A search takes steps from the budget where there is one. */
export type Pattern = (text: string, budget?: StepBudget) => Part[];

/** What becomes of the parts that match. */
export const BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;
export type Behavior = (typeof BEHAVIORS)[number];

/** Every character that `is` accepts, by its code point, is a match by itself. */
export function characterPattern(is: (code: number) => boolean): Pattern {
  return (text) => {
    const parts: Part[] = [];
    let last = 0;
    for (let at = 0; at < text.length; ) {
      const width = widthAt(text, at);
      if (is(text.codePointAt(at)!)) {
        if (at > last) parts.push({ from: last, to: at, isMatch: false });
        last = at + width;
        parts.push({ from: at, to: last, isMatch: true });
      }
      at += width;
    }
    if (last < text.length) parts.push({ from: last, to: text.length, isMatch: false });
    return parts;
  };
}

/** Every run of characters of one kind is a match, but those of kind 0. */
export function runPattern(kindOf: (code: number) => number): Pattern {
  return (text) => {
    const parts: Part[] = [];
    let from = 0;
    let before = -1;
    for (let at = 0; at < text.length; at += widthAt(text, at)) {
      const kind = kindOf(text.codePointAt(at)!);
      if (kind === before) continue;
      if (at > from) parts.push({ from, to: at, isMatch: before !== 0 });
      [from, before] = [at, kind];
    }
    if (from < text.length) parts.push({ from, to: text.length, isMatch: before !== 0 });
    return parts;
  };
}

/** Every place where `content` stands. */
export function stringPattern(content: string): Pattern {
  return findPattern((text, from) => {
    const at = text.indexOf(content, from);
    return at < 0 ? null : [at, at + content.length];
  });
}

/** Next match at or behind a place; null when there is none. */
export type Find = (text: string, from: number, budget?: StepBudget) => readonly [number, number] | null;

/** The parts of a text from a search; an empty match right behind another match does not count. */
export function findPattern(find: Find): Pattern {
  return (text, budget) => {
    const parts: Part[] = [];
    let last = 0;
    let lastMatch = -1;
    for (let at = 0; at <= text.length; ) {
      const found = find(text, at, budget);
      if (found === null) break;
      const [from, to] = found;
      const step = to < text.length ? widthAt(text, to) : 1;
      if (to === from && from === lastMatch) {
        at = to + step;
        continue;
      }
      if (from > last) parts.push({ from: last, to: from, isMatch: false });
      parts.push({ from, to, isMatch: true });
      last = to;
      lastMatch = to;
      at = to > from ? to : to + step;
    }
    if (last < text.length) parts.push({ from: last, to: text.length, isMatch: false });
    return parts;
  };
}

/** What a pattern leaves out is a match, and the other way round. */
export function inverted(pattern: Pattern): Pattern {
  return (text, budget) => pattern(text, budget).map((part) => ({ ...part, isMatch: !part.isMatch }));
}

/** The pieces of a text; empty ones are left out. */
export function* splitBy(source: TrackedText, pattern: Pattern, behavior: Behavior): Generator<TrackedText> {
  for (const { from, to } of merged(pattern(source.text, source.budget), behavior))
    if (to > from) yield sliceOf(source, from, to);
}

function merged(parts: readonly Part[], behavior: Behavior): readonly Part[] {
  switch (behavior) {
    case "Removed":
      return parts.filter(({ isMatch }) => !isMatch);
    case "Isolated":
      return parts;
    case "Contiguous":
      return joined(parts, ({ isMatch }, before) => isMatch === before);
    case "MergedWithPrevious":
      return joined(parts, ({ isMatch }, before) => isMatch && !before);
    case "MergedWithNext":
      return joined(parts.toReversed(), ({ isMatch }, before) => isMatch && !before).toReversed();
  }
}

/** Parts joined to the one before where `joins` says so, from whether that one was a match. */
function joined(parts: readonly Part[], joins: (part: Part, before: boolean) => boolean): Part[] {
  const out: Part[] = [];
  let before = false;
  for (const part of parts) {
    const last = out.at(-1);
    if (last !== undefined && joins(part, before))
      out[out.length - 1] = { ...last, from: Math.min(last.from, part.from), to: Math.max(last.to, part.to) };
    else out.push(part);
    before = part.isMatch;
  }
  return out;
}
