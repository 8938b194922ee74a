// T5 plans that claim to be exact: the same logits on a thousand random inputs, and on the real ones; as transformers loads them too.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCheckpoint, safetensorsBytes } from "../../src/hub/index.ts";
import { nodeFiles } from "../../src/node.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles } from "../support/tiny-model.ts";
import { done, randomTexts, saidOf, VARIANTS, type Variant, worst } from "./t5-support.ts";

const root = mkdtempSync(join(tmpdir(), "deft-t5-exact-"));
const at = (...parts: readonly string[]) => join(root, ...parts);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const NEURONS = 32;

/**
 * A tiny T5 with neurons that say nothing: every tenth is read by nobody, every fifth has an input of zeros, and when gated every
 * seventh a factor of zeros. In the last decoder layer nobody reads any.
 */
async function withSilentNeurons(folder: string, variant: Variant): Promise<void> {
  await writeTinyT5(folder, { config: VARIANTS[variant] });
  const { weights: stored } = await openCheckpoint(nodeFiles(), folder);
  const weights = new Map<string, Tensor>();
  for (const [name, weight] of stored) {
    const value = await weight.read();
    const data = value.data as Float32Array;
    const zeroRows = (is: (f: number) => boolean) => {
      const width = data.length / NEURONS;
      for (let f = 0; f < NEURONS; f++) if (is(f)) data.fill(0, f * width, (f + 1) * width);
    };
    if (/\.(wi|wi_0)\.weight$/.test(name)) zeroRows((f) => f % 5 === 1);
    if (name.endsWith(".wi_1.weight")) zeroRows((f) => f % 7 === 2);
    if (name.endsWith(".wo.weight"))
      for (let i = 0; i < data.length; i++)
        if (name.startsWith("decoder.block.1") || (i % NEURONS) % 10 === 4) data[i] = 0;
    weights.set(name, value);
  }
  await writeFiles(folder, { "model.safetensors": safetensorsBytes(weights) });
}

interface Result {
  readonly exactness: string;
  readonly logitsDifference: number;
  readonly layers: readonly { readonly kept: number }[];
}

const compressed = new Map<Variant, Result>();
beforeAll(async () => {
  await writeFiles(root, { "texts/train.jsonl": tinySeq2seq(60, 1), "texts/dev.jsonl": tinySeq2seq(24, 2) });
  for (const variant of Object.keys(VARIANTS) as Variant[]) {
    await withSilentNeurons(at(variant), variant);
    const task = ["--task", "seq2seq", "--data", at("texts"), "--threads", "1", "--json"];
    const out = await done("compress", "--model", at(variant), "--output", at(`${variant}-small`), ...task);
    compressed.set(variant, JSON.parse(out) as Result);
  }
});

const opened = (folder: string) => openCheckpoint(nodeFiles(), folder);

describe.each(Object.keys(VARIANTS) as Variant[])("%s", (variant) => {
  test("neurons that are proven silent are removed, and an MLP of nothing else", () => {
    const { exactness, logitsDifference, layers } = compressed.get(variant)!;
    expect(exactness).toBe("exact");
    expect(logitsDifference).toBeLessThan(1e-5);
    const silent = (f: number) => f % 10 === 4 || f % 5 === 1 || (variant === "v1.1" && f % 7 === 2);
    const left = Array.from({ length: NEURONS }, (_, f) => f).filter((f) => !silent(f)).length;
    expect(layers.map(({ kept }) => kept)).toEqual([left, left, left, 0]);
    const config = JSON.parse(readFileSync(at(`${variant}-small`, "config.json"), "utf8")) as object;
    expect(config).toMatchObject({ d_ff: left, mlp_sizes: [left, left, left, 0] });
    expect(config).not.toHaveProperty("mlp_bias");
  });

  test("a thousand random inputs give the same logits and texts", async () => {
    const [dense, small] = [await opened(at(variant)), await opened(at(`${variant}-small`))];
    const inputs = randomTexts(1000, 7);
    const [before, after] = [await saidOf(dense, inputs), await saidOf(small, inputs)];
    expect(worst(before.logits, after.logits)).toBeLessThan(1e-5);
    expect(after.texts).toEqual(before.texts);
  });
});

describeWithPython("the merged export in transformers", (python) => {
  test("zeros in one size for all layers give the same logits and texts", async () => {
    const inputs = randomTexts(50, 9);
    const rows = ({ data, shape }: Tensor) =>
      Array.from({ length: shape[0]! }, (_, row) =>
        Array.from(data.slice(row * shape[1]!, (row + 1) * shape[1]!) as BigInt64Array, Number),
      );
    const { tokenIds, attentionMask, labels } = inputs;
    const fed = { input_ids: rows(tokenIds), attention_mask: rows(attentionMask), labels: rows(labels) };
    writeFileSync(at("inputs.json"), JSON.stringify({ ...fed, maxNewTokens: 6 }));
    const args: string[] = [];
    for (const variant of Object.keys(VARIANTS) as Variant[]) {
      const merged = at(`${variant}-merged`);
      await done("export", at(`${variant}-small`), "--format", "merged", "--output", merged);
      args.push(merged, "-", at("inputs.json"));
    }
    const lines = (await runPython("scripts/golden/compressed.py", args, { interpreter: python })).trim().split("\n");
    for (const [i, variant] of (Object.keys(VARIANTS) as Variant[]).entries()) {
      const theirs = JSON.parse(lines[i]!) as { logits: number[][][]; texts: number[][] };
      const ours = await saidOf(await opened(at(`${variant}-small`)), inputs);
      expect(worst(ours.logits, theirs.logits.flat(2))).toBeLessThan(1e-5);
      const padded = ours.texts.map((ids, row) => [...ids, ...Array(theirs.texts[row]!.length - ids.length).fill(0)]);
      expect(padded).toEqual(theirs.texts);
    }
  });
});
