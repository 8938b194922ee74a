import { expect, test } from "vitest";
import { clipText, displayWidth, renderTable } from "./table.ts";

test("numbers are right-aligned, words left, no line ends in a space", () => {
  const table = {
    head: ["run", "score", "why"],
    align: ["left", "right", "left"] as const,
    rows: [
      ["a", "9.1", "x"],
      ["long name", "10.25", ""],
    ],
  };
  expect(renderTable(table)).toMatchInlineSnapshot(`
    [
      "run        score  why",
      "─────────  ─────  ───",
      "a            9.1  x",
      "long name  10.25",
    ]
  `);
});

test("width counts columns, not code units", () => {
  expect(["abc", "日本", "é", "e\u0301", "👍🏽", "\u001b[1mab\u001b[0m"].map(displayWidth)).toEqual([3, 4, 1, 1, 2, 2]);
  expect(clipText("日本語", 4)).toBe("日…");
  expect(clipText("abc", 3)).toBe("abc");
  expect(clipText("abcd", 3)).toBe("ab…");
});
