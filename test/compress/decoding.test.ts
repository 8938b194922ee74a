// Decoding by the rows of active neurons, chosen by `deft compress --decoding-budget`: kept in the folder, used and exported.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AutoModelForSeq2SeqLM, AutoTokenizer, env } from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Compression, StoredDecoding } from "../../src/runs/index.ts";
import { deft } from "../support/command.ts";
import { writeTinyT5 } from "../support/tiny-answers.ts";
import { done, learns, type TinyTexts, tinyTexts, VARIANTS } from "./t5-support.ts";

let tiny: TinyTexts;
let [writes, small] = ["", ""];
beforeAll(async () => {
  tiny = await tinyTexts();
  writes = await tiny.train("writes", "v1.1", learns(tiny.at("texts")));
  small = tiny.at("small");
  await done("compress", writes, "--output", small, "--keep-neurons", "0.5", "--threads", "1", "-q");
}, 240_000);
afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

const read = <T>(...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8")) as T;

/** The plan that reads rows in both of the decoder's MLPs, whether or not this machine gains by it. */
const gathered = (threshold: number): StoredDecoding => ({
  schema: 1,
  plan: {
    rows: 1,
    exactness: threshold === 0 ? "exact" : "calibrated",
    layers: [0, 1].map((layer) => ({
      site: `decoder.block.${layer}.layer.2.DenseReluDense`,
      threshold,
      neurons: 16,
      isGathered: true,
      active: 0.5,
      denseMs: null,
      gatheredMs: null,
      reason: null,
    })),
  },
  budget: 0.01,
  lost: 0,
  keepActive: null,
});
/** The same, of rows that are predicted and read above the floor. */
function predicting(floor: number): StoredDecoding {
  const { plan, ...rest } = gathered(0);
  const prediction = { floor, recall: 1, selected: 1 };
  const layers = plan.layers.map((layer) => ({ ...layer, prediction }));
  return { ...rest, plan: { ...plan, exactness: "calibrated", layers } };
}
const store = (decoding: unknown, folder = small) =>
  writeFileSync(join(folder, "decoding.json"), JSON.stringify(decoding));

async function predicted(folder: string): Promise<string[]> {
  const input = tiny.at("asked.jsonl");
  const lines = readFileSync(tiny.at("texts", "dev.jsonl"), "utf8").trim().split("\n");
  const source = (line: string) => JSON.parse(line) as Record<string, string>;
  writeFileSync(input, lines.map((line) => JSON.stringify({ text: Object.values(source(line))[0] })).join("\n"));
  const out = await done("predict", folder, "--input", input, "--threads", "1");
  return out
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { text: string }).text);
}

describe("--decoding-budget", () => {
  test("leaves a plan beside the model and says what it does, with nothing else removed", async () => {
    const output = tiny.at("decoded");
    const flags = ["--output", output, "--decoding-budget", "100", "--threads", "1"];
    const compression = JSON.parse(await done("compress", writes, ...flags, "--json")) as Compression;
    const { plan, budget, keepActive } = read<StoredDecoding>(output, "decoding.json");
    expect(compression.after.neurons).toBe(compression.before.neurons);
    expect(budget).toBe(1);
    expect(plan.layers.map(({ site }) => site)).toEqual([
      "decoder.block.0.layer.2.DenseReluDense",
      "decoder.block.1.layer.2.DenseReluDense",
    ]);
    const of = plan.layers.filter(({ isGathered }) => isGathered).length;
    expect(compression.decoding).toMatchObject({ gathered: of, of: 2, keepActive, exactness: plan.exactness });
    // a layer that is read whole says why
    expect(plan.layers.every(({ isGathered, reason }) => isGathered === (reason === null))).toBe(true);
    expect(await predicted(output)).toHaveLength(64);
    // a plan of another model, or one that was changed
    store(gathered(0), output);
    const { code, err } = await deft("predict", output, "--text", "a dull film");
    expect({ code, told: /decoding\.json/.test(err) }).toEqual({ code: 2, told: true });
  });

  test.each([
    ["a score below nothing", ["--decoding-budget", "-1"], /--decoding-budget: expected points from 0 to 100/],
    ["no number", ["--decoding-budget", "much"], /--decoding-budget/],
  ])("is refused for %s", async (_, argv, message) => {
    const { code, err } = await deft("compress", writes, "--output", tiny.at("bad"), ...argv, "-q");
    expect({ code, told: message.test(err) }).toEqual({ code: 2, told: true });
  });
});

/** Transformers.js goes on behind the end of a text while others of its batch are written. */
function untilEnd(ids: readonly bigint[]): number[] {
  const end = ids.indexOf(1n);
  return (end < 0 ? ids : ids.slice(0, end)).map(Number);
}

function useExports(): void {
  env.allowRemoteModels = false;
  env.localModelPath = `${tiny.root}/`;
}

/** How many of the texts of `dev` Transformers.js writes from an exported folder as we do. */
async function sameTexts(name: string, dtype: "fp32" | "q8", ours: readonly string[]): Promise<number> {
  const lines = readFileSync(tiny.at("texts", "dev.jsonl"), "utf8").trim().split("\n");
  const texts = lines.map((line) => `say: ${Object.values(JSON.parse(line) as Record<string, string>)[0]}`);
  const tokenizer = await AutoTokenizer.from_pretrained(name);
  const model = await AutoModelForSeq2SeqLM.from_pretrained(name, { dtype } as object);
  const inputs = tokenizer(texts, { padding: true, truncation: true }) as object;
  const sequences = await model.generate({ ...inputs, max_new_tokens: 4 } as Record<string, unknown>);
  const theirs = (sequences as unknown as { tolist(): bigint[][] })
    .tolist()
    .map((ids) => tokenizer.decode(untilEnd(ids), { skip_special_tokens: true }));
  await model.dispose();
  return theirs.filter((text, at) => text.trim() === ours[at]!.trim()).length;
}

describe("a stored plan", () => {
  test("without thresholds writes the same; with one above every activation, what MLPs without neurons would", async () => {
    rmSync(join(small, "decoding.json"), { force: true });
    const whole = await predicted(small);
    expect(new Set(whole).size).toBeGreaterThan(4);
    store(gathered(0));
    expect(await predicted(small)).toEqual(whole);
    store(gathered(1e6));
    expect(await predicted(small)).not.toEqual(whole);
  });

  test("is in the exported decoder in float32, at its thresholds, for any batch", async () => {
    useExports();
    rmSync(join(small, "decoding.json"), { force: true });
    const whole = await predicted(small);
    for (const [i, threshold] of [0, 0.2, 1e6].entries()) {
      store(gathered(threshold));
      const name = `exported-${i}`;
      await done("export", small, "--format", "onnx", "--output", tiny.at(name), "--precision", "fp32,int8", "-q");
      expect(read(tiny.at(name), "decoding.json")).toEqual(gathered(threshold));
      const ours = await predicted(small);
      expect(await sameTexts(name, "fp32", ours), `fp32 at ${threshold}`).toBe(ours.length);
      // in few bits whole matrices are read
      expect(await sameTexts(name, "q8", whole), `q8 at ${threshold}`).toBeGreaterThanOrEqual(48);
    }
  });

  test("with predictions writes the same where all rows are found, here and from an exported decoder", async () => {
    await writeTinyT5(tiny.at("wide"), { config: { ...VARIANTS["v1.1"], d_model: 32 } });
    const run = await tiny.train("writes-wide", "v1.1", { ...learns(tiny.at("texts")), model: tiny.at("wide") });
    const wide = tiny.at("small-wide");
    await done("compress", run, "--output", wide, "--keep-neurons", "0.5", "--threads", "1", "-q");
    const whole = await predicted(wide);
    expect(new Set(whole).size).toBeGreaterThan(4);
    store(predicting(2 ** 100), wide);
    expect(await predicted(wide)).not.toEqual(whole);
    store(predicting(-(2 ** 100)), wide);
    expect(await predicted(wide)).toEqual(whole);
    useExports();
    await done("export", wide, "--format", "onnx", "--output", tiny.at("wide-onnx"), "--precision", "fp32,int8", "-q");
    expect(await sameTexts("wide-onnx", "fp32", whole)).toBe(whole.length);
    expect(await sameTexts("wide-onnx", "q8", whole)).toBeGreaterThanOrEqual(48);
  });

  test.each([
    [
      "another model's MLPs",
      {
        ...gathered(0),
        plan: {
          ...gathered(0).plan,
          layers: [{ ...gathered(0).plan.layers[0]!, site: "decoder.block.7.layer.2.DenseReluDense" }],
        },
      },
      /expected an MLP of the model's decoder, got decoder\.block\.7/,
    ],
    [
      "another model's sizes",
      {
        ...gathered(0),
        plan: { ...gathered(0).plan, layers: [{ ...gathered(0).plan.layers[0]!, neurons: 17 }] },
      },
      /layers\.0\.neurons: expected 16, as the model has, got 17/,
    ],
    [
      "predictions of rows that are not read",
      {
        ...gathered(0),
        plan: { ...gathered(0).plan, layers: [{ ...predicting(0).plan.layers[0]!, isGathered: false }] },
      },
      /layers\.0\.prediction: expected nothing where no rows are read/,
    ],
    [
      "a floor that is no number",
      {
        ...gathered(0),
        plan: {
          ...gathered(0).plan,
          layers: [
            {
              ...gathered(0).plan.layers[0]!,
              prediction: { floor: "low", recall: 1, selected: 2 } as unknown as object,
            },
          ],
        },
      },
      /layers\.0\.prediction\.floor: expected a plan for decoding/,
    ],
    ["nonsense", { schema: 1, plan: "all", budget: -1 }, /decoding\.json\.plan: expected a plan for decoding/],
  ])("of %s is refused", async (_, decoding, message) => {
    store(decoding);
    const { code, err } = await deft("predict", small, "--text", "a dull film");
    expect({ code, told: message.test(err), err }).toEqual({ code: 2, told: true, err });
  });
});
