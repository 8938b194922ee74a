// Canonical order of marks: the engine's, with the steps of one pass.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { classOf, inCanonicalOrder } from "./canonical-order.ts";
import { trackedText } from "./tracked-text.ts";
import { CharClass, charClasses } from "./unicode.ts";
import { normalForm } from "./unicode-forms.ts";

const MARKS: readonly string[] = Array.from({ length: 0x110000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code >= 0xe000)
  .map((code) => String.fromCodePoint(code))
  .filter((char) => /\p{M}/u.test(char) && char.normalize("NFD") === char);

/** Marks that the Rust library's tables do not have stay as they are, which the engine does otherwise. */
const UNKNOWN = CharClass.unknownToNfd | CharClass.unknownToNfkd;
const SHARED = MARKS.filter((mark) => (charClasses()[mark.codePointAt(0)!]! & UNKNOWN) === 0);

describe("combining classes", () => {
  test("order any two marks as the engine does", () => {
    const inOrder = [...MARKS].sort((a, b) => classOf(a) - classOf(b));
    const wrong: string[] = [];
    // neighbours, and one of every class with all
    const some = [...new Map(MARKS.map((mark) => [classOf(mark), mark])).values()];
    for (const first of some)
      for (const second of inOrder) {
        const isExchanged = `${first}${second}`.normalize("NFD") !== `${first}${second}`;
        if (isExchanged !== (classOf(second) > 0 && classOf(first) > classOf(second))) wrong.push(first + second);
      }
    expect(wrong).toEqual([]);
    expect(some.length).toBeGreaterThan(50);
  });

  test("are none of letters", () => {
    expect(["a", "\u1161", " ", "\u200d"].map(classOf)).toEqual([0, 0, 0, 0]);
  });
});

test("normal forms of long runs of marks are the engine's", () => {
  const parts = fc.array(
    fc.tuple(fc.constantFrom("a", "é", "ㅎ", "각", "\u0344", ...SHARED), fc.integer({ min: 1, max: 40 })),
    {
      maxLength: 30,
    },
  );
  fc.assert(
    fc.property(parts, fc.constantFrom("NFC", "NFD", "NFKC", "NFKD"), fc.boolean(), (of, form, isTracked) => {
      const text = of.map(([char, times]) => char.repeat(times)).join("");
      expect(normalForm(trackedText(text, isTracked), form).text).toBe(text.normalize(form));
    }),
    { numRuns: 300, seed: 3 },
  );
});

test("each mark is looked at once", () => {
  const marks = Array.from({ length: 20_000 }, (_, i) => MARKS[(i * 7919) % MARKS.length]!);
  let looks = 0;
  const ordered = inCanonicalOrder(marks, (mark) => {
    looks++;
    return mark;
  });
  expect(looks).toBe(marks.length);
  expect(ordered).toHaveLength(marks.length);
});
