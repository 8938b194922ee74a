// Which column holds the text, the second text and the label: by what was given, by names, and by what stands there.
import { ConfigError, nearest } from "../../errors.ts";
import type { ColumnLook } from "./column-look.ts";
import { isOtherName, LABEL_NAMES, PAIR_NAMES, plainName, TEXT_NAMES, TOPIC_NAMES } from "./column-names.ts";
import type { Look } from "./look.ts";

/** Columns that were named, and the task. */
export interface GivenRoles {
  readonly task?: string | undefined;
  readonly textColumn?: string | undefined;
  readonly pairColumn?: string | undefined;
  readonly labelColumn?: string | undefined;
  readonly sourceColumn?: string | undefined;
  readonly targetColumn?: string | undefined;
  /** Whether the model writes texts; undefined where it is not known. */
  readonly writes?: boolean | undefined;
}

/** The error where the columns leave something open: `flags` settle it, `such` are the columns that may be meant. */
export function undecided(
  look: Look,
  what: string,
  flags: readonly string[],
  such: readonly ColumnLook[] = [],
): ConfigError {
  const named = look.columns.map(({ name }) => name).join(", ");
  const examples = such.map(({ name }) => `${flags[0]!} ${word(name)}`);
  const hint =
    examples.length > 0
      ? `Say which: ${examples.slice(0, 6).join(", or ")}`
      : `Name ${flags.length > 1 ? "them" : "it"}: ${flags.map((flag) => `${flag} NAME`).join(" ")}`;
  return new ConfigError(
    [{ path: flags[0]!, expected: what, got: `nothing that tells it, in ${look.file} with the columns ${named}` }],
    { hint },
  );
}

const word = (name: string) => (/^[\w.:/-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`);

/** A column that was named by `flag`. @throws {ConfigError} where there is none of that name. */
export function givenColumn(look: Look, flag: string, name: string): ColumnLook {
  const found = look.columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  const names = look.columns.map((column) => column.name);
  const didYouMean = nearest(name, names);
  const got = `${name}, which is none of the columns of ${look.file}: ${names.join(", ")}`;
  throw new ConfigError([
    { path: flag, expected: "a column's name", got, ...(didYouMean === undefined ? {} : { didYouMean }) },
  ]);
}

/** The first column with one of these names, in the order of the names. */
export function namedColumn(columns: readonly ColumnLook[], names: readonly string[]): ColumnLook | null {
  for (const name of names) {
    const found = columns.find((column) => plainName(column.name) === name);
    if (found !== undefined) return found;
  }
  return null;
}

/** Columns that may hold a text or a label, by their names. */
export function usableColumns(look: Look): ColumnLook[] {
  return look.columns.filter(({ name }) => !isOtherName(name));
}

/** What may be the column of labels: one, none, or several of which nobody knows which. */
export type FoundLabel = ColumnLook | null | readonly ColumnLook[];

/** The column of labels by its name. */
export function labelByName(look: Look): FoundLabel {
  const candidates = usableColumns(look).filter((column) => column.canLabel(plainName(column.name) === "target"));
  const plain = namedColumn(candidates, LABEL_NAMES);
  if (plain !== null) return plain;
  const topics = candidates.filter(({ name }) => TOPIC_NAMES.includes(plainName(name)));
  if (topics.length > 0) return one(topics);
  const ends = candidates.filter(({ name }) => /(^|_)(label|labels|class|category)(_|$)/.test(plainName(name)));
  return one(ends);
}

/** The column with few different values. */
export function labelByValues(look: Look): FoundLabel {
  return one(usableColumns(look).filter((column) => column.hasFewValues));
}

const one = (columns: readonly ColumnLook[]): FoundLabel =>
  columns.length === 1 ? columns[0]! : columns.length === 0 ? null : columns;

/** The text of each example, and the second where there are two. */
export interface FoundTexts {
  readonly text: ColumnLook;
  readonly pair: ColumnLook | null;
}

/**
 * The columns of texts; `pairs`: whether there are two, null where the names say.
 * @throws {ConfigError} where several may be meant.
 */
export function textColumns(
  look: Look,
  { textColumn, pairColumn }: GivenRoles,
  taken: readonly ColumnLook[],
  pairs: boolean | null,
): FoundTexts {
  const texts = textsOf(look, taken);
  const text = textColumn === undefined ? null : givenColumn(look, "--text-column", textColumn);
  const pair = pairColumn === undefined ? null : givenColumn(look, "--pair-column", pairColumn);
  if (text !== null && (pair !== null || pairs !== true)) return { text, pair };
  const named = PAIR_NAMES.map((names) => names.map((name) => namedColumn(texts, [name]))).find(
    ([first, second]) => first && second && (text === null || first === text) && (pair === null || second === pair),
  );
  if (named !== undefined && pairs !== false) return { text: named[0]!, pair: named[1]! };
  const others = texts.filter((column) => column !== text && column !== pair);
  if (pairs === true && text === null && pair === null) {
    if (others.length === 2) return { text: others[0]!, pair: others[1]! };
    throw undecided(look, "the two columns of texts", ["--text-column", "--pair-column"]);
  }
  if (pairs === true && text !== null) return { text, pair: longest(look, others, "--pair-column") };
  return { text: longest(look, others, "--text-column"), pair };
}

/** Columns of texts: those that differ from row to row or are long; where there is none, all of words. */
export function textsOf(look: Look, taken: readonly ColumnLook[]): ColumnLook[] {
  const words = usableColumns(look).filter((column) => column.isText && !taken.includes(column));
  const prose = words.filter((column) => column.isProse || TEXT_NAMES.includes(plainName(column.name)));
  return prose.length > 0 ? prose : words;
}

/** The column of the longest texts, by far or by its name. */
function longest(look: Look, columns: readonly ColumnLook[], flag: string): ColumnLook {
  const [first, second] = columns.toSorted((a, b) => b.characters - a.characters);
  if (first === undefined) throw undecided(look, "a column of texts", [flag]);
  if (second === undefined || second.characters * 2 <= first.characters) return first;
  const alike = columns.filter((column) => column.characters * 2 > first.characters);
  const named = namedColumn(alike, TEXT_NAMES);
  if (named !== null) return named;
  throw undecided(look, "the column of the texts", [flag], alike);
}
