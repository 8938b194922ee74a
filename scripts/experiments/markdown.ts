// Tables of experiments as Markdown, and where they stand in a page.
import { readFileSync, writeFileSync } from "node:fs";

export const percent = (share: number, digits = 1) => (100 * share).toFixed(digits);
export const signed = (share: number, digits = 2) => `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(digits)}`;
export const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Puts `tables` between the two marks of `page`. */
export function intoPage(page: string, tables: string): void {
  const [before = "", rest = ""] = readFileSync(page, "utf8").split("<!-- tables:start -->\n");
  const [, after = ""] = rest.split("<!-- tables:end -->");
  writeFileSync(page, `${before}<!-- tables:start -->\n${tables}\n<!-- tables:end -->${after}`);
}
