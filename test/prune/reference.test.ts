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
import { tinyExamples, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

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
  ] as const)("of %s by %s is as the reference prunes it on the same examples", async (modelType, recipe) => {
    folder = await mkdtemp(join(tmpdir(), "deft-wanda-"));
    await writeTinyModel(at("base"), { modelType, headLabels: 2, hiddenSize: 32, numLayers: 3 });
    await writeTinySst2(at("sst2"), { train: 24, dev: 8 });
    await writeFile(at("ids.json"), await idsOf(at("base"), 24));
    const flags = ["--task", "sst2", "--data", at("sst2"), "--batch-size", "7", "--threads", "1", "-q"];
    const { code, err } = await deft(
      ...["compress", "--model", at("base"), "--prune", recipe, "--output", at("pruned")],
      ...[...flags, "--calibration-examples", "24"],
    );
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const args = ["live", "--base", at("base"), "--ids", at("ids.json"), "--recipe", recipe];
    const masks = JSON.parse(await runPython("scripts/golden/wanda.py", args, { interpreter })) as Record<
      string,
      number[]
    >;
    const weights = await openSafetensors(nodeFiles(), at("pruned/model.safetensors"));
    expect(Object.keys(masks)).toHaveLength(18);
    for (const [name, expected] of Object.entries(masks)) {
      const data = (await weights.get(name)!.read()).data as Float32Array;
      expect(
        Array.from(data, (value) => (value === 0 ? 1 : 0)),
        name,
      ).toEqual(expected);
    }
  });
});

async function idsOf(base: string, count: number): Promise<string> {
  const tokenizer = await loadTokenizer(nodeFiles(), base);
  const rows = tinyExamples(count).map(({ text }) => tokenizer.encode(text, null, { maxLength: 64 }).ids);
  const length = Math.max(...rows.map((ids) => ids.length));
  const fill = (row: readonly number[], value: number) => [...row, ...Array<number>(length - row.length).fill(value)];
  const mask = rows.map((ids) => fill(Array<number>(ids.length).fill(1), 0));
  return JSON.stringify({ ids: rows.map((ids) => fill(ids, tokenizer.padId)), mask });
}
