import { describe, expect, test } from "vitest";
import { ConfigError } from "../errors.ts";
import { GLUE_TASKS, glueTask } from "./tasks/glue.ts";
import { bertNormalizer, bertWords } from "./tokenizer/bert-text.ts";
import { byteLevelWords } from "./tokenizer/byte-level.ts";
import { addedTokens, keptLengths, templateOf } from "./tokenizer/template.ts";
import { wellFormed } from "./tokenizer/unicode.ts";

const normalize = bertNormalizer({ cleanText: true, handleChineseChars: true, stripAccents: null, lowercase: true });

describe("BERT's text", () => {
  // each of these differs in @huggingface/tokenizers 0.2.0
  test.each([
    ["final sigma", "ΑΣ ΣΑΣ", "ας σας".replaceAll("ς", "σ")],
    ["Chinese outside the basic plane", "a𠀀b", "a 𠀀 b"],
    ["line tabulation is removed, a tab becomes a space", "a\u000bb\tc\u0085d", "ab cd"],
    ["marks newer than the Rust tables stay", "a\u08d3", "a\u08d3"],
    ["accents go, the letter stays", "É e\u0323\u0301 İ", "e e i"],
  ])("%s", (_, text, expected) => {
    expect(normalize(text)).toBe(expected);
  });

  test("cased text keeps case and accents", () => {
    const cased = bertNormalizer({ cleanText: true, handleChineseChars: true, stripAccents: null, lowercase: false });
    expect(cased("É B")).toBe("É B");
  });

  test("words split around punctuation and symbols of ASCII", () => {
    expect(bertWords("it's  $5, «ok»\u3000x")).toEqual(["it", "'", "s", "$", "5", ",", "«", "ok", "»", "x"]);
  });
});

test("byte-level words: contractions, leading spaces, runs of spaces", () => {
  const words = byteLevelWords(false);
  expect(words("I'm  here\n\n x1!")).toEqual(["I", "'m", "Ġ", "Ġhere", "ĊĊ", "Ġx", "1", "!"]);
  expect(byteLevelWords(true)("a")).toEqual(["Ġa"]);
  expect(words("é")).toEqual(["Ã©"]);
});

test("lone surrogates become U+FFFD, pairs stay", () => {
  expect(wellFormed("a\ud800b\udc00 😀")).toBe("a\ufffdb\ufffd 😀");
});

describe("templates", () => {
  test("RoBERTa's pair has two separators and one segment", () => {
    const { pair } = templateOf({ type: "RobertaProcessing", cls: ["<s>", 0], sep: ["</s>", 2] });
    expect(pair.map((piece) => (piece.kind === "text" ? piece.which : piece.ids[0]))).toEqual([0, "A", 2, 2, "B", 2]);
    expect(pair.every((piece) => piece.typeId === 0)).toBe(true);
    expect(addedTokens(pair)).toBe(4);
  });

  test("cutting one text only fails when nothing of it would be left", () => {
    expect(keptLengths(10, 3, 8, "only_first")).toEqual([5, 3]);
    expect(keptLengths(3, 10, 8, "only_second")).toEqual([3, 5]);
    expect(() => keptLengths(3, 10, 8, "only_first")).toThrow(ConfigError);
  });
});

describe("GLUE", () => {
  test("labels in the order of the hub's data set", () => {
    expect(
      Object.fromEntries(GLUE_TASKS.map((name) => [name, glueTask(name).labels.join(" ")])),
    ).toMatchInlineSnapshot(`
      {
        "cola": "unacceptable acceptable",
        "mnli": "entailment neutral contradiction",
        "mrpc": "not_equivalent equivalent",
        "qnli": "entailment not_entailment",
        "qqp": "not_duplicate duplicate",
        "rte": "entailment not_entailment",
        "sst2": "negative positive",
        "stsb": "",
        "wnli": "not_entailment entailment",
      }
    `);
  });
  test("a slip of the hand is named", () => {
    expect(() => glueTask("mprc")).toThrow(/got mprc \(did you mean mrpc\?\)/);
  });
});
