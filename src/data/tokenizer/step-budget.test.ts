import { describe, expect, test } from "vitest";
import { UnsupportedError } from "../../errors.ts";
import { decoderOf } from "./decoders.ts";
import type { StageJson } from "./json.ts";
import { normalizerOf } from "./normalizers.ts";
import { preTokenizerOf } from "./pre-tokenizers.ts";
import { checkStageCount } from "./step-budget.ts";
import { trackedText } from "./tracked-text.ts";

const replace = (from: object, content: string): StageJson => ({ type: "Replace", pattern: from, content });
const tenfold = replace({ String: "a" }, "a".repeat(10));

describe("what a tokenizer.json from elsewhere may make of a text", () => {
  test.each([
    ["each replacement ten times as long", Array.from({ length: 12 }, () => tenfold)],
    ["one replacement of a megabyte", [replace({ Regex: "." }, "x".repeat(2 ** 20))]],
    ["bytes of bytes", Array.from({ length: 40 }, () => ({ type: "ByteLevel" }))],
  ])("normalisers: %s", (_, normalizers) => {
    const normalize = normalizerOf({ type: "Sequence", normalizers });
    for (const isTracked of [false, true]) {
      const grow = () => normalize(trackedText("aé".repeat(200), isTracked));
      expect(grow).toThrow(UnsupportedError);
      expect(grow).toThrow("characters of 400");
    }
  });

  test("a few times as long is what published ones do", () => {
    const normalize = normalizerOf({ type: "Sequence", normalizers: [tenfold, { type: "ByteLevel" }] });
    expect(normalize(trackedText("a".repeat(20_000))).text).toHaveLength(200_000);
  });

  test("pre-tokenisers: bytes of bytes, in many parts", () => {
    const bytes = Array.from({ length: 40 }, () => ({ type: "ByteLevel", use_regex: false }));
    const split = preTokenizerOf({ type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, ...bytes] });
    expect(() => [...split(trackedText("é ".repeat(200)))]).toThrow("characters of 400");
  });

  test.each([
    ["replacements", Array.from({ length: 12 }, () => tenfold)],
    ["one replacement", [replace({ Regex: "." }, "x".repeat(2 ** 20))]],
    ["spaces between all characters", Array.from({ length: 40 }, () => ({ type: "BPEDecoder", suffix: "" }))],
  ])("decoders: %s", (_, decoders) => {
    const decode = decoderOf({ type: "Sequence", decoders });
    expect(() => decode(["aaaa", "aaaa"])).toThrow(UnsupportedError);
  });

  test("stages are counted, those inside others too", () => {
    const many = (count: number) => Array.from({ length: count }, () => ({ type: "Lowercase" }));
    const nested = (count: number) => ({
      type: "Sequence",
      normalizers: [{ type: "Sequence", normalizers: many(count) }, ...many(49)],
    });
    expect(() => checkStageCount("normalizer", nested(49))).not.toThrow();
    expect(() => checkStageCount("normalizer", nested(50))).toThrow("more than 100 stages");
  });
});
