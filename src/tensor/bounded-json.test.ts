import { expect, test } from "vitest";
import { jsonDepth, parseBoundedJson } from "./bounded-json.ts";

test.each([
  ["1", 0],
  ['"[[[{"', 0],
  ['"\\"[["', 0],
  ['["\\\\", {"a[": []}]', 3],
  ["[]", 1],
  ["[[1],[2,[3]]]", 3],
  ['{"a": {"b": "]]"}}', 2],
  ["[[[", 3],
])("%j is %i deep", (text, depth) => {
  expect(jsonDepth(text)).toBe(depth);
});

test("what is deeper than any file of ours is refused before it is parsed", () => {
  const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  expect(parseBoundedJson(nested(64))).toBeInstanceOf(Array);
  expect(() => parseBoundedJson(nested(65))).toThrow("nested more than 64 deep");
  expect(() => parseBoundedJson(nested(1_000_000))).toThrow(SyntaxError);
  expect(() => parseBoundedJson("{")).toThrow(SyntaxError);
});
