// Plans that claim to be exact: the same logits on a thousand random inputs, and on the real ones.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openCheckpoint, safetensorsBytes } from "../../src/hub/index.ts";
import { compilePlain } from "../../src/load/merged-model.ts";
import { nodeFiles } from "../../src/node.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { int64, randomStream, type Tensor } from "../../src/tensor/index.ts";
import { deft } from "../support/command.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

const root = mkdtempSync(join(tmpdir(), "deft-exact-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A tiny classifier of which a third of the neurons cannot fire, and every tenth is read by nobody. */
async function withSilentNeurons(folder: string, hiddenAct: string): Promise<void> {
  const config = { hidden_act: hiddenAct, id2label: { 0: "negative", 1: "positive" } };
  const weights = await writeTinyModel(folder, { hiddenSize: 32, numLayers: 2, headLabels: 2, config });
  for (const [name, { data }] of weights) {
    const numbers = data as Float32Array;
    if (name.endsWith("intermediate.dense.bias")) for (let f = 0; f < numbers.length; f += 3) numbers[f] = -60;
    if (name.endsWith(".output.dense.weight") && !name.includes("attention"))
      for (let at = 0; at < numbers.length; at++) if ((at % 64) % 10 === 4) numbers[at] = 0;
  }
  await writeFiles(folder, { "model.safetensors": safetensorsBytes(weights as Map<string, Tensor>) });
}

async function programOf(folder: string) {
  const { config, weights } = await openCheckpoint(nodeFiles(), folder);
  return compilePlain(nodeBackend({ threads: 1 }), { config, weights });
}

function randomBatch(seed: number) {
  const random = randomStream(seed, "exact");
  const ids = Array.from({ length: 50 * 24 }, () => random.integer(60));
  const lengths = Array.from({ length: 50 }, () => 1 + random.integer(24));
  const mask = ids.map((_, i) => (i % 24 < lengths[Math.floor(i / 24)]! ? 1 : 0));
  const shape = [50, 24];
  return { input_ids: int64(shape, ids), attention_mask: int64(shape, mask), token_type_ids: int64(shape, mask) };
}

test.each(["relu", "gelu"])("%s: neurons that are proven silent are removed exactly", async (hiddenAct) => {
  const [model, data, output] = ["model", "data", "small"].map((name) => join(root, `${hiddenAct}-${name}`));
  await withSilentNeurons(model!, hiddenAct);
  await writeTinySst2(data!, { train: 64, dev: 32 });
  const { code, out, err } = await deft(
    "compress",
    "--model",
    model!,
    "--task",
    "sst2",
    "--data",
    data!,
    "--output",
    output!,
    "--threads",
    "1",
    "--json",
  );
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const compression = JSON.parse(out) as {
    exactness: string;
    logitsDifference: number;
    before: { neurons: number };
    after: { neurons: number };
  };
  expect(compression.after.neurons).toBeLessThan(compression.before.neurons * 0.75);
  const plan = JSON.parse(readFileSync(join(output!, "plan.json"), "utf8")) as { exactness: string };
  expect([plan.exactness, compression.logitsDifference < 1e-5]).toEqual(["exact", true]);
  const [dense, small] = [await programOf(model!), await programOf(output!)];
  let worst = 0;
  for (let batch = 0; batch < 20; batch++) {
    const [a, b] = [await dense.run(randomBatch(batch)), await small.run(randomBatch(batch))];
    const [x, y] = [a.logits!.data as Float32Array, b.logits!.data as Float32Array];
    x.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - y[i]!));
    });
  }
  expect(worst).toBeLessThan(1e-5);
  await dense.dispose();
  await small.dispose();
});
