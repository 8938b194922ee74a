// Texts shortened to a width: as many characters as fit, and no more steps than that takes.
import { expect, test } from "vitest";
import { fitText, textWidth } from "./text-width.ts";

const SIZE = 12;

test("as many characters stay as fit, from both ends", () => {
  expect(fitText("short", 200, SIZE)).toBe("short");
  for (const text of ["a rather long name of a class", "WWWWiiiiWWWWiiii", "中文字符的名字很长", "😀".repeat(30)])
    for (let width = 10; width < textWidth(text, SIZE); width += 7) {
      const short = fitText(text, width, SIZE);
      const [head, tail] = short.split("…") as [string, string];
      const chars = Array.from(text);
      const kept = Array.from(head).length + Array.from(tail).length;
      expect(text.startsWith(head) && text.endsWith(tail)).toBe(true);
      expect(kept === 0 || textWidth(short, SIZE) <= width).toBe(true);
      const more = Math.ceil((kept + 1) / 2);
      const longer = `${chars.slice(0, more).join("")}…${chars.slice(chars.length - (kept + 1 - more)).join("")}`;
      expect(textWidth(longer, SIZE)).toBeGreaterThan(width);
    }
});

test("a name of a million characters is shortened as one of a hundred", () => {
  expect(fitText("ab".repeat(500_000), 100, SIZE)).toBe(fitText("ab".repeat(50), 100, SIZE));
});
