// Graphemes of long texts: as the segmenter cuts the whole text, and in time that grows with its length.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { segmentsOf } from "./charsmap.ts";

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
const cut = (text: string) => Array.from(segmentsOf(graphemes, text), ({ segment }) => segment);
const whole = (text: string) => Array.from(graphemes.segment(text), ({ segment }) => segment);

/** What rules of grapheme boundaries speak of, and what stands beside it. */
const PIECES = [
  "a",
  "é",
  " ",
  "1",
  "\n",
  "\r",
  "\t",
  "\r\n",
  "e\u0301",
  "\u0301",
  "\u0308\u0327",
  "\u200d",
  "\ufe0f",
  "नमस्ते",
  "क्ष",
  "स्",
  "\u0e33",
  "สวัสดี",
  "\u0600",
  "\u1112\u1161\u11ab",
  "\u1112",
  "\u1161",
  "한",
  "漢字",
  "かな",
  "👨‍👩‍👧‍👦",
  "👍🏽",
  "🏽",
  "🇩🇪",
  "🇩",
  "❤️",
  "𝒜",
  "\ud800",
  "\udc00",
];

test("are those of the whole text, whatever stands at the ends of chunks", () => {
  const text = fc
    .array(fc.tuple(fc.constantFrom(...PIECES), fc.integer({ min: 1, max: 90 })), { maxLength: 40 })
    .map((parts) => parts.map(([piece, times]) => piece.repeat(times)).join(""));
  fc.assert(
    fc.property(text, (of) => {
      expect(cut(of)).toEqual(whole(of));
    }),
    { numRuns: 300, seed: 5 },
  );
});

describe("take time that grows with the text", () => {
  /** Units that the segmenter is given for a text. */
  function unitsGiven(text: string): number {
    let units = 0;
    const counting = {
      segment(part: string) {
        units += part.length;
        return graphemes.segment(part);
      },
    };
    for (const _ of segmentsOf(counting, text)) void _;
    return units;
  }

  test.each(PIECES)("of %j again and again", (piece) => {
    const text = piece.repeat(Math.ceil(20_000 / piece.length));
    // a text that is one grapheme is given in chunks that double
    expect(unitsGiven(text)).toBeLessThan(5 * text.length);
  });
});
