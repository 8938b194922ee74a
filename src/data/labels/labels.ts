// Labels: read from a cell as classes or scores, with what a reader should know of how they were read.

import { type Cell, type CellFault, quoted } from "../tables/row.ts";
import type { Task } from "../task.ts";
import { labelCell, whatStands } from "./label-cells.ts";
import { type ClassFinder, classFinder, doubtfulReading, type FoundClass, numberOf } from "./label-match.ts";

/** A cell → class index or score; null where there is no label. */
export interface LabelReader {
  read(cell: Cell): number | null | CellFault;
  /** What a person should know of how the labels were read so far; null: nothing. */
  note(): string | null;
  /** How to mend the faults met so far; null where their messages say it. */
  hint(): string | null;
  /** Labels met that no class has, and whether any label was of a class. */
  strangers(): { readonly labels: readonly string[]; readonly all: boolean };
}

/** How many different labels that no class has are kept for a message. */
const MAX_STRANGERS = 1000;

/** The classes that cells are read as. */
export interface ClassOptions {
  /** Names as the cells have them, by index. */
  readonly names: readonly string[];
  /** For each name its class; default: its index. */
  readonly to?: readonly number[] | null;
  /** What whole numbers in the column stand for by index, where the file says so. */
  readonly classNames?: readonly string[] | null;
  /** The names were found in the data, so that a word for a missing value can be made a class by naming them. */
  readonly canName: boolean;
}

/** Reads the cells of a column of classes. */
export function classReader({ names, to = null, classNames = null, canName }: ClassOptions): LabelReader {
  const find = describedFinder(classFinder(names), classNames);
  const known = new Set(names);
  const found = new Map<string, FoundClass>();
  const strangers = new Set<string>();
  const missing = new Set<string>();
  let hasLists = false;
  const shown = shownNames(names);
  return {
    read(cell) {
      const read = labelCell(cell, (text) => known.has(text));
      if (read.kind === "empty") return null;
      if (read.kind !== "label") {
        if (read.kind === "missing") missing.add(read.word);
        else hasLists = true;
        const expected = read.kind === "missing" ? "a label" : "one label";
        return { expected, got: whatStands(read), isMissing: read.kind === "missing" };
      }
      const { label } = read;
      const match = found.get(label) ?? find(label);
      if (match === null || match === "none") {
        if (match === null && strangers.size < MAX_STRANGERS) strangers.add(label);
        return match === null ? { expected: shown, got: quoted(label) } : null;
      }
      found.set(label, match);
      return to === null ? match.index : to[match.index]!;
    },
    note: () => doubtfulReading(found, names),
    hint: () =>
      [
        hasLists ? "Rows of several labels are trained with --task multi-label." : null,
        missing.size > 0 ? missingHint([...missing], canName ? names : null) : null,
      ]
        .filter((line) => line !== null)
        .join("\n") || null,
    strangers: () => ({ labels: [...strangers], all: strangers.size > 0 && found.size === 0 }),
  };
}

/** As `find`, with numbers replaced by the names they stand for in the file; −1 stands for no label there. */
function describedFinder(
  find: ClassFinder,
  classNames: readonly string[] | null,
): (label: string) => FoundClass | "none" | null {
  if (classNames === null) return find;
  return (label) => {
    const number = numberOf(label);
    if (number === -1) return "none";
    const name = number === null ? undefined : classNames[number];
    const described = name === undefined ? null : find(name);
    return described ?? find(label);
  };
}

function shownNames(names: readonly string[]): string {
  const byIndex = !names.some((name) => /\d/.test(name));
  const all = names.map((name, index) => (byIndex ? `${name} (${index})` : name));
  return all.length > 12 ? `one of ${all.length} labels (${all.slice(0, 8).join(", ")}, …)` : all.join(" or ");
}

function missingHint(words: readonly string[], names: readonly string[] | null): string {
  const fill = "Fill these cells in, or leave their rows out.";
  if (names === null) return fill;
  return `${fill} If ${words.map((word) => quoted(word)).join(" and ")} is a class, name all classes: ${labelsFlag([...names, ...words])}`;
}

/** The setting that names these classes, as a shell takes it. */
export function labelsFlag(names: readonly string[]): string {
  if (names.some((name) => name.includes(","))) return `labels: ${JSON.stringify(names)} in a settings file`;
  const words = names.join(",");
  return /^[\w.,+:/-]+$/.test(words) ? `--labels ${words}` : `--labels '${words.replaceAll("'", "'\\''")}'`;
}

/** Reads the cells of a column of scores. */
export function scoreReader(range: Task["scoreRange"]): LabelReader {
  const expected = range === null ? "a finite number" : `a number from ${range[0]} to ${range[1]}`;
  return {
    read(cell) {
      const read = labelCell(cell);
      if (read.kind === "empty") return null;
      if (read.kind !== "label") return { expected, got: whatStands(read), isMissing: read.kind === "missing" };
      const score = typeof cell === "boolean" ? null : numberOf(read.label);
      const fits =
        score !== null && Number.isFinite(score) && (range === null || (score >= range[0] && score <= range[1]));
      return fits ? score : { expected, got: quoted(read.label) };
    },
    note: () => null,
    hint: () => null,
    strangers: () => ({ labels: [], all: false }),
  };
}
