// `predictions.jsonl` of a run: what it answered for each example it was evaluated on, to pair two runs and to find its worst examples.
import type { Example, Split } from "../data/index.ts";
import { DataError } from "../errors.ts";
import type { Outcome } from "../tasks/index.ts";
import { type Files, joinPath, parseBoundedJson } from "../tensor/index.ts";
import { OUTCOME } from "./stored-schema.ts";

/** Name of the file, in the run's folder. */
export const OUTCOMES_FILE = "predictions.jsonl";

/** Characters of a text that are kept. */
const EXCERPT_LENGTH = 240;
/** Digits of probabilities and losses: enough to order examples by. */
const DIGITS = 6;

/** What an example says, cut where it is long. */
export type Excerpt = Pick<Outcome, "line" | "text" | "pair">;

/** A split that notes the beginning of each text while its examples are read, and what it noted in the last reading. */
export interface ExcerptedSplit {
  readonly split: Split;
  readonly excerpts: () => readonly Excerpt[];
}

/** The split with excerpts, so that texts need not be read a second time or kept whole. */
export function withExcerpts(split: Split): ExcerptedSplit {
  let excerpts: Excerpt[] = [];
  async function* examples() {
    excerpts = [];
    for await (const example of split.examples()) {
      excerpts.push(excerptOf(example));
      yield example;
    }
  }
  return { split: { ...split, examples }, excerpts: () => excerpts };
}

function excerptOf({ line, text, pair }: Example): Excerpt {
  return { line, text: cut(text), ...(pair === undefined ? {} : { pair: cut(pair) }) };
}

/** A copy of the beginning, at a character's boundary: a slice would keep the whole text in memory. */
function cut(text: string): string {
  if (text.length <= EXCERPT_LENGTH) return copyOf(text);
  const end = /[\uD800-\uDBFF]/.test(text[EXCERPT_LENGTH - 1]!) ? EXCERPT_LENGTH - 1 : EXCERPT_LENGTH;
  return `${copyOf(text.slice(0, end))}…`;
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
const copyOf = (text: string) => DECODER.decode(ENCODER.encode(text));

/**
 * Writes them, one JSON line an example, in the order of the split; `excerpts` are of the same examples, where they are known.
 * Probabilities and losses are rounded to six digits.
 */
export async function writeOutcomes(
  files: Files,
  folder: string,
  outcomes: readonly Outcome[],
  excerpts: readonly Excerpt[] = [],
): Promise<void> {
  const isSame = excerpts.length === outcomes.length && outcomes.every(({ line }, i) => excerpts[i]!.line === line);
  const lines = outcomes.map((outcome, i) => {
    const { probability, loss, metric, ...answer } = outcome;
    const numbers = Object.entries({ probability, loss, metric }).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, Number(value.toPrecision(DIGITS))] as const],
    );
    return `${JSON.stringify({ ...answer, ...Object.fromEntries(numbers), ...(isSame ? excerpts[i] : {}) })}\n`;
  });
  await files.write(joinPath(folder, OUTCOMES_FILE), lines.join(""));
}

/**
 * What a run answered; null for one that kept none. Files of earlier versions have no probabilities, losses or texts.
 * @throws {DataError} naming the line that is no outcome.
 */
export async function readOutcomes(files: Files, folder: string): Promise<readonly Outcome[] | null> {
  const path = joinPath(folder, OUTCOMES_FILE);
  if ((await files.stat(path)) === null) return null;
  const lines = (await files.readText(path)).split("\n").filter((line) => line !== "");
  return lines.map((line, i) => parseOutcome(path, line, i + 1));
}

function parseOutcome(path: string, text: string, line: number): Outcome {
  try {
    const value: unknown = parseBoundedJson(text);
    if (OUTCOME.safeParse(value).success) return value as Outcome;
  } catch {
    // told below
  }
  throw new DataError(path, {
    line,
    expected: 'JSON with "line", "prediction", "target" and "score"',
    got: text.slice(0, 60),
  });
}
