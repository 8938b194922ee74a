// Plans on T5 against PyTorch: transformers' own model, edited the way the plan says, gives the logits and texts of the smaller model.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadTokenizer } from "../../src/data/index.ts";
import { openCheckpoint } from "../../src/hub/index.ts";
import { writePlainModel } from "../../src/load/merged-model.ts";
import { sanitize, t5Model } from "../../src/models/index.ts";
import { nodeFiles } from "../../src/node.ts";
import { applyPlan, type LayerPlan, type PlainModel } from "../../src/prune/index.ts";
import { randomStream, type Tensor } from "../../src/tensor/index.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { writeTinyT5 } from "../support/tiny-answers.ts";
import { randomTexts, saidOf, VARIANTS, type Variant, worst } from "./t5-support.ts";

const root = mkdtempSync(join(tmpdir(), "deft-t5-reference-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const [HIDDEN, NEURONS] = [16, 32];
const random = randomStream(3, "plan");
const constant = () => Array.from({ length: HIDDEN }, () => Math.fround(random.normal() * 0.5));
const some = (share: number) => Array.from({ length: NEURONS }, (_, f) => f).filter(() => random.uniform() < share);
const plain = { neurons: NEURONS, kept: null, gate: 1, constant: null, threshold: null };

/** Two layers of the encoder, then two of the decoder. */
const PLANS: Readonly<Record<string, readonly Omit<LayerPlan, "site">[]>> = {
  "removed neurons": [
    { ...plain, kept: some(0.5), constant: constant() },
    { ...plain, kept: some(0.2) },
    { ...plain, kept: [7], constant: constant() },
    plain,
  ],
  "removed MLPs": [
    { ...plain, kept: [], constant: constant() },
    plain,
    { ...plain, kept: [] },
    { ...plain, kept: some(0.6), constant: constant() },
  ],
  "folded gates": [
    { ...plain, gate: 0.6 },
    { ...plain, gate: 0, kept: [] },
    { ...plain, gate: 0.25, kept: some(0.7), constant: constant() },
    { ...plain, gate: 0.9 },
  ],
};
const CASES = (Object.keys(VARIANTS) as Variant[]).flatMap((variant) =>
  Object.keys(PLANS).map((plan) => [variant, plan] as const),
);

const rowsOf = ({ data, shape }: Tensor) =>
  Array.from({ length: shape[0]! }, (_, row) =>
    Array.from(data.slice(row * shape[1]!, (row + 1) * shape[1]!) as BigInt64Array, Number),
  );

describeWithPython("the smaller T5 equals PyTorch's, edited alike", (python) => {
  const inputs = randomTexts(64, 5);
  const smaller = new Map<string, PlainModel>();
  const theirs = new Map<string, { logits: number[][][]; texts: number[][] }>();

  beforeAll(async () => {
    const args: string[] = [];
    for (const [variant, plan] of CASES) {
      const folder = join(root, `${variant}-${plan.replace(" ", "-")}`);
      // lively enough that what is written depends on the text
      const sizeOf = (name: string) => ({ "shared.weight": 1, "lm_head.weight": 0.1 })[name] ?? 0.3;
      await writeTinyT5(folder, { config: VARIANTS[variant], sizeOf });
      const { config, weights: stored } = await openCheckpoint(nodeFiles(), folder);
      const model = t5Model(config, undefined, stored);
      const dense = { config, weights: sanitize(model.config, stored, folder) };
      const sites = model.mlps;
      const layers = PLANS[plan]!.map((layer, i) => ({ ...layer, site: sites[i]!.activation }));
      writeFileSync(join(folder, "plan.json"), JSON.stringify({ layers }));
      const { tokenIds, attentionMask, labels } = inputs;
      const asRows = { input_ids: tokenIds, attention_mask: attentionMask, labels };
      const lists = Object.fromEntries(Object.entries(asRows).map(([name, value]) => [name, rowsOf(value)]));
      writeFileSync(join(folder, "inputs.json"), JSON.stringify({ ...lists, maxNewTokens: 6 }));
      args.push(folder, join(folder, "plan.json"), join(folder, "inputs.json"));
      // through its folder, as people get it
      const small = applyPlan(dense, sites, layers);
      await writePlainModel(nodeFiles(), join(folder, "small"), small, {
        name: "model",
        folder,
        tokenizer: await loadTokenizer(nodeFiles(), folder),
      });
      smaller.set(`${variant} ${plan}`, await openCheckpoint(nodeFiles(), join(folder, "small")));
    }
    const lines = (await runPython("scripts/golden/compressed.py", args, { interpreter: python })).trim().split("\n");
    CASES.forEach(([variant, plan], i) => {
      theirs.set(`${variant} ${plan}`, JSON.parse(lines[i]!));
    });
  });

  test.each(CASES)("%s: %s, teacher-forced and written", async (variant, plan) => {
    const expected = theirs.get(`${variant} ${plan}`)!;
    const said = await saidOf(smaller.get(`${variant} ${plan}`)!, inputs);
    expect(worst(said.logits, expected.logits.flat(2))).toBeLessThan(2e-5);
    const texts = said.texts.map((ids, row) => [...ids, ...Array(expected.texts[row]!.length - ids.length).fill(0)]);
    expect(texts).toEqual(expected.texts);
    expect(new Set(texts.map(String)).size).toBeGreaterThan(3);
  });
});
