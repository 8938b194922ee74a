// A T5 tuned over NF4, merged and quantised again: what transformers makes of the folder with bitsandbytes, and what we do.
import { rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openCheckpoint } from "../../src/hub/index.ts";
import { sanitize, t5Model } from "../../src/models/index.ts";
import { openQuantized } from "../../src/quant/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import {
  done,
  randomTexts,
  saidOf,
  type TinyTexts,
  tinyTexts,
  VARIANTS,
  type Variant,
  worst,
} from "../compress/t5-support.ts";
import { deft } from "../support/command.ts";
import { describeWithPython, hasBitsandbytes, runPython } from "../support/python.ts";
import { writeTinyT5 } from "../support/tiny-answers.ts";

let texts: TinyTexts;
beforeAll(async () => {
  texts = await tinyTexts();
  for (const variant of Object.keys(VARIANTS) as Variant[]) {
    // rows of whole blocks: bitsandbytes' kernel for processors reads shorter ones with the scales of others
    const sizes = { d_model: 64, d_kv: 32, d_ff: 128 };
    await writeTinyT5(texts.at(variant), { config: { ...VARIANTS[variant], ...sizes } });
    await texts.train(`${variant}-run`, variant, {
      task: "seq2seq",
      data: texts.at("texts"),
      method: "qlora",
      targets: "all-linear",
      "max-steps": 12,
      "learning-rate": 0.01,
      "source-prefix": "say: ",
    });
  }
});
afterAll(() => rmSync(texts.root, { recursive: true, force: true }));

describe.each(Object.keys(VARIANTS) as Variant[])("%s", (variant) => {
  const folder = () => texts.at(`${variant}-nf4`);

  test("the command says what it costs, and deft eval says the same of the folder", async () => {
    const { code, err } = await deft(
      "export",
      texts.at(`${variant}-run`),
      "--format",
      "merged",
      "--quantize",
      "nf4",
      "--output",
      folder(),
    );
    expect({ code, err }).toMatchObject({
      code: 0,
      err: expect.stringMatching(/merging into nf4 changes \w+ from/) as string,
    });
    const data = ["--task", "seq2seq", "--data", texts.at("texts"), "--source-prefix", "say: ", "--threads", "1"];
    const { loss } = JSON.parse(await done("eval", "--model", folder(), ...data, "--json")) as { loss: number };
    expect(err).toContain(`to ${loss.toFixed(4)}`);
  });

  test("embeddings, norms, head and what transformers keeps whole are float32, the rest is NF4", async () => {
    const { weights } = await openCheckpoint(nodeFiles(), folder());
    const stored = (await openQuantized(weights, "model.safetensors"))!;
    const names = [...stored.layouts.keys()];
    expect(names).toContain("encoder.block.0.layer.0.SelfAttention.q.weight");
    expect(names).toContain("decoder.block.1.layer.1.EncDecAttention.v.weight");
    expect(names.filter((name) => /wo|shared|lm_head|relative/.test(name))).toEqual([]);
    expect(names.filter((name) => /wi/.test(name))).toHaveLength(variant === "v1.0" ? 4 : 8);
  });
});

describeWithPython("in transformers, with bitsandbytes", (python) => {
  test.for(Object.keys(VARIANTS) as Variant[])("%s: the same logits and texts", async (variant, context) => {
    if (!(await hasBitsandbytes())) return context.skip("needs bitsandbytes in the reference Python");
    const folder = texts.at(`${variant}-nf4`);
    const inputs = randomTexts(8, 4);
    const { tokenIds, attentionMask, labels } = inputs;
    const asRows = { input_ids: tokenIds, attention_mask: attentionMask, labels };
    const lists = Object.fromEntries(Object.entries(asRows).map(([name, value]) => [name, rowsOf(value)]));
    const file = texts.at(`${variant}-inputs.json`);
    writeFileSync(file, JSON.stringify({ ...lists, maxNewTokens: 6 }));
    const said = await runPython("scripts/golden/compressed.py", [folder, "-", file], { interpreter: python });
    const theirs = JSON.parse(said) as { readonly logits: number[][][]; readonly texts: number[][] };
    const { config, weights } = await openCheckpoint(nodeFiles(), folder);
    const stored = (await openQuantized(weights, folder))!.weights;
    // the numbers that the codes stand for, as float32 matrices
    const whole = new Map([...stored].map(([name, { parts: _parts, ...weight }]) => [name, weight]));
    const ours = await saidOf({ config, weights: sanitize(t5Model(config, folder, stored).config, whole) }, inputs);
    expect(worst(ours.logits, theirs.logits.flat(2))).toBeLessThan(1e-4);
    expect(ours.texts.map((ids, row) => [...ids, ...Array(theirs.texts[row]!.length - ids.length).fill(0)])).toEqual(
      theirs.texts,
    );
  });
});

const rowsOf = ({ data, shape }: Tensor): number[][] => {
  const [rows, width] = shape as readonly [number, number];
  return Array.from({ length: rows }, (_, row) => Array.from(data.slice(row * width, (row + 1) * width), Number));
};
