// What stands in a column, counted over the rows that were looked at.

import { sortedLabels } from "../labels/find-labels.ts";
import { numberOf } from "../labels/label-match.ts";
import { listCell } from "../tables/list-cells.ts";
import { looksPrinted } from "../tables/python-literal.ts";
import { type Cell, cellText } from "../tables/row.ts";

/** So much of a cell tells it from others. */
const KEY_CHARACTERS = 200;
/** More different labels than any classifier is asked for. */
const MAX_CLASSES = 1000;
/** Different values that a column of labels may have however few rows there are. */
const FEW_CLASSES = 50;
/** Characters that a label has at most, on average, where few repeat. */
const LABEL_CHARACTERS = 40;
/** More different whole numbers than these are a scale, not classes. */
const MAX_NUMBERED = 20;

/** A class and the rows that have it. */
export type ClassCount = readonly [name: string, rows: number];

/** A column over the rows that were looked at. */
export class ColumnLook {
  readonly name: string;
  /** Names that the file gives to whole numbers in this column. */
  readonly classNames: readonly string[] | null;
  /** Cells in which something stands. */
  filled = 0;
  /** Different cells and how often each was met. */
  readonly values = new Map<string, number>();
  /** The number of elements of each row's list; −1 where it has none. */
  readonly lengths: number[] = [];
  #characters = 0;
  #words = 0;
  #numbers = 0;
  #fractions = 0;
  #records = 0;
  #lists = 0;
  #textElements = 0;
  readonly #separated = new Map<string, number>();
  readonly #elements = new Map<string, number>();

  constructor(name: string, classNames: readonly string[] | null = null) {
    this.name = name;
    this.classNames = classNames;
  }

  /** Counts the cell of one more row. */
  add(cell: Cell): void {
    const text = cellText(cell).trim();
    const list = listOf(cell, text);
    this.lengths.push(list?.length ?? -1);
    if (text === "") return;
    this.filled++;
    count(this.values, text.slice(0, KEY_CHARACTERS));
    if (list !== null) {
      this.#lists++;
      for (const element of list) {
        const word = cellText(element);
        if (numberOf(word) === null) this.#textElements++;
        if (this.#elements.size <= MAX_CLASSES) count(this.#elements, word);
      }
    } else if (typeof cell === "object") this.#records++;
    this.#characters += text.length;
    this.#words += text.split(/\s+/).length;
    for (const separator of ["|", ";"]) if (text.includes(separator)) count(this.#separated, separator);
    const number = typeof cell === "boolean" ? null : numberOf(text);
    if (number === null) return;
    this.#numbers++;
    if (!Number.isInteger(number)) this.#fractions++;
  }

  /** Mean number of characters. */
  get characters(): number {
    return this.filled === 0 ? 0 : this.#characters / this.filled;
  }

  /** Mean number of words. */
  get words(): number {
    return this.filled === 0 ? 0 : this.#words / this.filled;
  }

  get isNumeric(): boolean {
    return this.filled > 0 && this.#numbers === this.filled;
  }

  get hasFractions(): boolean {
    return this.#fractions > 0;
  }

  /** Every cell is a list. */
  get isList(): boolean {
    return this.filled > 0 && this.#lists === this.filled;
  }

  /** Lists with texts in them. */
  get isListOfTexts(): boolean {
    return this.isList && this.#textElements > 0;
  }

  /** Texts of any length. */
  get isText(): boolean {
    return this.filled > 0 && this.#lists + this.#records === 0 && this.#numbers < this.filled / 2;
  }

  /** Only 0 and 1, and both. */
  get isYesNo(): boolean {
    const words = [...this.values.keys()].map((word) => word.toLowerCase());
    return words.length === 2 && words.every((word) => ["0", "1", "true", "false", "0.0", "1.0"].includes(word));
  }

  /** What stands between several labels of one cell, where the same labels come back; null: each cell is one. */
  get separator(): string | null {
    if (!this.isText) return null;
    for (const separator of ["|", ";"]) {
      if ((this.#separated.get(separator) ?? 0) * 10 < this.filled) continue;
      const parts = this.#parts(separator);
      const total = parts.reduce((sum, [, rows]) => sum + rows, 0);
      if (parts.length <= Math.max(FEW_CLASSES, total / 4) && parts.some(([, rows]) => rows > 1)) return separator;
    }
    return null;
  }

  /** Texts that differ from row to row, or are long: no labels. */
  get isProse(): boolean {
    return this.isText && (this.values.size > this.filled / 5 || this.words >= 4);
  }

  /** The cells may be labels: lists, numbers, or words that come back. `repeats` asks that they do, however short they are. */
  canLabel(repeats: boolean): boolean {
    if (this.filled === 0) return false;
    if (this.isList || this.isNumeric || this.separator !== null) return true;
    if (this.#records > 0 || this.values.size > MAX_CLASSES) return false;
    const isShort = this.values.size <= FEW_CLASSES && this.characters <= LABEL_CHARACTERS;
    return this.values.size <= this.filled / 2 || (isShort && !repeats);
  }

  /** Few different values, more than one: labels, whatever the column is called. */
  get hasFewValues(): boolean {
    const most = Math.max(2, Math.min(FEW_CLASSES, this.filled / 4));
    return this.values.size >= 2 && this.values.size <= most && !this.hasFractions && this.#records + this.#lists === 0;
  }

  /** The numbers are a scale: fractions, or more than twenty whole ones in a column that is not called after classes. */
  isScale(isClassName: boolean): boolean {
    if (!this.isNumeric || this.classNames !== null) return false;
    return this.hasFractions || (this.values.size > MAX_NUMBERED && !isClassName);
  }

  /** Classes as they will be sorted, each with the rows that have it. */
  classes(): readonly ClassCount[] {
    const { separator } = this;
    const counts = this.isList ? [...this.#elements] : separator === null ? [...this.values] : this.#parts(separator);
    const named = new Map(counts.map(([name, rows]) => [this.#named(name), rows]));
    return sortedLabels([...named.keys()]).map((name) => [name, named.get(name)!]);
  }

  #parts(separator: string): ClassCount[] {
    const parts = new Map<string, number>();
    for (const [cell, rows] of this.values)
      for (const part of cell.split(separator)) if (part.trim() !== "") count(parts, part.trim(), rows);
    return [...parts];
  }

  #named(name: string): string {
    const number = this.classNames === null ? null : numberOf(name);
    return (number === null ? undefined : this.classNames?.[number]) ?? name;
  }
}

function count(counts: Map<string, number>, key: string, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

function listOf(cell: Cell, text: string): readonly Cell[] | null {
  if (!Array.isArray(cell) && (typeof cell !== "string" || !looksPrinted(text))) return null;
  if (typeof cell === "string" && !text.startsWith("[")) return null;
  const list = listCell(cell, "|");
  return Array.isArray(list) ? (list as Cell[]) : null;
}
