// The model card of every task and method: what the hub reads, the format it names, and the example that goes with both.
import { describe, expect, test } from "vitest";
import { parseDocument } from "yaml";
import { runReport } from "../../test/support/golden-runs.ts";
import { sampleEvaluation, sampleRecord } from "../../test/support/records.ts";
import type { RunRecord } from "../runs/run-record.ts";
import { cardKind } from "./card-usage.ts";
import { modelCard } from "./model-card.ts";

const frontMatter = (card: string): unknown => parseDocument(card.split("---\n")[1] ?? "").toJS();
/** The fenced blocks of a language in the section on use. */
const blocks = (card: string, language: string) =>
  [...card.slice(card.indexOf("## Use")).matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map(
    ([, code]) => code ?? "",
  );

type Task = readonly [
  task: string,
  record: Partial<RunRecord>,
  expected: { readonly tag: string; readonly kind: string; readonly autoClass: string; readonly asks: string },
];

const CLASSES = { tag: "text-classification", kind: "classes", autoClass: "AutoModelForSequenceClassification" };
const NUMBER = { ...CLASSES, kind: "number" };
const TEXT = { tag: "text2text-generation", kind: "text", autoClass: "AutoModelForSeq2SeqLM" };
const SINGLE = 'tokenizer("a gripping, funny film", return_tensors';
const PAIR = 'tokenizer("a gripping, funny film", "the film is funny and gripping", return_tensors';

const TASKS: readonly Task[] = [
  ["sst2", {}, { ...CLASSES, asks: SINGLE }],
  ["cola", {}, { ...CLASSES, asks: SINGLE }],
  ["mnli", { labels: ["entailment", "neutral", "contradiction"] }, { ...CLASSES, asks: PAIR }],
  ["text-classification", {}, { ...CLASSES, asks: SINGLE }],
  ["text-pair", {}, { ...CLASSES, asks: PAIR }],
  ["stsb", { labels: [] }, { ...NUMBER, asks: PAIR }],
  [
    "squad",
    { labels: [], architecture: "encoder" },
    {
      tag: "question-answering",
      kind: "span",
      autoClass: "AutoModelForQuestionAnswering",
      asks: "tokenizer(question, context",
    },
  ],
  [
    "squad",
    { labels: [], architecture: "encoder-decoder" },
    { ...TEXT, asks: 'tokenizer("question: Who built it? context: It was built by Ada in 1843."' },
  ],
  ["seq2seq", { labels: [], architecture: "encoder-decoder" }, { ...TEXT, asks: SINGLE }],
];

type Method = readonly [
  method: string,
  flags: Readonly<Record<string, unknown>>,
  format: NonNullable<RunRecord["trainedFormat"]>,
  expected: { readonly library: string; readonly loads: string | null },
];

const PEFT = "model = PeftModel.from_pretrained(model, folder)";
const MERGED = "# written by deft export --format merged";
const METHODS: readonly Method[] = [
  ["lora", { method: "lora" }, "peft", { library: "peft", loads: PEFT }],
  ["qlora", { method: "qlora" }, "peft", { library: "peft", loads: PEFT }],
  ["prompt", { method: "prompt" }, "peft", { library: "peft", loads: PEFT }],
  ["prefix", { method: "prefix" }, "peft", { library: "peft", loads: PEFT }],
  ["adapter", { method: "adapter" }, "adapters", { library: "adapter-transformers", loads: "adapters.init(model)" }],
  ["head", { method: "head" }, "tensors", { library: "deft-tune", loads: MERGED }],
  ["full", { method: "full" }, "tensors", { library: "deft-tune", loads: MERGED }],
  // what no library's format has a place for
  ["lora with gates", { method: "lora", ada: true, gates: "sigmoid" }, "peft", { library: "deft-tune", loads: MERGED }],
  [
    "lora with removed neurons",
    { method: "lora", "keep-neurons": 0.5 },
    "peft",
    { library: "deft-tune", loads: MERGED },
  ],
  ["lora that keeps zeros", { method: "lora", "mask-safe": true }, "tensors", { library: "deft-tune", loads: MERGED }],
  ["a prefix in every attention", { method: "prefix" }, "tensors", { library: "deft-tune", loads: null }],
  [
    "adapters with gates",
    { method: "adapter", ada: true, gates: "sigmoid" },
    "adapters",
    { library: "deft-tune", loads: null },
  ],
];

const ALL = TASKS.flatMap(([task, over, ofTask]) =>
  METHODS.map(([method, flags, format, ofMethod]) => {
    const record: RunRecord = {
      ...sampleRecord(
        { model: "org/base", task, data: "data", output: "runs/x", ...flags },
        sampleEvaluation(0.9, 0.3),
      ),
      trainedFormat: format,
      ...over,
    };
    return {
      name: `${task}${over.architecture === "encoder-decoder" ? " of an encoder–decoder" : ""}, ${method}`,
      record,
      ofTask,
      ofMethod,
    };
  }),
);

describe.each(ALL)("$name", ({ record, ofTask, ofMethod }) => {
  const card = modelCard(record);

  test("tells the hub its task and library", () => {
    expect(cardKind(record)).toBe(ofTask.kind);
    expect(frontMatter(card)).toMatchObject({
      base_model: "org/base",
      pipeline_tag: ofTask.tag,
      library_name: ofMethod.library,
      base_model_relation: ["head", "full"].includes(record.settings.method.kind) ? "finetune" : "adapter",
    });
  });

  test("names the command, and an example in Python of the same task and format", () => {
    const [command] = blocks(card, "sh");
    expect(command).toMatch(
      record.settings.task === "squad"
        ? /^deft predict runs\/x --question .* --context /
        : /^deft predict runs\/x --text /,
    );
    expect(command?.includes("--pair")).toBe(ofTask.asks === PAIR);
    const python = blocks(card, "python");
    if (
      ofTask.kind === "span" &&
      ["prompt", "prefix"].includes(record.settings.method.kind) &&
      ofMethod.loads === PEFT
    ) {
      expect(python).toEqual([]);
      expect(card).toContain("passes no `token_type_ids` on, which BERT needs: use `deft predict`");
      return;
    }
    if (ofMethod.loads === null) {
      expect(python).toEqual([]);
      expect(card).toContain("deft alone reads it");
      return;
    }
    expect(python).toHaveLength(1);
    expect(python[0]).toContain(ofMethod.loads);
    expect(python[0]).toContain(ofTask.asks);
    expect(python[0]).toContain(`${ofTask.autoClass}.from_pretrained(`);
    if (ofMethod.loads === MERGED) expect(card).toContain("deft export runs/x --format merged --output runs/x-merged");
    else expect(python[0]).toContain('"runs/x/adapter"');
  });

  test("is whole", () => {
    expect(card).not.toMatch(/undefined|NaN|\[object/);
  });
});

test("a head of the run's own classes, by name, in the order of logits", () => {
  const record = {
    ...sampleRecord({}, sampleEvaluation(0.9, 0.3)),
    labels: ['say "hi"', "b\\c"],
    trainedFormat: "peft" as const,
  };
  const [python] = blocks(modelCard(record), "python");
  expect(python).toContain('num_labels=2, id2label={0: "say \\"hi\\"", 1: "b\\\\c"})');
  expect(python).toContain('labels = ["say \\"hi\\"", "b\\\\c"]');
});

describe("records of version 0.1.0, which name neither format nor architecture", () => {
  const old = (flags: Readonly<Record<string, unknown>>, over: Partial<RunRecord> = {}) => ({
    ...sampleRecord({ output: "runs/x", ...flags }, sampleEvaluation(0.9, 0.3)),
    ...over,
  });

  test.each<[string, RunRecord, string, string]>([
    ["LoRA", old({}), "text-classification", "peft"],
    ["an adapter", old({ method: "adapter" }), "text-classification", "adapter-transformers"],
    ["full fine-tuning", old({ method: "full" }), "text-classification", "deft-tune"],
    ["questions to an encoder", old({ task: "squad" }, { labels: [] }), "question-answering", "peft"],
    ["text to text", old({ task: "seq2seq" }, { labels: [] }), "text2text-generation", "peft"],
  ])("%s", (_, record, tag, library) => {
    expect(frontMatter(modelCard(record))).toMatchObject({ pipeline_tag: tag, library_name: library });
  });

  test("questions to an encoder–decoder are known by the stacks that were measured", () => {
    const { record } = runReport("texts");
    const { architecture: _, trainedFormat: __, ...rest } = record;
    const questions = { ...rest, settings: { ...rest.settings, task: "squad" as const } };
    expect(frontMatter(modelCard(questions))).toMatchObject({ pipeline_tag: "text2text-generation" });
  });
});

test("metrics by the hub's names, each once", () => {
  const { record } = runReport("texts");
  expect(frontMatter(modelCard(record))).toMatchObject({ metrics: ["exact_match", "rouge"] });
  expect(frontMatter(modelCard(runReport("regression").record))).toMatchObject({ metrics: ["pearsonr", "spearmanr"] });
});
