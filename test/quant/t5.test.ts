// A T5 tuned over NF4, merged and quantised again: what transformers makes of the folder with bitsandbytes, and what we do.
import { rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openCheckpoint } from "../../src/hub/index.ts";
import { sanitize, t5Model } from "../../src/models/index.ts";
import { openQuantized } from "../../src/quant/index.ts";
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
import { describeWithPython, runPython } from "../support/python.ts";

let texts: TinyTexts;
beforeAll(async () => {
  texts = await tinyTexts();
  for (const variant of Object.keys(VARIANTS) as Variant[]) {
    const flags = ["--task", "seq2seq", "--data", texts.at("texts"), "--method", "qlora", "--targets", "all-linear"];
    await texts.train(
      `${variant}-run`,
      variant,
      ...flags,
      "--max-steps",
      "12",
      "--learning-rate",
      "0.01",
      "--source-prefix",
      "say: ",
    );
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
  test.each(Object.keys(VARIANTS) as Variant[])("%s: the same logits and texts", async (variant) => {
    const folder = texts.at(`${variant}-nf4`);
    const inputs = randomTexts(8, 4);
    const rows = ({ data, shape }: (typeof inputs)["labels"]) =>
      Array.from({ length: shape[0]! }, (_, row) =>
        Array.from(data.slice(row * shape[1]!, (row + 1) * shape[1]!), Number),
      );
    const file = texts.at(`${variant}-inputs.json`);
    const { tokenIds, attentionMask, labels } = inputs;
    writeFileSync(
      file,
      JSON.stringify({
        input_ids: rows(tokenIds),
        attention_mask: rows(attentionMask),
        labels: rows(labels),
        maxNewTokens: 6,
      }),
    );
    const theirs = JSON.parse(
      await runPython("scripts/golden/compressed.py", [folder, "-", file], { interpreter: python }),
    ) as {
      logits: number[][][];
    };
    const checkpoint = await openCheckpoint(nodeFiles(), folder);
    const stored = (await openQuantized(checkpoint.weights, folder))!;
    const model = t5Model(checkpoint.config, folder, stored.weights);
    const weights = sanitize(model.config, stored.weights);
    const whole = new Map([...weights].map(([name, { parts: _, ...weight }]) => [name, weight]));
    const ours = await saidOf({ config: checkpoint.config, weights: whole }, inputs);
    expect(worst(ours.logits, theirs.logits.flat(2))).toBeLessThan(1e-4);
  });
});
