import { expect, test } from "vitest";
import { entryOf } from "./entry.ts";

test("a table's entries are its own", () => {
  const table = { a: 1, toString: 2 };
  expect(["a", "toString", "constructor", "__proto__", "b"].map((name) => entryOf(table, name))).toEqual([
    1,
    2,
    undefined,
    undefined,
    undefined,
  ]);
});
