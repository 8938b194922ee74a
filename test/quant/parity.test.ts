// Methods over quantised bases against PyTorch and peft over the same bases, restored there by the definition.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { StoredFormat } from "../../src/graph/index.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openCheckpoint, openSafetensors, writeSafetensors } from "../../src/hub/index.ts";
import { anyModel, blockLinears, sanitize } from "../../src/models/index.ts";
import { compose } from "../../src/nn/index.ts";
import { openQuantized, type QuantizedWeights, quantizedCheckpoint, quantizedHooks } from "../../src/quant/index.ts";
import { compareCase } from "../parity/compare.ts";
import { Comparison } from "../parity/comparison.ts";
import { caseNames, methodOf, openCase } from "../parity/records.ts";
import { report } from "../parity/suite.ts";
import { backends } from "../support/backends.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { writeTinyT5 } from "../support/tiny-answers.ts";
import { writeTinyModel } from "../support/tiny-model.ts";

const files = nodeFiles();
const folder = mkdtempSync(join(tmpdir(), "deft-quant-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The matrices of a checkpoint's blocks, written and opened again as our cache has them. */
async function quantized(checkpoint: string, format: StoredFormat): Promise<QuantizedWeights> {
  const { config, weights } = await openCheckpoint(files, checkpoint);
  const model = anyModel(config, checkpoint, weights);
  const stored = sanitize(model.config, weights);
  const names = blockLinears(model).map(({ path }) => `${path}.weight`);
  const file = join(checkpoint, `../${format}.safetensors`);
  await files.write(file, writeSafetensors(quantizedCheckpoint(stored, new Set(names), format)));
  return (await openQuantized(await openSafetensors(files, file), file))!;
}

/** Inputs in whole blocks of 64, as the kernels want them. */
const T5_SIZES = { d_model: 64, d_kv: 32, d_ff: 128 };

/** A trained model's sizes: without 1/√K in the scores, larger ones leave float32 itself too little. */
function tinyT5(path: string, config: Readonly<Record<string, unknown>>): Promise<void> {
  return writeTinyT5(path, {
    config: { ...T5_SIZES, ...config },
    sizeOf: (name, shape) => {
      if (name === "shared.weight" || name.includes("relative_attention_bias")) return 0.6;
      return shape[1]! ** -0.5 * (/\.[qk]\.weight$/.test(name) ? T5_SIZES.d_kv ** -0.25 : 1);
    },
  });
}

/** Writes a float model; the script that makes its records. */
const MODELS = {
  bert: (path: string, hiddenSize: number) => writeTinyModel(path, { hiddenSize, positions: 128 }),
  // a letter a token: longer texts than BERT's
  roberta: (path: string, hiddenSize: number) =>
    writeTinyModel(path, { modelType: "roberta", hiddenSize, positions: 200 }),
  "t5 v1.0": (path: string) => tinyT5(path, { tie_word_embeddings: true }),
  "t5 v1.1": (path: string) => tinyT5(path, { feed_forward_proj: "gated-gelu" }),
} as const;

describeWithPython("over a base restored by Python", (python) => {
  // 64 and 40: one size that the kernels take, one that stock operators restore
  test.each([
    ["bert", "nf4", 64, ["lora-all", "adapter-pfeiffer", "head"]],
    ["bert", "nf4", 40, ["lora-all"]],
    ["bert", "int4", 64, ["lora-all"]],
    ["bert", "int8", 64, ["lora-qv"]],
    ["roberta", "nf4", 64, ["lora-all"]],
    ["t5 v1.0", "nf4", 64, ["lora-all"]],
    ["t5 v1.1", "nf4", 64, ["lora-qv"]],
    ["t5 v1.1", "int8", 64, ["lora-all"]],
  ] as const)(
    "%s in %s, hidden size %i: numbers, logits, losses, gradients and 20 steps",
    { timeout: 10 * 60_000 },
    async (kind, format, hiddenSize, methods) => {
      const [source, restored, records] = ["source", "restored", "records"].map((part) =>
        join(folder, `${kind}-${format}-${hiddenSize}`.replace(" ", "-"), part),
      ) as [string, string, string];
      await MODELS[kind](source, hiddenSize);
      await runPython("scripts/golden/quant.py", ["dequantise", source, restored, format], { interpreter: python });
      const cases = methods.flatMap((method) => ["--case", `checkpoint.${method}`]);
      const script = kind.startsWith("t5") ? "t5" : "encoders";
      await runPython(`scripts/golden/${script}.py`, ["--out", records, "--checkpoint", restored, ...cases], {
        interpreter: python,
      });
      const base = await quantized(source, format);
      for (const [name, weight] of await openSafetensors(files, join(restored, "model.safetensors"))) {
        if (base.layouts.has(name))
          expect((await base.weights.get(name)!.read()).data, name).toEqual((await weight.read()).data);
      }
      const comparison = new Comparison();
      const names = await caseNames(records);
      expect(names).toHaveLength(methods.length);
      for (const name of names) {
        const one = await openCase(records, name, folder, restored);
        const matrices = [...base.weights].filter(([key]) => base.layouts.has(key));
        expect(matrices.length).toBeGreaterThan(0);
        // the other backend once for each way a matrix is stored and each family's layers
        const isOnBoth = name.endsWith("lora-all") && kind !== "t5 v1.1";
        for (const backend of isOnBoth ? backends : backends.slice(0, 1)) {
          await compareCase(
            { ...one, weights: new Map([...one.weights, ...matrices]) },
            {
              backend,
              comparison,
              method: () => {
                const method = methodOf(one.record.method);
                return { ...method, hooks: compose(quantizedHooks(base.layouts), method.hooks) };
              },
            },
          );
        }
      }
      report(`${kind} ${format} ${hiddenSize}`, comparison);
    },
  );
});
