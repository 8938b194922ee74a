// What data are for: the task, its columns and classes, guessed by rules that the documentation states.
import { USUAL_WORDS, usualLists } from "../tables/columns.ts";
import { isTableTask, TABLE_TASKS } from "../task.ts";
import { isGlueTask } from "../tasks/glue.ts";
import type { ClassCount, ColumnLook } from "./column-look.ts";
import { CLASS_NAMES, plainName, SOURCE_NAMES, TARGET_NAMES } from "./column-names.ts";
import type { Look } from "./look.ts";
import {
  type GivenRoles,
  givenColumn,
  labelByName,
  labelByValues,
  namedColumn,
  textColumns,
  textsOf,
  undecided,
  usableColumns,
} from "./roles.ts";

/** What data seem to be for. */
export interface Guess {
  readonly task: string;
  readonly columns: Omit<GivenRoles, "task" | "writes">;
  /** With the rows that have them, in their order; null where the task has none, or where they are GLUE's. */
  readonly classes: readonly ClassCount[] | null;
  /** Why it is that task, in words. */
  readonly why: string;
}

const isScoreTask = (task: string): boolean => isTableTask(task) && TABLE_TASKS[task].kind === "regression";
const isPairTask = (task: string): boolean => isTableTask(task) && TABLE_TASKS[task].isPair;

/**
 * The task and the columns; what was given holds.
 * @throws {ConfigError} naming the columns, and the flag that decides, where they leave it open.
 */
export function guessData(look: Look, given: GivenRoles): Guess {
  const { task } = given;
  if (task !== undefined && isGlueTask(task)) return { task, columns: {}, classes: null, why: "it was given" };
  if (task === "squad" || task === undefined) {
    const found = questions(look);
    if (found !== null) return found;
    if (task === "squad")
      throw undecided(look, "a task for these columns; squad needs question, context and answers", ["--task"]);
  }
  if (task === undefined && given.writes === true) return textToText(look, given, false) ?? labelsToWrite(look, given);
  if (task === "token-classification" || (task === undefined && given.pairColumn === undefined)) {
    const found = taggedWords(look, given);
    if (found !== null) return found;
  }
  const writes = given.sourceColumn !== undefined || given.targetColumn !== undefined;
  if (task === "seq2seq" || (task === undefined && writes)) return textToText(look, given, true)!;
  return labelled(look, given);
}

function questions(look: Look): Guess | null {
  const names = new Set(look.columns.map(({ name }) => name));
  const isDocument = names.has("paragraphs");
  const hasAnswers = names.has("answers") || (names.has("answers.text") && names.has("answers.answer_start"));
  if (!isDocument && !(names.has("question") && names.has("context") && hasAnswers)) return null;
  const why = isDocument ? "the file is a SQuAD document" : "there are the columns question, context and answers";
  return { task: "squad", columns: {}, classes: null, why };
}

/** A column of words and one of as many tags in each row. */
function taggedWords(look: Look, { task, textColumn, labelColumn }: GivenRoles): Guess | null {
  const isAsked = task === "token-classification";
  const lists = look.columns.filter((column) => column.isList);
  const named = namedColumn(lists, USUAL_WORDS);
  const words =
    textColumn !== undefined && (isAsked || lists.some(({ name }) => name === textColumn))
      ? givenColumn(look, "--text-column", textColumn)
      : (named ?? lists.find((column) => column.isListOfTexts) ?? null);
  if (words === null) {
    if (isAsked) throw undecided(look, "a column of lists of words", ["--text-column", "--label-column"]);
    return null;
  }
  const fitting = lists.filter((column) => column !== words && sameLengths(column, words));
  const usual = usualLists(
    look.columns.map(({ name }) => name),
    "tags",
  );
  const tags =
    labelColumn !== undefined && (isAsked || fitting.some(({ name }) => name === labelColumn))
      ? givenColumn(look, "--label-column", labelColumn)
      : labelColumn !== undefined
        ? null
        : (namedColumn(fitting, usual) ?? (fitting.length === 1 ? fitting[0]! : null));
  if (tags === null) {
    if (labelColumn !== undefined || (!isAsked && fitting.length === 0)) return null;
    throw undecided(look, "a column with a tag for each word", ["--label-column"], fitting);
  }
  return {
    task: "token-classification",
    columns: { textColumn: words.name, labelColumn: tags.name },
    classes: tags.classes(),
    why: look.isConll ? "each line has a word and its tags" : `${tags.name} has a tag for each of the ${words.name}`,
  };
}

const sameLengths = (a: ColumnLook, b: ColumnLook) => a.lengths.every((length, row) => length === b.lengths[row]);

/** A text to read and one to write; null where names do not say so, unless it `must` be. */
function textToText(look: Look, given: GivenRoles, must: boolean): Guess | null {
  const texts = textsOf(look, []);
  const target =
    given.targetColumn === undefined
      ? namedColumn(
          // where texts are to be written, a name says it of a column of few different words too
          (must ? usableColumns(look) : texts).filter(({ name }) => name !== given.sourceColumn),
          TARGET_NAMES,
        )
      : givenColumn(look, "--target-column", given.targetColumn);
  const others = texts.filter((column) => column !== target).toSorted((a, b) => b.characters - a.characters);
  const [longest, second] = others;
  const byLength = longest !== undefined && (second === undefined || second.characters * 2 <= longest.characters);
  const source =
    given.sourceColumn === undefined
      ? target === null && others.length > 2
        ? null
        : (namedColumn(others, SOURCE_NAMES) ?? (target !== null && byLength ? longest : null))
      : givenColumn(look, "--source-column", given.sourceColumn);
  const left = target ?? (source !== null && others.length === 2 ? others.find((column) => column !== source)! : null);
  if (source === null || left === null || (target === null && !must)) {
    if (!must) return null;
    throw source === null && target !== null
      ? undecided(look, "the column of the texts to read", ["--source-column"], others)
      : source !== null
        ? undecided(
            look,
            "the column of the texts to write",
            ["--target-column"],
            others.filter((column) => column !== source),
          )
        : undecided(look, "the columns of the texts to read and to write", ["--source-column", "--target-column"]);
  }
  const columns = { sourceColumn: source.name, targetColumn: left.name };
  return { task: "seq2seq", columns, classes: null, why: `${left.name} is a text to write for ${source.name}` };
}

/** For a model that writes: labels are texts to write. */
function labelsToWrite(look: Look, given: GivenRoles): Guess {
  const { textColumn, pairColumn, labelColumn } = labelled(look, { ...given, writes: undefined }).columns;
  const flags = ["--source-column", "--target-column"];
  if (pairColumn !== undefined || textColumn === undefined || labelColumn === undefined || labelColumn.includes(","))
    throw undecided(look, "one column of texts to read and one of texts to write, for a model that writes", flags);
  const columns = { sourceColumn: textColumn, targetColumn: labelColumn };
  const why = `the model writes, and ${labelColumn} is what to write for ${textColumn}`;
  return { task: "seq2seq", columns, classes: null, why };
}

/** Texts with a label each, or several. */
function labelled(look: Look, given: GivenRoles): Guess {
  const { task } = given;
  const several = severalColumns(look, given);
  if (several !== null) return several;
  const found =
    given.labelColumn === undefined ? labelByName(look) : givenColumn(look, "--label-column", given.labelColumn);
  if (found === null && task === undefined) {
    const texts = textToText(look, given, false);
    if (texts !== null) return texts;
  }
  const label = oneLabel(look, given, found);
  const isList = label.isList || label.separator !== null;
  const isScale = task === undefined ? label.isScale(CLASS_NAMES.includes(plainName(label.name))) : isScoreTask(task);
  const asks = task === undefined ? (given.pairColumn !== undefined ? true : null) : isPairTask(task);
  const isMulti = task === "multi-label" || (task === undefined && isList);
  const { text, pair } = textColumns(look, given, [label], isMulti ? false : asks);
  const kind = isScale ? "regression" : "classification";
  const own = pair === null ? `text-${kind}` : isScale ? "text-pair-regression" : "text-pair";
  return {
    task: task ?? (isMulti ? "multi-label" : own),
    columns: {
      textColumn: text.name,
      ...(pair === null ? {} : { pairColumn: pair.name }),
      labelColumn: label.name,
    },
    classes: isScale ? null : label.classes(),
    why: isMulti
      ? `${label.name} has lists of labels`
      : isScale
        ? `${label.name} has numbers that are no classes`
        : `${label.name} has ${label.classes().length} different labels`,
  };
}

/** The column of labels. @throws {ConfigError} where none or several may be meant, or where all rows have one. */
function oneLabel(look: Look, { task }: GivenRoles, found: ReturnType<typeof labelByName>): ColumnLook {
  const label = found ?? labelByValues(look) ?? scale(look, task);
  const what = "the column of the labels";
  if (label === null) throw undecided(look, what, ["--label-column"]);
  if (Array.isArray(label)) throw undecided(look, what, ["--label-column"], label);
  const column = label as ColumnLook;
  if (column.values.size > 1 || !look.isWhole || column.isList) return column;
  const others = usableColumns(look).filter((other) => other !== column && other.hasFewValues);
  throw undecided(
    look,
    `a column of at least two different labels (${column.name} has fewer)`,
    ["--label-column"],
    others,
  );
}

/** For a task of numbers, the one column of them. */
function scale(look: Look, task: string | undefined): ColumnLook | null {
  if (task === undefined || !isScoreTask(task)) return null;
  const numbers = usableColumns(look).filter((column) => column.isNumeric);
  return numbers.length === 1 ? numbers[0]! : null;
}

/** A column of 0 and 1 for each of three or more labels, and none of labels' names; or columns that were named, joined by commas. */
function severalColumns(look: Look, given: GivenRoles): Guess | null {
  const { task, labelColumn } = given;
  if (task !== undefined && task !== "multi-label") return null;
  const names = labelColumn?.split(",").map((name) => name.trim()) ?? [];
  const isOne = labelColumn !== undefined && look.columns.some(({ name }) => name === labelColumn);
  if (labelColumn !== undefined && (isOne || names.length < 2)) return null;
  const columns =
    labelColumn === undefined
      ? usableColumns(look).filter((column) => column.isYesNo)
      : names.map((name) => givenColumn(look, "--label-column", name));
  if (labelColumn === undefined && (columns.length < 3 || labelByName(look) !== null)) return null;
  const { text } = textColumns(look, given, columns, false);
  const isTrue = (word: string) => ["1", "1.0", "true"].includes(word.toLowerCase());
  const rows = ({ values }: ColumnLook) =>
    [...values].reduce((sum, [word, count]) => sum + (isTrue(word) ? count : 0), 0);
  return {
    task: "multi-label",
    columns: { textColumn: text.name, labelColumn: columns.map(({ name }) => name).join(",") },
    classes: columns.map((column) => [column.name, rows(column)]),
    why: `${columns.length} columns have 1 where a label is true`,
  };
}
