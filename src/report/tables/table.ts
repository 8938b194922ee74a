// Aligned text tables for a terminal; a cell is never wrapped.

/** A table of text cells; the first row of a screen is `head`. */
export interface TextTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** One a column; `left` for the first and `right` for the others where absent. */
  readonly align?: readonly ("left" | "right")[];
}

/** How a renderer emphasises; identity where there is no colour. */
export type Emphasis = (text: string) => string;

/** The table as lines: two spaces between columns, a rule under the head, no trailing spaces. */
export function renderTable({ head, rows, align = [] }: TextTable, bold: Emphasis = (text) => text): string[] {
  const widths = head.map((cell, column) =>
    Math.max(displayWidth(cell), ...rows.map((row) => displayWidth(row[column] ?? ""))),
  );
  const sideOf = (column: number) => align[column] ?? (column === 0 ? "left" : "right");
  const line = (cells: readonly string[]) =>
    widths
      .map((width, column) => padText(cells[column] ?? "", width, sideOf(column)))
      .join("  ")
      .trimEnd();
  return [bold(line(head)), widths.map((width) => "─".repeat(width)).join("  "), ...rows.map(line)];
}

/** Text filled with spaces to `width` columns. */
export function padText(text: string, width: number, side: "left" | "right" = "left"): string {
  const fill = " ".repeat(Math.max(0, width - displayWidth(text)));
  return side === "left" ? text + fill : fill + text;
}

/** Text cut to `width` columns, the last of them `…` when something is lost. */
export function clipText(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let out = "";
  let used = 0;
  for (const { segment } of SEGMENTER.segment(text)) {
    const w = displayWidth(segment);
    if (used + w > width - 1) break;
    out += segment;
    used += w;
  }
  return width > 0 ? `${out}…` : "";
}

const SEGMENTER = new Intl.Segmenter();
const WIDE =
  /\p{Extended_Pictographic}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u;
const STYLE = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");

/** Columns that text takes in a terminal: style codes none, East Asian wide characters two. */
export function displayWidth(text: string): number {
  const plain = text.replace(STYLE, "");
  if (/^[\x20-\x7e]*$/.test(plain)) return plain.length;
  let width = 0;
  for (const { segment } of SEGMENTER.segment(plain)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}
