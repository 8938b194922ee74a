// Cells that hold lists, in every form that files have them.
import { expect, test } from "vitest";
import { listCell, wordsOf } from "./list-cells.ts";
import type { Cell } from "./row.ts";

test.each<readonly [Cell, string | null, readonly Cell[] | null]>([
  [["a", "b"], "|", ["a", "b"]],
  [[], "|", []],
  [[2, 0], "|", [2, 0]],
  [null, "|", null],
  ["", "|", []],
  ["a|b", "|", ["a", "b"]],
  [" a | b ", "|", ["a", "b"]],
  ["a|", "|", ["a"]],
  ["a, b", "|", ["a, b"]],
  ["a, b", ",", ["a", "b"]],
  ["a", "|", ["a"]],
  [1, "|", ["1"]],
  ['["a, x", "b"]', "|", ["a, x", "b"]],
  ["[]", "|", []],
  ["[3, 4]", "|", [3, 4]],
  ["['a', 'it\\'s']", "|", ["a", "it's"]],
  ["['a', \"it's\"]", "|", ["a", "it's"]],
  ["['a' 'b'\n 'c']", "|", ["a", "b", "c"]],
  ["[a, b]", "|", ["a", "b"]],
  ["EU rejects\tGerman  call", null, ["EU", "rejects", "German", "call"]],
])("%j, cut at %j, is %j", (cell, separator, expected) => expect(listCell(cell, separator)).toEqual(expected));

test.each<readonly [Cell, string]>([
  [{ a: 1 }, "a record"],
  [[["a"]], "lists or records in it"],
  [["a", null], "null in it"],
  ["[a, [b]]", "[a, [b]]"],
  ['["a", {"b": 1}]', "lists or records in it"],
])("%j is refused", (cell, got) => expect(listCell(cell, "|")).toMatchObject({ got }));

test("a list that does not end as one is refused, however long it is", () => {
  // a run of characters may be cut into runs in as many ways as there are subsets of it
  const cell = `[${"a".repeat(100_000)}"`;
  expect(listCell(cell, "|")).toMatchObject({ expected: "a list" });
  expect(listCell("[a,]", "|")).toEqual(["a"]);
  expect(listCell("[a,,b]", "|")).toMatchObject({ expected: "a list" });
});

test("words are texts, whatever they look like", () => {
  expect(wordsOf(["1", 2, "NaN"])).toEqual(["1", "2", "NaN"]);
  expect(wordsOf(null)).toMatchObject({ expected: "a list of words" });
});
