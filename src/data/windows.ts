// Questions over contexts as windows of tokens: what fits a model, mapped back to where it came from.
// Source: transformers' run_qa.py (prepare_train_features, prepare_validation_features) with a fast tokenizer.
import { ConfigError } from "../errors.ts";
import type { Answer, Example } from "./examples.ts";
import type { TokenSpans } from "./tokenizer/pipeline.ts";
import type { Tokenizer } from "./tokenizer/tokenizer.ts";

/** One window of one question's context, as a model reads it. */
export interface Window {
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
  /** Position in `ids` of the window's first context token. */
  readonly contextAt: number;
  /** The context's tokens in the window: from `from` up to `to` of `spans`. */
  readonly from: number;
  readonly to: number;
  readonly spans: TokenSpans;
}

export interface WindowOptions {
  /** Largest number of tokens of a window, special ones included. */
  readonly maxLength: number;
  /** Tokens that neighbouring windows share. */
  readonly stride: number;
}

/** How question and context stand together. */
export type WindowStyle = "pair" | "text-to-text";

/** Text → its windows; remembers the last context, which the questions of a paragraph share. */
export function windower(
  tokenizer: Tokenizer,
  style: WindowStyle,
  { maxLength, stride }: WindowOptions,
): (example: Example) => Window[] {
  let context: string | null = null;
  let spans: TokenSpans = { ids: [], starts: [], ends: [] };
  return ({ text, pair = "", question }) => {
    if (pair !== context) {
      spans = tokenizer.spans(pair);
      context = pair;
    }
    const before = tokenizer.spans(style === "pair" ? text : `question: ${text} context:`).ids;
    const joined = (part: readonly number[]) =>
      style === "pair" ? tokenizer.join(before, part) : tokenizer.join([...before, ...part]);
    // a stand-in for the context: no token has this id
    const around = joined([NO_ID]).ids;
    const room = maxLength - around.length + 1;
    if (room < 1) throw noRoom(question?.id ?? text, maxLength, around.length - 1);
    return windowsOf(spans.ids.length, room, stride).map(({ from, to }) => {
      const { ids, typeIds } = joined(spans.ids.slice(from, to));
      return { ids, typeIds, contextAt: around.indexOf(NO_ID), from, to, spans };
    });
  };
}

const NO_ID = -1;

/** The answer to learn: the first that stands in the context; undefined where there is none. */
export function placedAnswer({ question }: Example): Answer | undefined {
  return question?.answers.find(({ start }) => start !== null);
}

/** Whether a question has answers of which none stands where the file says: nothing to learn from. */
export function isUnplaced(example: Example): boolean {
  return (example.question?.answers.length ?? 0) > 0 && placedAnswer(example) === undefined;
}

/**
 * Where windows over `length` tokens start and end: `room` wide, each sharing `stride` tokens with the one before.
 *
 * A stride that would leave nothing to move by becomes half the room.
 */
export function windowsOf(length: number, room: number, stride: number): { from: number; to: number }[] {
  const step = room - (stride < room ? stride : Math.floor(room / 2));
  const windows: { from: number; to: number }[] = [];
  for (let from = 0; ; from += step) {
    const to = Math.min(from + room, length);
    windows.push({ from, to });
    if (to === length) return windows;
  }
}

/**
 * First and last token of an answer, as positions in the window; null where the window does not hold all of it.
 *
 * Where an answer starts at the context's last token, run_qa.py seeks on into the padding; here that token is found.
 */
export function answerPositions(
  window: Omit<Window, "ids" | "typeIds">,
  { text, start }: Answer,
): readonly [number, number] | null {
  if (start === null) return null;
  const { from, to, contextAt } = window;
  const { starts, ends } = window.spans;
  const end = start + text.length;
  if (to === from || starts[from]! > start || ends[to - 1]! < end) return null;
  let first = from;
  while (first + 1 < to && starts[first + 1]! <= start) first++;
  let last = to - 1;
  while (last - 1 >= from && ends[last - 1]! >= end) last--;
  return [contextAt + first - from, contextAt + last - from];
}

function noRoom(name: string, maxLength: number, taken: number): ConfigError {
  const expected = `more than ${taken}, the tokens of the question ${JSON.stringify(name)} and of what stands around it`;
  return new ConfigError([{ path: "--max-length", expected, got: String(maxLength) }]);
}
