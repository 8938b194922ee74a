// Models that label words or give several labels, in the hands of transformers' pipelines, of peft and of Transformers.js: the same answers.
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { env, pipeline } from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { loadTokenizer } from "../../src/data/index.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openTarget, openTargetScorer } from "../../src/load/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { int64 } from "../../src/tensor/index.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { writeFiles, writeTinyModel } from "../support/tiny-model.ts";
import { conllText, jsonLines, LEARNS, tinyLabelled, tinyTagged } from "../support/tiny-words.ts";
import { succeed } from "./interchange.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });
env.allowRemoteModels = false;

const folder = mkdtempSync(join(tmpdir(), "deft-pipelines-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (...parts: readonly string[]) => join(folder, ...parts);

const TYPES = ["bert", "roberta"] as const;
const TEXTS = [
  "bright dull in the story, is tender tired",
  "it is flat",
  "sharp grating!  a  x-y plot",
  "one",
  "the lovely stale film of the funny flat story with a bright tired plot",
];
// letters of the vocabulary alone: the Rust library moves the places of what follows one that is unknown
const WORDS = [["bright", "dull", "in", "new-work", "story"], ["plot"]];

interface Entity {
  readonly entity_group: string;
  readonly score: number;
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

beforeAll(async () => {
  await writeFiles(folder, {
    "ner/train.txt": conllText(tinyTagged(96, 1)),
    "ner/dev.txt": conllText(tinyTagged(16, 2)),
    "several/train.jsonl": jsonLines(tinyLabelled(96, 1)),
    "several/dev.jsonl": jsonLines(tinyLabelled(16, 2)),
    "texts.jsonl": jsonLines([...TEXTS.map((text) => ({ text })), ...WORDS.map((tokens) => ({ tokens }))]),
  });
  for (const modelType of TYPES) {
    await writeTinyModel(at(modelType), { modelType });
    const base = ["--model", at(modelType), ...LEARNS, "-q"];
    await succeed(
      "train",
      ...base,
      "--task",
      "token-classification",
      "--data",
      at("ner"),
      "--epochs",
      "5",
      "--output",
      at(`${modelType}-ner`),
    );
    await succeed(
      "train",
      ...base,
      "--task",
      "multi-label",
      "--data",
      at("several"),
      "--epochs",
      "5",
      "--output",
      at(`${modelType}-several`),
    );
    for (const run of [`${modelType}-ner`, `${modelType}-several`]) {
      await succeed("export", at(run), "--format", "merged", "--output", at(`${run}-merged`), "-q");
      await succeed("export", at(run), "--format", "onnx", "--output", at(`${run}-onnx`), "-q");
    }
  }
});

async function ours(...target: readonly string[]): Promise<Record<string, unknown>[]> {
  const out = await succeed("predict", ...target, "--input", at("texts.jsonl"), "--threads", "1");
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
const entitiesOf = async (...target: readonly string[]) =>
  (await ours(...target)).map(({ entities }) => entities as readonly Entity[]);

/** Expects the same groups, and probabilities that differ by rounding alone. */
function expectEntities(
  got: readonly (readonly Entity[])[],
  expected: readonly (readonly Entity[])[],
  tolerance = 1e-5,
): void {
  const plain = (all: readonly (readonly Entity[])[]) =>
    all.map((entities) => entities.map(({ score: _score, ...entity }) => entity));
  expect(plain(got)).toEqual(plain(expected));
  const scores = (all: readonly (readonly Entity[])[]) => all.flat().map(({ score }) => score);
  scores(got).forEach((score, i) => {
    expect(Math.abs(score - scores(expected)[i]!)).toBeLessThan(tolerance);
  });
  expect(got.flat().length).toBeGreaterThan(4);
}

describeWithPython("transformers' pipelines", (interpreter) => {
  const theirs = async (task: string, texts: unknown, folders: readonly string[]) => {
    await writeFile(at("given.json"), JSON.stringify(texts));
    const out = await runPython("scripts/golden/pipelines.py", [task, at("given.json"), ...folders], { interpreter });
    return JSON.parse(out.trim().split("\n").at(-1)!) as unknown[][];
  };

  test("find the same entities in merged models, in texts and in words", async () => {
    const folders = TYPES.map((type) => at(`${type}-ner-merged`));
    const found = (await theirs("token-classification", [...TEXTS, ...WORDS], folders)) as Entity[][][];
    for (const [i, type] of TYPES.entries()) {
      expectEntities(await entitiesOf(at(`${type}-ner`)), found[i]!);
      expectEntities(await entitiesOf("--model", at(`${type}-ner-merged`)), found[i]!);
    }
  });

  test("give every label the same score", async () => {
    const folders = TYPES.map((type) => at(`${type}-several-merged`));
    const found = (await theirs("text-classification", TEXTS, folders)) as Record<string, number>[][];
    await writeFile(at("texts.jsonl"), jsonLines(TEXTS.map((text) => ({ text }))));
    for (const [i, type] of TYPES.entries()) {
      const said = (await ours(at(`${type}-several`))) as { scores: Record<string, number> }[];
      for (const [row, { scores }] of said.entries())
        for (const [label, score] of Object.entries(scores)) expect(found[i]![row]![label]).toBeCloseTo(score, 5);
    }
  });

  test("of peft: an adapter with task_type TOKEN_CLS has the same logits", async () => {
    for (const type of TYPES) {
      const flags = ["--model", at(type), "--task", "token-classification", "--data", at("ner"), "--max-steps", "4"];
      await succeed(
        "train",
        ...flags,
        "--learning-rate",
        "0.05",
        "--threads",
        "1",
        "-q",
        "--output",
        at(`${type}-lora`),
      );
      await succeed("export", at(`${type}-lora`), "--format", "peft", "--output", at(`${type}-peft`), "-q");
      const tokenizer = await loadTokenizer(nodeFiles(), at(type));
      const { ids } = tokenizer.join(tokenizer.words(WORDS[0]!).ids);
      const batch = { input_ids: [ids], attention_mask: [ids.map(() => 1)], numLabels: 4 };
      await writeFile(at("batch.json"), JSON.stringify(batch));
      const args = ["peft-tokens", at("batch.json"), at(type), at(`${type}-peft`)];
      const out = await runPython("scripts/golden/pipelines.py", args, { interpreter });
      const said = JSON.parse(out.trim().split("\n").at(-1)!) as { taskType: string; class: string; logits: number[] };
      expect(said).toMatchObject({ taskType: "TOKEN_CLS", class: "PeftModelForTokenClassification" });
      const environment = nodeEnvironment();
      const opened = await openTarget(environment, { kind: "run", folder: at(`${type}-lora`) }, { threads: 1 });
      const scorer = await openTargetScorer(environment, opened, { density: false });
      const shape = [1, ids.length];
      const inputs = {
        tokenIds: int64(shape, ids),
        attentionMask: int64(
          shape,
          ids.map(() => 1),
        ),
        typeIds: int64(
          shape,
          ids.map(() => 0),
        ),
        labels: int64(
          shape,
          ids.map(() => -100),
        ),
      };
      const { logits } = await scorer.run(opened.trained, { inputs, indices: [0], attendedTokens: ids.length });
      await scorer.dispose();
      expect(logits!.data).toHaveLength(said.logits.length);
      said.logits.forEach((logit, i) => {
        expect(Math.abs(logit - Number(logits!.data[i]))).toBeLessThan(1e-4);
      });
    }
  });
});

describe.each(TYPES)("Transformers.js, %s", (type) => {
  const named = (name: string) => {
    env.localModelPath = `${dirname(at(name))}/`;
    return name;
  };

  test("finds the same entities", async () => {
    const tagger = await pipeline("token-classification", named(`${type}-ner-onnx`), { dtype: "fp32" });
    await writeFile(at("texts.jsonl"), jsonLines(TEXTS.map((text) => ({ text }))));
    const said = await entitiesOf(at(`${type}-ner`));
    for (const [i, text] of TEXTS.entries()) {
      // it leaves ignored labels out before it groups, so that a group would go on behind them
      const all = await tagger(text, { aggregation_strategy: "simple", ignore_labels: [] });
      const found = all.filter(({ entity_group: type }) => type !== "O");
      expect(found.map(({ entity_group, word }) => `${entity_group} ${word.trim()}`)).toEqual(
        said[i]!.map(({ entity_group, word }) => `${entity_group} ${word.trim()}`),
      );
      found.forEach(({ score }, j) => {
        expect(score).toBeCloseTo(said[i]![j]!.score, 5);
      });
    }
    await tagger.dispose();
    const config = JSON.parse(await readFile(at(`${type}-ner-onnx`, "config.json"), "utf8")) as Record<string, unknown>;
    expect(config).toMatchObject({
      architectures: [`${type === "bert" ? "Bert" : "Roberta"}ForTokenClassification`],
      id2label: { 0: "B-LOC", 1: "B-PER", 2: "I-PER", 3: "O" },
    });
  });

  test("gives every label the same score", async () => {
    const classify = await pipeline("text-classification", named(`${type}-several-onnx`), { dtype: "fp32" });
    await writeFile(at("texts.jsonl"), jsonLines(TEXTS.map((text) => ({ text }))));
    const said = (await ours(at(`${type}-several`))) as { scores: Record<string, number> }[];
    for (const [i, text] of TEXTS.entries()) {
      // null asks for every class
      const found = (await classify(text, { top_k: null as unknown as number })) as { label: string; score: number }[];
      expect(found).toHaveLength(3);
      for (const { label, score } of found) expect(score).toBeCloseTo(said[i]!.scores[label]!, 5);
    }
    await classify.dispose();
  });
});
