// What stands in a label's cell: a label, nothing, a word for a missing value, or a list that no single label can be.
import { printedValue } from "../tables/python-literal.ts";
import { type Cell, cellText, quoted } from "../tables/row.ts";

/** The words that pandas' `read_csv` takes as missing by default, version 3.1; an empty cell is one besides. */
export const MISSING_WORDS: ReadonlySet<string> = new Set([
  "#N/A",
  "#N/A N/A",
  "#NA",
  "-1.#IND",
  "-1.#QNAN",
  "-NaN",
  "-nan",
  "1.#IND",
  "1.#QNAN",
  "<NA>",
  "N/A",
  "NA",
  "NULL",
  "NaN",
  "None",
  "n/a",
  "nan",
  "null",
]);

/** A label's cell as it is understood. */
export type LabelCell =
  | { readonly kind: "label"; readonly label: string }
  | { readonly kind: "empty" }
  | { readonly kind: "missing"; readonly word: string }
  | { readonly kind: "list" | "record"; readonly text: string };

/** Understands a label's cell; a text that `isKnown` is a label whatever it says. */
export function labelCell(cell: Cell, isKnown: (text: string) => boolean = () => false): LabelCell {
  const text = cellText(cell).trim();
  if (isKnown(text)) return { kind: "label", label: text };
  if (text === "") return { kind: "empty" };
  if (MISSING_WORDS.has(text)) return { kind: "missing", word: text };
  const value = typeof cell === "object" ? cell : printedValue(text);
  if (value === null) return { kind: "label", label: text };
  return { kind: Array.isArray(value) ? "list" : "record", text };
}

/** What a cell that is no label has, for a message. */
export function whatStands(cell: Exclude<LabelCell, { readonly kind: "label" }>): string {
  switch (cell.kind) {
    case "empty":
      return "nothing";
    case "missing":
      return `${quoted(cell.word)}, a word for a missing value`;
    default:
      return `a ${cell.kind}, ${cell.text.length > 40 ? `${cell.text.slice(0, 40)}…` : cell.text}`;
  }
}
