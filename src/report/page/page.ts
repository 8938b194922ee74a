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

/**
 * A table with numbers right-aligned and rows that sum up in strong type. It scrolls in itself where it is wider than the page, by
 * keyboard too; `name` tells screen readers what it holds.
 */
export function tableHtml(
  name: string,
  { head, rows, align = [] }: TextTable,
  strong: (row: readonly string[]) => boolean = () => false,
): Markup {
  const side = (column: number) => (align[column] ?? (column === 0 ? "left" : "right")) === "right";
  const cls = (column: number) => (side(column) ? raw(' class="n"') : null);
  // a column without a heading is no heading for anything
  const heading = (cell: string, c: number) =>
    cell === "" ? html`<td></td>` : html`<th scope="col"${cls(c)}>${cell}</th>`;
  return scrollHtml(
    name,
    html`<table><thead><tr>${head.map(heading)}</tr></thead><tbody>${rows.map(
      (row) =>
        html`<tr${strong(row) ? raw(' class="sum"') : null}>${row.map((cell, c) =>
          c === 0 && cell !== "" ? html`<th scope="row"${cls(c)}>${cell}</th>` : html`<td${cls(c)}>${cell}</td>`,
        )}</tr>`,
    )}</tbody></table>`,
  );
}

/** Content that may be wider than the page: it scrolls in itself, also by keyboard. */
export function scrollHtml(name: string, content: Markup): Markup {
  return html`<div class="scroll" role="group" aria-label="${name}" tabindex="0">${content}</div>`;
}

/** Lines of commands, which scroll in themselves where they are longer than the page is wide. */
export function preHtml(name: string, text: string): Markup {
  return html`<pre role="group" aria-label="${name}" tabindex="0">${text}</pre>`;
}

/** A figure with its caption, drawn for columns and for phones; the style sheet shows one of the two. */
export function figureHtml({ id, title, caption, svg, narrowSvg }: Figure): Markup {
  return html`<figure id="${id}"><h3>${title}</h3><div class="wide">${raw(svg)}</div><div class="narrow">${raw(narrowSvg)}</div><figcaption>${caption}</figcaption></figure>`;
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
