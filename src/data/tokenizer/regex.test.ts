import { describe, expect, test } from "vitest";
import { UnsupportedError } from "../../errors.ts";
import { findPattern } from "./patterns.ts";
import { regexFind } from "./regex.ts";

const matches = (source: string, text: string): string[] =>
  findPattern(regexFind(source))(text)
    .filter(({ isMatch }) => isMatch)
    .map(({ from, to }) => text.slice(from, to));

describe("regular expressions of tokenizer.json", () => {
  test.each([
    ["\\p{N}{1,3}", "12345 ½", ["123", "45", "½"]],
    ["(?i:'ll|ß)", "I'LL ß", ["'LL", "ß"]],
    ["[^\\s\\p{L}]+|\\p{L}++", "naïve – 4€", ["naïve", "–", "4€"]],
    ["a*?b|(?<=b)c", "aab bc", ["aab", "b", "c"]],
    ["\\s+(?!\\S)|\\s+", "a   b", ["  ", " "]],
    ["[\\x41-\\x{43}&&[^B]]", "ABC", ["A", "C"]],
    ["(?m:a.c)", "a\nc", ["a\nc"]],
    ["a.c", "a\nc", []],
  ])("%s in %j", (source, text, expected) => {
    expect(matches(source, text)).toEqual(expected);
  });

  test.each([["(a+)+$"], ["(a|aa)+$"], ["(a*)*b"], ["(?:a?){40}a{40}$"], ["(?=(a+)+b)a|(a+)+$"]])(
    "%s takes no more time than the text is long",
    (source) => {
      const text = `${"a".repeat(3000)}!`;
      const started = performance.now();
      matches(source, text);
      expect(performance.now() - started).toBeLessThan(3000);
    },
  );

  test("what would take the square of a text's length is refused", () => {
    expect(matches("(?>a+)+b", "aaab")).toEqual(["aaab"]);
    expect(() => matches("(?>a+)+b", "a".repeat(4000))).toThrow(/too many steps/);
  });

  test.each([
    ["(a)\\1", "\\1"],
    ["(?<n>a)\\k<n>", "\\k"],
    ["\\X", "\\X"],
    ["(?<=a+)b", "look-behind"],
    ["\\p{NoSuchThing}", "\\p{NoSuchThing}"],
    ["[a", "a class that does not end"],
    ["(a", "a group that does not end"],
    ["a)", "an unmatched )"],
    ["*a", "nothing to repeat"],
    ["(?(1)a|b)", "the group"],
    ["a{100000}", "repetitions"],
    ["(".repeat(200), "nesting"],
    ["((a{1000}){1000}){1000}", "too large"],
    ["[z-a]", "a range"],
  ])("%s is refused by name", (source, named) => {
    expect(() => regexFind(source)).toThrow(UnsupportedError);
    expect(() => regexFind(source)).toThrow(named);
  });
});
