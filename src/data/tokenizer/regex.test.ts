import { describe, expect, test } from "vitest";
import { UnsupportedError } from "../../errors.ts";
import { findPattern } from "./patterns.ts";
import { regexFind } from "./regex.ts";
import { StepBudget } from "./step-budget.ts";

/** Steps without end, which are counted. */
class CountedSteps extends StepBudget {
  taken = 0;
  override take(steps = 1): boolean {
    this.taken += steps;
    return true;
  }
}

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

  test.each([
    ["(a+)+$"],
    ["(a|aa)+$"],
    ["(a*)*b"],
    ["(?:a?){40}a{40}$"],
    ["(?=(a+)+b)a|(a+)+$"],
    ["(?=a+$)a"],
    ["(?!a+b)a"],
    ["(?=(?=(?=a+)a+)a+)a"],
    ["(?>a+)+b"],
    ["a++b|a"],
    ["a+b|a"],
    ["(?<=(?:a|aa){1,20})b"],
  ])("%s takes steps in proportion to the text", (source) => {
    const stepsFor = (length: number): number => {
      const budget = new CountedSteps(length);
      findPattern(regexFind(source))(`${"a".repeat(length)}!`, budget);
      return budget.taken;
    };
    const [once, twice] = [stepsFor(1000), stepsFor(2000)];
    expect(once).toBeGreaterThan(1000);
    expect(twice).toBeLessThan(2.1 * once);
  });

  test.each([
    ["a{1,1000}b", 20_000, "too many steps for a text of 20000 characters"],
    ["(?=(?:a*)*$)a|(?:(?:a*)*b|a)", 20_000, "too many steps"],
    ["(?>(?:a{1000}b?){3})", 20_000, "too large for a text of 20000 characters"],
  ])("%s over %i characters is refused", (source, length, named) => {
    expect(() => matches(source, "a".repeat(length))).toThrow(UnsupportedError);
    expect(() => matches(source, "a".repeat(length))).toThrow(named);
  });

  test("parts of a text have the steps of the whole", () => {
    const find = findPattern(regexFind("(?:a?){1000}b"));
    const budget = new StepBudget(2000);
    const all = () => {
      for (let i = 0; i < 2000; i++) find(i % 2 === 0 ? "a" : "aa", budget);
    };
    expect(all).toThrow("too many steps");
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
    ["(?=(?=(?=a{1000}){1000}){1000})".repeat(8), "too large"],
    [`a${"*".repeat(3000)}`, "repetitions of one another"],
    ["\\w".repeat(10_000), "more than 10000"],
  ])("%.40s is refused by name", (source, named) => {
    expect(() => regexFind(source)).toThrow(UnsupportedError);
    expect(() => regexFind(source)).toThrow(named);
  });
});
