// Guesses about tables: many headers, what is proposed for them, and which flag decides where nothing does.
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../errors.ts";
import { memoryFiles } from "../../hub/files-memory.ts";
import { guessData } from "./guess.ts";
import { LOOK_ROWS, lookAt } from "./look.ts";
import type { GivenRoles } from "./roles.ts";

type Row = Readonly<Record<string, unknown>>;

const WORDS = ["a", "film", "plot", "story", "that", "is", "bright", "dull", "with", "one"];
const prose = (i: number, words: number) =>
  `${Array.from({ length: words }, (_, at) => WORDS[(i * 7 + at * at + (at >> 1)) % WORDS.length]).join(" ")} ${i}`;
const short = (i: number) => prose(i, 5);
const long = (i: number) => prose(i, 40);

const jsonl = (row: (i: number) => Row, count = 60) =>
  Array.from({ length: count }, (_, i) => `${JSON.stringify(row(i))}\n`).join("");

async function guessed(text: string, given: GivenRoles = {}, name = "d.jsonl") {
  return guessData(await lookAt(memoryFiles([[name, text]]), name, given.task), given);
}
const at = (columns: string) => {
  const [textColumn, pairColumn, labelColumn] = columns.split(" ");
  return { textColumn, ...(pairColumn === "-" ? {} : { pairColumn }), labelColumn };
};

describe("guessData", () => {
  test.each<readonly [string, string, (i: number) => Row]>([
    ["text-classification", "text - label", (i) => ({ text: short(i), label: i % 2 })],
    ["text-classification", "sentence - label", (i) => ({ idx: i, sentence: short(i), label: i % 2 })],
    ["text-classification", "description - topic", (i) => ({ description: short(i), topic: `t${i % 8}` })],
    [
      "text-classification",
      "Review - Sentiment",
      (i) => ({ Id: i, Review: long(i), Sentiment: i % 2 ? "pos" : "neg" }),
    ],
    [
      "text-classification",
      "tweet - class",
      (i) => ({ "Unnamed: 0": i, count: 3, hate: i % 3, class: i % 3, tweet: short(i) }),
    ],
    ["text-classification", "utterance - intent", (i) => ({ utterance: short(i), intent: `i${i % 20}` })],
    ["text-classification", "body - gold_label", (i) => ({ title: prose(i, 2), body: long(i), gold_label: i % 3 })],
    ["text-classification", "message - Category", (i) => ({ Category: i % 5 ? "ham" : "spam", message: short(i) })],
    ["text-classification", "v2 - v1", (i) => ({ v1: i % 5 ? "ham" : "spam", v2: short(i) })],
    ["text-classification", "text - label", (i) => ({ text: short(i), label: i % 2, label_text: i % 2 ? "b" : "a" })],
    ["text-classification", "text - stars", (i) => ({ text: short(i), stars: (i % 5) + 1, user_id: i % 4 })],
    ["text-classification", "text - label", (i) => ({ text: short(i), label: i % 25 })],
    [
      "text-classification",
      "headline - is_clickbait_label",
      (i) => ({ headline: short(i), is_clickbait_label: i % 2 }),
    ],
    [
      "text-classification",
      "text - target",
      (i) => ({ id: i, keyword: `k${i % 9}`, location: `l${i % 7}`, text: short(i), target: i % 2 }),
    ],
    ["text-pair", "premise hypothesis label", (i) => ({ premise: short(i), hypothesis: short(i + 99), label: i % 3 })],
    [
      "text-pair",
      "sentence1 sentence2 label",
      (i) => ({ sentence1: short(i), sentence2: short(i + 99), label: i % 2 }),
    ],
    [
      "text-pair",
      "question1 question2 is_duplicate",
      (i) => ({ id: i, question1: short(i), question2: short(i + 9), is_duplicate: i % 2 }),
    ],
    ["text-pair", "question sentence label", (i) => ({ question: short(i), sentence: long(i), label: i % 2 })],
    ["text-pair", "text1 text2 label", (i) => ({ text1: short(i), text2: short(i + 99), label: i % 2 })],
    ["text-pair", "query passage label", (i) => ({ query: short(i), passage: long(i), label: i % 2 })],
    ["text-regression", "text - score", (i) => ({ text: short(i), score: i / 7 })],
    ["text-regression", "excerpt - target", (i) => ({ id: `x${i}`, excerpt: long(i), target: -i / 9 })],
    ["text-regression", "text - rating", (i) => ({ text: short(i), rating: i })],
    [
      "text-pair-regression",
      "sentence1 sentence2 score",
      (i) => ({ sentence1: short(i), sentence2: short(i + 9), score: (i % 26) / 5 }),
    ],
    ["multi-label", "text - labels", (i) => ({ text: short(i), labels: [["a"], ["a", "b"], []][i % 3] })],
    ["multi-label", "text - genres", (i) => ({ text: short(i), genres: ["drama|war", "war", "drama"][i % 3] })],
    ["multi-label", "text - tags", (i) => ({ text: short(i), tags: ["['x', 'y']", "['y']"][i % 2] })],
    [
      "multi-label",
      "comment - toxic,threat,insult",
      (i) => ({ id: i, comment: short(i), toxic: i % 2, threat: +(i % 3 === 0), insult: +(i % 5 === 0) }),
    ],
    [
      "token-classification",
      "tokens - ner_tags",
      (i) => ({ id: i, tokens: ["EU", `w${i}`], pos_tags: [1, 2], ner_tags: [0, 3] }),
    ],
    ["token-classification", "words - labels", (i) => ({ words: ["EU", `w${i}`], labels: ["B-ORG", "O"] })],
    ["token-classification", "pieces - named", (i) => ({ pieces: ["EU", `w${i}`], named: ["B-ORG", "O"] })],
  ])("%s: %s", async (task, columns, row) => {
    const found = await guessed(jsonl(row));
    expect({ task: found.task, columns: found.columns }).toEqual({ task, columns: at(columns) });
  });

  test.each<readonly [string, (i: number) => Row]>([
    ["article highlights", (i) => ({ id: i, article: long(i), highlights: short(i) })],
    ["document summary", (i) => ({ document: long(i), summary: short(i) })],
    ["dialogue summary", (i) => ({ dialogue: long(i), summary: short(i), site: `s${i % 3}` })],
    ["source target", (i) => ({ source: short(i), target: short(i + 99) })],
    ["english translation", (i) => ({ english: short(i), translation: short(i + 99) })],
    ["question answer", (i) => ({ question: short(i), answer: short(i + 99) })],
    ["input output", (i) => ({ input: short(i), output: prose(i, 1) })],
  ])("seq2seq: %s", async (columns, row) => {
    const [sourceColumn, targetColumn] = columns.split(" ");
    expect(await guessed(jsonl(row))).toMatchObject({ task: "seq2seq", columns: { sourceColumn, targetColumn } });
  });

  test.each<readonly [string, string, GivenRoles, (i: number) => Row]>([
    ["labels", "text label", {}, (i) => ({ text: short(i), label: i % 2 ? "good" : "bad" })],
    ["few answers", "source target", {}, (i) => ({ source: short(i), target: i % 2 ? "yes" : "no" })],
    ["texts", "article highlights", {}, (i) => ({ article: long(i), highlights: short(i) })],
    ["a column that was named", "text mood", { labelColumn: "mood" }, (i) => ({ text: short(i), mood: `m${i % 3}` })],
    ["the task", "source target", { task: "seq2seq", writes: false }, (i) => ({ source: short(i), target: i % 2 })],
  ])("for a model that writes, %s are written", async (_, columns, given, row) => {
    const [sourceColumn, targetColumn] = columns.split(" ");
    expect(await guessed(jsonl(row), { writes: true, ...given })).toMatchObject({
      task: "seq2seq",
      columns: { sourceColumn, targetColumn },
      classes: null,
    });
  });

  test("a model that writes answers questions over contexts, and needs one column to read", async () => {
    const answers = { text: ["a"], answer_start: [0] };
    const questions = jsonl((i) => ({ question: short(i), context: long(i), answers }));
    expect(await guessed(questions, { writes: true })).toMatchObject({ task: "squad" });
    const pairs = jsonl((i) => ({ sentence1: short(i), sentence2: short(i + 99), label: i % 2 }));
    await expect(guessed(pairs, { writes: true })).rejects.toThrow(/--source-column NAME --target-column NAME/);
  });

  test("squad: rows and documents", async () => {
    const answers = { text: ["a"], answer_start: [0] };
    expect(await guessed(jsonl((i) => ({ question: short(i), context: long(i), answers })))).toMatchObject({
      task: "squad",
      columns: {},
    });
    const document = JSON.stringify({ data: [{ title: "t", paragraphs: [] }] });
    expect(await guessed(document, {}, "train-v1.1.json")).toMatchObject({ task: "squad" });
  });

  test("CoNLL files, also called .txt", async () => {
    const text = "EU NNP B-ORG\nrejects VBZ O\n\nPeter NNP B-PER\n";
    for (const name of ["d.conll", "train.txt"])
      expect(await guessed(text, {}, name)).toMatchObject({
        task: "token-classification",
        columns: { textColumn: "1", labelColumn: "3" },
        classes: [
          ["B-ORG", 1],
          ["B-PER", 1],
          ["O", 1],
        ],
      });
  });

  test("classes are counted in their order; what is given holds", async () => {
    const rows = jsonl((i) => ({ text: short(i), other: short(i + 99), label: [10, 9, 9][i % 3], score: i / 7 }));
    const classes = [
      ["9", 40],
      ["10", 20],
    ];
    const given = { textColumn: "text" };
    expect(await guessed(rows, given)).toMatchObject({ task: "text-classification", columns: given, classes });
    expect(await guessed(rows, { ...given, labelColumn: "score" })).toMatchObject({ task: "text-regression" });
    expect(await guessed(rows, { ...given, pairColumn: "other" })).toMatchObject({
      task: "text-pair",
      columns: { pairColumn: "other" },
    });
    expect(await guessed(rows, { ...given, task: "text-regression", labelColumn: "label" })).toMatchObject({
      classes: null,
    });
    expect(await guessed(rows, { task: "seq2seq", sourceColumn: "text", targetColumn: "other" })).toMatchObject({
      task: "seq2seq",
    });
    expect(await guessed(rows, { task: "sst2" })).toMatchObject({ task: "sst2", columns: {}, classes: null });
  });

  test.each<readonly [string, GivenRoles, RegExp, (i: number) => Row]>([
    [
      "two columns of few values",
      {},
      /--label-column tone, or --label-column kind/,
      (i) => ({ text: short(i), tone: "ab"[i % 2], kind: "xyz"[i % 3] }),
    ],
    [
      "two names of labels",
      {},
      /--label-column category, or --label-column sentiment/,
      (i) => ({ text: short(i), category: i % 3, sentiment: i % 2 }),
    ],
    ["texts alone", {}, /--label-column NAME/, (i) => ({ text: short(i) })],
    ["numbers alone", {}, /--text-column NAME/, (i) => ({ a: i / 3, label: i % 2 })],
    [
      "texts of a length",
      {},
      /--text-column first, or --text-column second/,
      (i) => ({ first: short(i), second: short(i + 99), label: i % 2 }),
    ],
    ["one label", {}, /--label-column/, (i) => ({ text: short(i), label: "a" })],
    ["no questions", { task: "squad" }, /--task/, (i) => ({ text: short(i), label: "a" })],
    ["no words", { task: "token-classification" }, /--text-column/, (i) => ({ text: short(i), label: "a" })],
    ["no target", { task: "seq2seq" }, /--source-column/, (i) => ({ one: short(i), two: short(i + 99) })],
    ["no pair", { task: "text-pair" }, /--text-column/, (i) => ({ text: short(i), label: i % 2 })],
    ["no such column", { labelColumn: "lable" }, /did you mean label/, (i) => ({ text: short(i), label: i % 2 })],
  ])("%s: a flag decides", async (_, given, message, row) => {
    const error = await guessed(jsonl(row), given).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toMatch(message);
    for (const name of Object.keys(row(0))) expect((error as Error).message).toContain(name);
  });
});

describe("lookAt", () => {
  test("ends after the first rows, and finds the training file of a folder", async () => {
    const text = `text,label\n${Array.from({ length: LOOK_ROWS + 5 }, (_, i) => `t ${i},${i % 2}\n`).join("")}`;
    const files = memoryFiles(Object.entries({ "d/train.csv": text, "d/dev.csv": "text,label\na,b\n" }));
    expect(await lookAt(files, "d", undefined)).toMatchObject({ file: "d/train.csv", rows: LOOK_ROWS, isWhole: false });
  });
});
