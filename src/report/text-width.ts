// The width of text in a figure, estimated for the widest of the usual system fonts, so that no label is cut.
import { displayWidth } from "./tables/table.ts";

/** Widths in em of DejaVu Sans, the widest font that `system-ui` commonly stands for. */
const WIDTHS: readonly (readonly [RegExp, number])[] = [
  [/[ijlI.,:;'|!·\s]/, 0.4],
  [/[frt()[\]{}/\\-]/, 0.46],
  [/[mwMW%@…—→]/, 1],
  [/[A-Z+=<>−↑↓τΔ]/, 0.8],
];
const USUAL = 0.65;

/** Width of `text` in the units of `fontSize`; an upper estimate. */
export function textWidth(text: string, fontSize: number): number {
  let em = 0;
  for (const char of text) {
    const [, width] = WIDTHS.find(([pattern]) => pattern.test(char)) ?? [null, USUAL];
    em += displayWidth(char) > 1 ? 1.05 : width;
  }
  return em * fontSize;
}

/** Text shortened in its middle to `width`; the whole where it fits. */
export function fitText(text: string, width: number, fontSize: number): string {
  if (textWidth(text, fontSize) <= width) return text;
  const chars = Array.from(text);
  const shortened = (kept: number) => {
    const head = Math.ceil(kept / 2);
    return `${chars.slice(0, head).join("")}…${chars.slice(chars.length - (kept - head)).join("")}`;
  };
  // the most characters that fit: a name in a file from elsewhere may be as long as the file
  let [fits, tooMany] = [0, chars.length];
  while (tooMany - fits > 1) {
    const middle = (fits + tooMany) >> 1;
    if (textWidth(shortened(middle), fontSize) <= width) fits = middle;
    else tooMany = middle;
  }
  return shortened(fits);
}
