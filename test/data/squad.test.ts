// Questions, windows and answer positions equal transformers' run_qa.py; every fault of a SQuAD file is named at once.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { Tokenizer as RustTokenizer } from "tokenizers";
import { describe, expect, test } from "vitest";
import {
  type EncodedSpans,
  encodeAnswers,
  encodeSpans,
  loadTokenizer,
  openDataset,
  splitOf,
} from "../../src/data/index.ts";
import { DataError } from "../../src/errors.ts";
import { memoryFiles } from "../../src/hub/files-memory.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { describeWithPython, minilm, runPython } from "../support/python.ts";

const GOLDEN = fileURLToPath(new URL("../golden", import.meta.url));
const files = nodeFiles();

/** Question, ids, start of segment 1, first context token, places of the context's tokens, answer positions. */
type Row = readonly [number, readonly number[], number, number, readonly number[], number, number];

async function encoded(tokenizer: string, data: string, maxLength: number, stride: number): Promise<EncodedSpans> {
  const dataset = await openDataset(files, { task: "squad", data, splits: ["dev"], heldOutShare: null });
  return encodeSpans(splitOf(dataset, "dev").examples(), await loadTokenizer(files, tokenizer), { maxLength, stride });
}

function rowsOf(spans: EncodedSpans): Row[] {
  return Array.from({ length: spans.count }, (_, i) => {
    const { contextAt, starts, ends } = spans.offsets(i);
    const places = starts.flatMap((start, t) => [start, ends[t]!]);
    const first = places.length === 0 ? -1 : contextAt;
    const answer = [spans.startPositions[i]!, spans.endPositions[i]!] as const;
    return [spans.owners[i]!, [...spans.tokens(i)], spans.segmentStart(i), first, places, ...answer];
  });
}

const golden = JSON.parse(readFileSync(`${GOLDEN}/squad/golden.json`, "utf8")) as {
  readonly features: Readonly<Record<string, readonly Row[]>>;
};

describe.each(Object.entries(golden.features))("%s", (name, expected) => {
  test("windows, offsets and positions are run_qa.py's", async () => {
    const [tokenizer, file, length, stride] = name.split(" ");
    const folder = `${GOLDEN}/tokenizers/${tokenizer}`;
    const rows = rowsOf(await encoded(folder, `${GOLDEN}/squad/${file}`, Number(length), Number(stride)));
    expect(rows).toEqual(expected);
    expect(rows.some(([, , , , , start]) => start > 0)).toBe(true);
  });
});

describeWithPython("live", () => {
  const data = process.env.DEFT_SQUAD ?? "";
  test.skipIf(data === "" || minilm() === null)("every question of a SQuAD file, for MiniLM (DEFT_SQUAD)", async () => {
    const args = [minilm()!, data, "384", "128"];
    const expected = JSON.parse(await runPython("scripts/golden/squad.py", ["features", ...args])) as Row[];
    expect(rowsOf(await encoded(minilm()!, data, 384, 128))).toEqual(expected);
  });
});

describe.each(["bert", "roberta"])("offsets of %s against the Rust library", (name) => {
  const odd = Array.from(" \t\n'sTé́ßΣİﬁ中𠀀각😀‍👩🏽½אक्.,!#_«…\u0000\u00a0\u00ad\u200b\u2028\ufeff\ufffd\u1e9b\u0323");
  const parts = fc.constantFrom(...odd, "[MASK]", "<mask>", " <mask> ", "</s>", "[SEP]", "the", " License", "  ");
  const text = fc.oneof(
    fc.array(parts, { maxLength: 40 }).map((list) => list.join("")),
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme" }),
  );

  test("any text", async () => {
    const tokenizer = await loadTokenizer(files, `${GOLDEN}/tokenizers/${name}`);
    const rust = RustTokenizer.fromFile(`${GOLDEN}/tokenizers/${name}/tokenizer.json`);
    await fc.assert(
      fc.asyncProperty(text, async (any) => {
        const expected = await rust.encode(any, null, { addSpecialTokens: false });
        const { ids, starts, ends } = tokenizer.spans(any);
        expect(ids).toEqual(expected.getIds());
        // the library counts code points
        const unit = [0];
        for (const char of any) unit.push(unit.at(-1)! + char.length);
        const places = expected.getOffsets().map(([from, to]) => [unit[from!], unit[to!]]);
        expect(starts.map((start, i) => [start, ends[i]])).toEqual(places);
      }),
      { numRuns: 500 },
    );
  });
});

describe("targets", () => {
  const data = `${GOLDEN}/squad/own-v1.json`;
  const options = { maxLength: 128, stride: 48, maxTargetLength: 12 };
  const of = async (more: { readonly unanswerable?: boolean; readonly targetsOnly?: boolean }) => {
    const dataset = await openDataset(files, { task: "squad", data, splits: ["dev"], heldOutShare: null });
    const tokenizer = await loadTokenizer(files, `${GOLDEN}/tokenizers/bert`);
    const rows = await encodeAnswers(splitOf(dataset, "dev").examples(), tokenizer, { ...options, ...more });
    const gold = (row: number) => {
      const { answers } = rows.questions[rows.owners[row]!]!.question!;
      return tokenizer.encode(answers[0]!.text, null, { maxLength: 12 }).ids;
    };
    return { tokenizer, rows, gold };
  };

  test("every window starts with the question; the answer is the target where the window has it", async () => {
    const { tokenizer, rows, gold } = await of({});
    for (let i = 0; i < rows.count; i++) {
      const { text } = rows.questions[rows.owners[i]!]!;
      const start = tokenizer.spans(`question: ${text} context:`).ids;
      expect([...rows.tokens(i)].slice(1, start.length + 1)).toEqual(start);
      expect(rows.lengths[i]).toBeLessThanOrEqual(128);
      expect([[], gold(i)]).toContainEqual([...rows.target(i)]);
    }
    expect(rows.count).toBeGreaterThan(rows.questions.length);
    expect(rows.targetLengths).toContain(0);
  });

  test("where questions may have no answer, a window without it asks for nothing to be written", async () => {
    const { tokenizer, rows, gold } = await of({ unanswerable: true });
    for (let i = 0; i < rows.count; i++)
      expect([tokenizer.encode("").ids, gold(i)]).toContainEqual([...rows.target(i)]);
  });

  test("windows that ask for nothing are left out on demand, and no question is lost", async () => {
    const { rows, gold } = await of({ targetsOnly: true });
    expect(new Set(rows.owners).size).toBe(rows.questions.length);
    for (let i = 0; i < rows.count; i++) expect([...rows.target(i)]).toEqual(gold(i));
  });
});

describe("splits", () => {
  const V1 = readFileSync(`${GOLDEN}/squad/own-v1.json`, "utf8");
  const V2 = readFileSync(`${GOLDEN}/squad/own-v2.json`, "utf8");

  test("a folder with SQuAD's own file names; version 2 is noticed", async () => {
    const memory = memoryFiles(Object.entries({ "s/train-v2.0.json": V2, "s/dev-v2.0.json": V2 }));
    const { task, splits } = await openDataset(memory, { task: "squad", data: "s", limitTrain: 2 });
    expect([task.unanswerable, splits.get("train")!.count, splits.get("dev")!.count]).toEqual([true, 2, 6]);
  });

  test("one file: contexts are held out whole", async () => {
    const { splits, notes, task } = await openDataset(memoryFiles([["a.json", V1]]), { task: "squad", data: "a.json" });
    const contexts = async (name: string) => {
      const found = new Set<string>();
      for await (const { pair } of splits.get(name)!.examples()) found.add(pair!);
      return found;
    };
    const [train, dev] = [await contexts("train"), await contexts("dev")];
    expect([...train].filter((context) => dev.has(context))).toEqual([]);
    expect(train.size + dev.size).toBe(3);
    expect(notes.join()).toContain("by context");
    expect(task.unanswerable).toBe(false);
  });

  test("the hub's rows are the same questions", async () => {
    const rows: string[] = [];
    const json = JSON.parse(V1) as {
      data: { paragraphs: { context: string; qas: { answers: { text: string; answer_start: number }[] }[] }[] }[];
    };
    for (const { paragraphs } of json.data)
      for (const { context, qas } of paragraphs)
        for (const { answers, ...qa } of qas) {
          const columns = { text: answers.map((a) => a.text), answer_start: answers.map((a) => a.answer_start) };
          rows.push(JSON.stringify({ ...qa, context, answers: columns }));
        }
    const read = async (name: string, text: string) => {
      const options = { task: "squad", data: name, splits: ["dev"], heldOutShare: null };
      const found = [];
      const dataset = await openDataset(memoryFiles([[name, text]]), options);
      for await (const { line: _, ...example } of splitOf(dataset, "dev").examples()) found.push(example);
      return found;
    };
    expect(await read("a.jsonl", rows.join("\n"))).toEqual(await read("a.json", V1));
  });
});

describe("layouts", () => {
  const C = 'The bridge was built by a woman in 1901. It\'s "a" ship.';
  const QUESTIONS = [
    {
      id: "q1",
      question: "who?",
      answers: [
        { text: "a woman", answer_start: 24 },
        { text: "woman", answer_start: 26 },
      ],
    },
    { id: "q2", question: "what?", answers: [{ text: 'It\'s "a" ship', answer_start: 41 }] },
    { id: "q3", question: "where?", answers: [] },
  ];
  const nested = {
    version: "v2.0",
    data: [
      { title: "t", paragraphs: [{ context: C, qas: QUESTIONS.map((q) => ({ ...q, is_impossible: q.id === "q3" })) }] },
    ],
  };
  const columns = (answers: (typeof QUESTIONS)[number]["answers"]) => ({
    text: answers.map(({ text }) => text),
    answer_start: answers.map(({ answer_start }) => answer_start),
  });
  const flat = QUESTIONS.map(({ answers, ...rest }) => ({ ...rest, context: C, answers: columns(answers) }));
  const lines = flat.map((row) => JSON.stringify(row)).join("\n");
  const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const csv = (head: string, answers: readonly string[]) =>
    [head, ...answers.map((text, i) => [QUESTIONS[i]!.id, cell(C), QUESTIONS[i]!.question, text].join(","))].join("\n");
  // as datasets 5.2's and pandas 3.1's to_csv() print it
  const numpy = [
    `{'text': array(['a woman', 'woman'], dtype=object), 'answer_start': array([24, 26], dtype=int32)}`,
    `{'text': array(['It\\'s "a" ship'], dtype=object), 'answer_start': array([41], dtype=int32)}`,
    `{'text': array([], dtype=object), 'answer_start': array([], dtype=int32)}`,
  ];
  const python = numpy.map((text) => text.replaceAll(/array\((\[.*?\]), dtype=\w+\)/g, "$1"));
  const json = flat.map(({ answers }) => JSON.stringify(answers));
  const head = "id,context,question,answers";

  const read = async (name: string, text: string | Uint8Array) => {
    const options = { task: "squad", data: name, splits: ["dev"], heldOutShare: null };
    const dataset = await openDataset(memoryFiles([[name, text]]), options);
    const found = [];
    for await (const { line: _, ...example } of splitOf(dataset, "dev").examples()) found.push(example);
    return { found, unanswerable: dataset.task.unanswerable };
  };

  test.each<[string, string, string | Uint8Array]>([
    ["rows in .json, one a line", "a.json", lines],
    ["an array of rows", "a.json", JSON.stringify(flat)],
    ["an array over lines", "a.json", JSON.stringify(flat, null, 1)],
    ["the rows as data", "a.json", JSON.stringify({ version: "1", data: flat }, null, 2)],
    ["the rows as data, in one line", "a.json", JSON.stringify({ data: flat })],
    ["articles in an array", "a.json", JSON.stringify(nested.data)],
    ["a csv of datasets", "a.csv", csv(head, numpy.map(cell))],
    ["a csv of pandas", "a.csv", csv(head, python.map(cell))],
    ["a csv with JSON", "a.csv", csv(head, json.map(cell))],
    [
      "a csv of flattened columns",
      "a.csv",
      csv(`${head}.text,answers.answer_start`, [
        "['a woman' 'woman'],[24 26]",
        `${cell(`['It\\'s "a" ship']`)},[41]`,
        "[],[]",
      ]),
    ],
    ["compressed", "a.json.gz", gzipSync(JSON.stringify({ data: flat }))],
    ["compressed lines", "a.jsonl.gz", gzipSync(lines)],
  ])("%s", async (_, name, text) => {
    const expected = await read("nested.json", JSON.stringify(nested));
    expect(expected.found.length).toBe(3);
    expect(await read(name, text)).toEqual(expected);
  });

  test("one answer of a row as it is, and is_impossible as pandas writes it", async () => {
    const { found } = await read("a.csv", csv(`${head}.text,answers.answer_start`, ["1901,35", `${cell('"a"')},46`]));
    expect(found.map(({ question }) => question!.answers)).toEqual([
      [{ text: "1901", start: 35 }],
      [{ text: '"a"', start: 46 }],
    ]);
    const said = await read(
      "b.csv",
      csv("id,context,question,answers,is_impossible", [`${cell("{'text': [], 'answer_start': []}")},True`]),
    );
    expect(said.unanswerable).toBe(true);
  });

  test("shards and a hub's folder are one split", async () => {
    const part = (row: object) => JSON.stringify(row);
    const entries: [string, string][] = [
      ["d/plain_text/train-00001-of-00002.jsonl", part(flat[1]!)],
      ["d/plain_text/train-00000-of-00002.jsonl", part(flat[0]!)],
      ["d/plain_text/validation-00000-of-00001-5d4f1a.jsonl", lines],
    ];
    const dataset = await openDataset(memoryFiles(entries), {
      task: "squad",
      data: "d",
      splits: ["train", "validation"],
    });
    const ids = [];
    for await (const { question } of splitOf(dataset, "train").examples()) ids.push(question!.id);
    expect(ids).toEqual(["q1", "q2"]);
    expect(splitOf(dataset, "dev").count).toBe(3);
  });

  test.each<[string, string, string]>([
    ["a.json", '{"data": [{"passage": "x"}]}', "data[0].paragraphs: expected a list, got nothing"],
    ["a.json", '{"questions": []}', 'expected a JSON object with a list "data", got nothing'],
    [
      "a.csv",
      "id,question,text\n1,a,b\n",
      "a.csv: expected a column context, got the columns id, question, text\na.csv: expected a column answers, got",
    ],
    [
      "a.csv",
      "question,context,answer_text,answer_start\na,b,b,0\n",
      "expected a column answers, got the columns question, context, answer_text, answer_start",
    ],
    ["a.json", '[{"question": "a", "context": "b", "answer": "b"}]', "[0].answers: expected a list, got nothing"],
  ])("%s of another layout names those that are read: %s", async (name, text, message) => {
    const error = await read(name, text).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toContain(message);
    expect((error as DataError).hint).toMatch(
      /^Read are SQuAD's .* as JSON Lines, in an array, in .*, in CSV and in Parquet\.$/,
    );
  });
});

describe("answers that stand elsewhere", () => {
  const context = "The bridge was built by a woman in 1901.";
  const row = (id: string, ...answers: [string, number][]) =>
    JSON.stringify({
      id,
      question: "q?",
      context,
      answers: { text: answers.map(([t]) => t), answer_start: answers.map(([, s]) => s) },
    });
  const shifted = [
    row("1", ["a woman", 24]),
    row("2", ["1901", 33]),
    row("3", ["bridges", 4]),
    row("4", ["woman", 25], ["a woman", 24]),
  ];
  const open = (lines: readonly string[]) =>
    openDataset(memoryFiles([["a.jsonl", lines.join("\n")]]), {
      task: "squad",
      data: "a.jsonl",
      splits: ["dev"],
      heldOutShare: null,
    });

  test("are said in a note that counts them, and keep their texts", async () => {
    const dataset = await open(shifted);
    expect(dataset.notes).toEqual([
      "a.jsonl: 3 of 5 answers do not stand at their answer_start (the first: line 2, answers[0]); training leaves out " +
        "2 questions without another answer, and scores still count the texts",
    ]);
    const golds: unknown[] = [];
    for await (const { question } of splitOf(dataset, "dev").examples()) golds.push(question!.answers);
    expect(golds).toEqual([
      [{ text: "a woman", start: 24 }],
      [{ text: "1901", start: null }],
      [{ text: "bridges", start: null }],
      [
        { text: "woman", start: null },
        { text: "a woman", start: 24 },
      ],
    ]);
  });

  test("are not learnt, and point at nothing where a split is measured", async () => {
    const split = splitOf(await open(shifted), "dev");
    const tokenizer = await loadTokenizer(files, `${GOLDEN}/tokenizers/bert`);
    const options = { maxLength: 64, stride: 16 };
    const ids = (spans: { readonly questions: readonly { readonly question?: { readonly id: string } }[] }) =>
      spans.questions.map(({ question }) => question!.id);
    const learnt = await encodeSpans(split.examples(), tokenizer, { ...options, placedOnly: true });
    expect(ids(learnt)).toEqual(["1", "4"]);
    expect([...learnt.startPositions].every((position) => position > 0)).toBe(true);
    const measured = await encodeSpans(split.examples(), tokenizer, options);
    expect(ids(measured)).toEqual(["1", "2", "3", "4"]);
    expect([...measured.startPositions].map((position) => position > 0)).toEqual([true, false, false, true]);
    const writing = { ...options, maxTargetLength: 8 };
    expect(ids(await encodeAnswers(split.examples(), tokenizer, { ...writing, targetsOnly: true }))).toEqual([
      "1",
      "4",
    ]);
    expect(ids(await encodeAnswers(split.examples(), tokenizer, writing))).toEqual(["1", "2", "3", "4"]);
  });

  test("end the file where not one stands right", async () => {
    await expect(open([shifted[1]!, shifted[2]!])).rejects.toThrow(
      'a.jsonl:1, answers[0]: expected "1901" (which stands at 35) at answer_start 33, got "n 19"',
    );
    await expect(open([shifted[1]!, shifted[2]!])).rejects.toThrow(
      "answer_start counts the characters of the context from 0",
    );
  });
});

describe("faults", () => {
  async function failure(json: unknown, name = "dev.json"): Promise<DataError> {
    const text = typeof json === "string" ? json : JSON.stringify(json);
    const options = { task: "squad", data: name, splits: ["dev"], heldOutShare: null };
    const error = await openDataset(memoryFiles([[name, text]]), options).catch((e: unknown) => e);
    if (!(error instanceof DataError)) throw new Error(`expected a DataError, got ${String(error)}`);
    return error;
  }
  const context = "The 😀 tower is 31 metres tall.";
  const paragraph = (...qas: unknown[]) => ({ data: [{ title: "t", paragraphs: [{ context, qas }] }] });
  const answer = (text: unknown, answer_start: unknown) => ({ text, answer_start });

  test("everything wrong with the answers, each with its path", async () => {
    const error = await failure(
      paragraph(
        { id: "1", question: "How tall?", answers: [answer("31 metres", 15), answer("31 metres", 15.5)] },
        { id: "1", question: 7, answers: [answer("tower", 0), answer("tower", 900), answer("castle", 3)] },
        { question: "No id", answers: [], is_impossible: "yes" },
        { id: "3", question: "Impossible?", answers: [answer("tower", 6)], is_impossible: true },
        { id: "4", question: "No answers" },
        { id: "5", question: "An empty one", answers: [answer("", 0), "31"] },
        "not a question",
      ),
    );
    expect(error.message).toMatchInlineSnapshot(`
      "dev.json, data[0].paragraphs[0].qas[0].answers[1]: expected "answer_start", a whole number ≥ 0, got number 15.5
      dev.json, data[0].paragraphs[0].qas[1].question: expected text, got number 7
      dev.json, data[0].paragraphs[0].qas[1].id: expected an id of its own, got "1", which data[0].paragraphs[0].qas[0].id has too
      dev.json, data[0].paragraphs[0].qas[1].answers[0]: expected "tower" (which stands at 6) at answer_start 0, got "The "
      dev.json, data[0].paragraphs[0].qas[1].answers[1]: expected answer_start inside the context of 30 characters, got 900
      dev.json, data[0].paragraphs[0].qas[1].answers[2]: expected "castle" (which the context does not have) at answer_start 3, got " 😀 to"
      dev.json, data[0].paragraphs[0].qas[2].id: expected a text that names the question, got nothing
      dev.json, data[0].paragraphs[0].qas[2].is_impossible: expected true or false, got "yes"
      dev.json, data[0].paragraphs[0].qas[2].answers: expected an answer, or is_impossible: true (version 2.0), got none
      dev.json, data[0].paragraphs[0].qas[3].answers: expected no answer, as is_impossible is true, got 1
      dev.json, data[0].paragraphs[0].qas[4].answers: expected a list, got nothing
      dev.json, data[0].paragraphs[0].qas[5].answers[0]: expected "text" with the answer, got ""
      dev.json, data[0].paragraphs[0].qas[5].answers[1]: expected an object, got "31"
      dev.json, data[0].paragraphs[0].qas[6]: expected an object, got "not a question""
    `);
    expect(error.total).toBe(error.issues.length);
  });

  test.each([
    ["no data", { version: "1.1" }, 'expected a JSON object with a list "data", got nothing'],
    ["data that is no list", { data: { a: 1 } }, 'expected a JSON object with a list "data", got an object'],
    ["a list of nothing", [], "dev.json: expected at least one question, got none"],
    ["no paragraphs", { data: [{}] }, "dev.json, data[0].paragraphs: expected a list, got nothing"],
    [
      "no context",
      { data: [{ paragraphs: [{ qas: [] }] }] },
      "data[0].paragraphs[0].context: expected text, got nothing",
    ],
    ["no questions", { data: [] }, "dev.json: expected at least one question, got none"],
    ["an empty file", "", "dev.json: expected SQuAD's JSON, got an empty file"],
    ["broken JSON", '{"data": [\n{"paragraphs": ]', "dev.json:2: expected JSON, got "],
    ["cut off", '{"data": [\n{"paragraphs": [\n', "expected JSON, got "],
  ])("%s", async (_, json, message) => {
    expect((await failure(json)).message).toContain(message);
  });

  test("a table without the columns, and rows that are wrong", async () => {
    expect((await failure('{"question": "a"}', "a.jsonl")).message).toContain("expected a column context, got");
    const row = JSON.stringify({ id: "1", question: "a", context, answers: { text: ["x"], answer_start: [0] } });
    expect((await failure(row, "a.jsonl")).message).toContain("a.jsonl:1, answers[0]: expected");
  });
});
