// `deft export --format merged` of what was compressed or gated: one size for all layers, loaded by transformers, with the same logits.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openCheckpoint } from "../../src/hub/index.ts";
import { compilePlain } from "../../src/load/merged-model.ts";
import { nodeFiles } from "../../src/node.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { int64, randomStream } from "../../src/tensor/index.ts";
import { deft } from "../support/command.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { type TinyRun, tinyRun } from "./support.ts";
import { argv, done, worst } from "./t5-support.ts";

let tiny: TinyRun;
const at = (name: string) => join(tiny.root, name);
beforeAll(async () => {
  tiny = await tinyRun({ numLayers: 3 });
});
afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

describeWithPython("an encoder's merged export", (python) => {
  test("has zeros for what was removed, and says the same in transformers", async () => {
    const rules = [
      ["--skip", "1", "--keep-neurons", "0.25"],
      ["--skip", "0"],
    ];
    const random = randomStream(4, "inputs");
    const rows = Array.from({ length: 40 }, () => Array.from({ length: 12 }, () => 5 + random.integer(50)));
    const ones = rows.map((row) => row.map(() => 1));
    const fed = { input_ids: rows, attention_mask: ones, token_type_ids: ones };
    writeFileSync(at("inputs.json"), JSON.stringify(fed));
    const args: string[] = [];
    for (const [i, rule] of rules.entries()) {
      await done("compress", tiny.run, "--output", at(`small-${i}`), "--threads", "1", ...rule);
      const { err } = await deft("export", at(`small-${i}`), "--format", "merged", "--output", at(`merged-${i}`));
      expect(err).toMatch(/zeros here, as transformers knows one size for all layers/);
      expect(err).not.toMatch(/left out/);
      args.push(at(`merged-${i}`), "-", at("inputs.json"));
    }
    expect(JSON.parse(readFileSync(join(at("merged-0"), "config.json"), "utf8"))).toMatchObject({
      intermediate_size: 8,
    });
    const lines = (await runPython("scripts/golden/compressed.py", args, { interpreter: python })).trim().split("\n");
    for (const i of rules.keys()) {
      const { config, weights } = await openCheckpoint(nodeFiles(), at(`small-${i}`));
      const program = await compilePlain(nodeBackend({ threads: 1 }), { config, weights });
      const tensors = Object.entries(fed).map(([name, of]) => [name, int64([40, 12], of.flat())]);
      const ours = (await program.run(Object.fromEntries(tensors))).logits!.data as Float32Array;
      await program.dispose();
      expect(worst(ours, (JSON.parse(lines[i]!) as { logits: number[][] }).logits.flat())).toBeLessThan(1e-5);
    }
  });
});

test("gates and masks of training are folded in: the same metrics and loss without them", async () => {
  const data = { task: "sst2", data: tiny.data };
  const flags = { targets: "all-linear", "learning-rate": 0.01, "max-steps": 12, "batch-size": 8, "keep-neurons": 0.5 };
  const where = { model: tiny.model, output: at("gated"), threads: 1 };
  await done("train", ...argv({ ...where, ...data, ...flags }), "--ada", "--gates", "sigmoid", "-q");
  await done("export", at("gated"), "--format", "merged", "--output", at("gated-merged"));
  const evaluated = async (...target: string[]) =>
    JSON.parse(await done("eval", ...target, "--json")) as { loss: number };
  const { loss } = await evaluated(at("gated"));
  expect((await evaluated("--model", at("gated-merged"), ...argv(data))).loss).toBeCloseTo(loss, 5);
});
