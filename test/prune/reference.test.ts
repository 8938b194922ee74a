// Masks equal to those of Wanda's public code: on stored numbers, and live on a whole model.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { loadTokenizer } from "../../src/data/index.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openSafetensors } from "../../src/hub/index.ts";
import { magnitudeMask, parsePruneRecipe, wandaMask, type ZeroMask } from "../../src/prune/index.ts";
import { deft } from "../support/command.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { tinyExamples, writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

interface Golden {
  readonly weight: number[];
  readonly inputs: number[][];
  readonly norms: number[];
  readonly masks: Record<string, number[]>;
}

const list = (mask: ZeroMask) => Array.from({ length: mask.size }, (_, i) => (mask.has(i) ? 1 : 0));

describe("stored masks", () => {
  let golden: Golden;
  beforeAll(async () => {
    golden = JSON.parse(await readFile(join(import.meta.dirname, "../golden/wanda.json"), "utf8")) as Golden;
  });

  test("are ours too, from the reference's norms and from our own over the same inputs", () => {
    const weight = Float32Array.from(golden.weight);
    const squares = new Float64Array(16);
    for (const batch of golden.inputs) for (const [i, x] of batch.entries()) squares[i % 16]! += x * x;
    expect(Object.keys(golden.masks)).toHaveLength(8);
    for (const [text, expected] of Object.entries(golden.masks)) {
      const { criterion, pattern } = parsePruneRecipe(text);
      if (criterion === "magnitude") expect(list(magnitudeMask(weight, 16, pattern)), text).toEqual(expected);
      else {
        for (const norms of [Float32Array.from(golden.norms), Float32Array.from(squares, Math.sqrt)])
          expect(list(wandaMask(weight, norms, pattern)), text).toEqual(expected);
      }
    }
  });
});

describeWithPython("a whole model, block after block", (interpreter) => {
  let folder: string;
  const at = (...parts: readonly string[]) => join(folder, ...parts);
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test.each([
    ["bert", "wanda:0.5"],
    ["roberta", "wanda:2:4"],
    ["t5", "wanda:0.5"],
  ] as const)("of %s by %s is as the reference prunes it on the same examples", async (modelType, recipe) => {
    folder = await mkdtemp(join(tmpdir(), "deft-wanda-"));
    if (modelType === "t5") {
      await writeTinyT5(at("base"));
      await writeFiles(at("data"), { "train.jsonl": tinySeq2seq(24, 1), "dev.jsonl": tinySeq2seq(4, 2) });
    } else {
      await writeTinyModel(at("base"), { modelType, headLabels: 2, hiddenSize: 32, numLayers: 3 });
      await writeTinySst2(at("data"), { train: 24, dev: 8 });
    }
    await writeFile(at("ids.json"), await idsOf(at("base"), modelType === "t5"));
    const task = modelType === "t5" ? "seq2seq" : "sst2";
    const flags = ["--task", task, "--data", at("data"), "--batch-size", "7", "--threads", "1", "-q"];
    const { code, err } = await deft(
      "compress",
      "--model",
      at("base"),
      "--prune",
      recipe,
      "--output",
      at("pruned"),
      ...flags,
      "--calibration-examples",
      "24",
    );
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const args = ["live", "--base", at("base"), "--ids", at("ids.json"), "--recipe", recipe];
    const masks = JSON.parse(await runPython("scripts/golden/wanda.py", args, { interpreter })) as Record<
      string,
      number[]
    >;
    const weights = await openSafetensors(nodeFiles(), at("pruned/model.safetensors"));
    // encoders: three blocks of six; T5: two of six and two of ten
    expect(Object.keys(masks)).toHaveLength(modelType === "t5" ? 32 : 18);
    for (const [name, expected] of Object.entries(masks)) {
      const data = (await weights.get(name)!.read()).data as Float32Array;
      expect(
        Array.from(data, (value) => (value === 0 ? 1 : 0)),
        name,
      ).toEqual(expected);
    }
  });
});

/** The training split as Python takes it, padded; for a T5 with labels. */
async function idsOf(base: string, writes: boolean): Promise<string> {
  const tokenizer = await loadTokenizer(nodeFiles(), base);
  const encode = (text: string) => tokenizer.encode(text, null, { maxLength: 64 }).ids;
  const lines = tinySeq2seq(24, 1).split("\n");
  const pairs = lines.map((line) => JSON.parse(line) as { source: string; target: string });
  const rows = (writes ? pairs.map(({ source }) => source) : tinyExamples(24).map(({ text }) => text)).map(encode);
  const padded = (all: readonly (readonly number[])[], value: number) => {
    const length = Math.max(...all.map((row) => row.length));
    return all.map((row) => [...row, ...Array<number>(length - row.length).fill(value)]);
  };
  const mask = padded(
    rows.map((row) => row.map(() => 1)),
    0,
  );
  const labels = padded(
    pairs.map(({ target }) => encode(target)),
    -100,
  );
  return JSON.stringify({ ids: padded(rows, tokenizer.padId), mask, ...(writes ? { labels } : {}) });
}
