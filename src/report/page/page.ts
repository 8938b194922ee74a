// HTML by template: interpolated text is escaped, markup made here is not.
import { escapeText, type Figure } from "../figures/chart.ts";
import type { TextTable } from "../tables/table.ts";

/** Markup that is safe to put into a page as it is. */
export interface Markup {
  readonly markup: string;
}

type Part = string | number | Markup | null | readonly Part[];

/** A template whose text parts are escaped; null is nothing, lists are joined. */
export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { markup: literals.map((literal, index) => literal + render(parts[index] ?? null)).join("") };
}

/** Markup made elsewhere in this room. */
export function raw(markup: string): Markup {
  return { markup };
}

function render(part: Part): string {
  if (part === null) return "";
  if (typeof part === "string" || typeof part === "number") return escapeText(String(part));
  if ("markup" in part) return part.markup;
  return part.map(render).join("");
}

/** A table with numbers right-aligned and its last row strong when it sums up. */
export function tableHtml(
  { head, rows, align = [] }: TextTable,
  strong: (row: readonly string[]) => boolean = () => false,
): Markup {
  const side = (column: number) => (align[column] ?? (column === 0 ? "left" : "right")) === "right";
  const cls = (column: number) => (side(column) ? raw(' class="n"') : null);
  return html`<div class="scroll"><table><thead><tr>${head.map((cell, c) => html`<th scope="col"${cls(c)}>${cell}</th>`)}</tr></thead><tbody>${rows.map(
    (row) =>
      html`<tr${strong(row) ? raw(' class="sum"') : null}>${row.map((cell, c) =>
        c === 0 ? html`<th scope="row">${cell}</th>` : html`<td${cls(c)}>${cell}</td>`,
      )}</tr>`,
  )}</tbody></table></div>`;
}

/** A figure with its caption. */
export function figureHtml({ id, title, caption, svg }: Figure): Markup {
  return html`<figure id="${id}"><h3>${title}</h3>${raw(svg)}<figcaption>${caption}</figcaption></figure>`;
}

/** Figures side by side; nothing where all are missing. */
export function figuresHtml(list: readonly (Figure | null)[]): Markup | null {
  const drawn = list.filter((figure) => figure !== null);
  return drawn.length === 0 ? null : html`<div class="figures">${drawn.map(figureHtml)}</div>`;
}

/** Name and value, for settings and versions. */
export function factsHtml(facts: readonly (readonly [name: string, value: string])[]): Markup {
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** Words as a POSIX shell takes them, broken before each flag when long. */
export function shellLine(words: readonly string[]): string {
  const quoted = words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  const line = quoted.join(" ");
  return line.length <= 100 ? line : line.replaceAll(" --", " \\\n  --");
}
