import fc from "fast-check";
import { expect, test } from "vitest";
import { heldOut, textKey } from "./held-out.ts";

const examples = fc.array(fc.record({ key: fc.nat(60), label: fc.nat(2) }), { minLength: 1, maxLength: 200 });

test("equal texts stay together, and every label with two texts is on both sides", () => {
  fc.assert(
    fc.property(examples, fc.integer(), (of, seed) => {
      // one label for each text, so that a label's texts are its own
      const labels = of.map(({ key }) => key % 3);
      const aside = heldOut(
        of.map((e) => e.key),
        labels,
        { share: 0.1, seed },
      );
      const side = new Map<number, number>();
      of.forEach(({ key }, i) => {
        expect(side.get(key) ?? aside[i]).toBe(aside[i]);
        side.set(key, aside[i]!);
      });
      for (const label of [0, 1, 2]) {
        const texts = new Set(of.map((e) => e.key).filter((key) => key % 3 === label));
        const sides = new Set([...texts].map((key) => side.get(key)));
        expect(sides.size).toBe(Math.min(2, texts.size));
      }
    }),
  );
});

test("the share is kept for each label", () => {
  const labels = Array.from({ length: 1000 }, (_, i) => (i < 100 ? 1 : 0));
  const aside = heldOut(
    labels.map((_, i) => i),
    labels,
    { share: 0.2, seed: 5 },
  );
  expect(labels.filter((label, i) => label === 1 && aside[i]).length).toBe(20);
  expect(labels.filter((label, i) => label === 0 && aside[i]).length).toBe(180);
});

test("the key of a text is blind to case and spacing, not to words or to where a pair begins", () => {
  expect(textKey("A  b\n", undefined)).toBe(textKey("a b", undefined));
  const different = [textKey("a b", undefined), textKey("a", "b"), textKey("ab", undefined), textKey("", "a b")];
  expect(new Set(different).size).toBe(4);
});
