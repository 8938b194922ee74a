// Methods over quantised bases against PyTorch and peft over the same bases, restored there by the definition.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { StoredFormat } from "../../src/graph/index.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openCheckpoint, openSafetensors, writeSafetensors } from "../../src/hub/index.ts";
import { encoderModel, sanitize } from "../../src/models/index.ts";
import { compose } from "../../src/nn/index.ts";
import {
  isBlockMatrix,
  openQuantized,
  type QuantizedWeights,
  quantizedCheckpoint,
  quantizedHooks,
} from "../../src/quant/index.ts";
import { compareCase } from "../parity/compare.ts";
import { Comparison } from "../parity/comparison.ts";
import { caseNames, methodOf, openCase } from "../parity/records.ts";
import { report } from "../parity/suite.ts";
import { backends } from "../support/backends.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { writeTinyModel } from "../support/tiny-model.ts";

const files = nodeFiles();
const folder = mkdtempSync(join(tmpdir(), "deft-quant-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The matrices of a checkpoint's blocks, written and opened again as our cache has them. */
async function quantized(checkpoint: string, format: StoredFormat): Promise<QuantizedWeights> {
  const { config, weights } = await openCheckpoint(files, checkpoint);
  const stored = sanitize(encoderModel(config).config, weights);
  const names = [...stored].flatMap(([name, { shape }]) => (shape.length === 2 && isBlockMatrix(name) ? [name] : []));
  const file = join(folder, `${format}.safetensors`);
  await files.write(file, writeSafetensors(quantizedCheckpoint(stored, new Set(names), format)));
  return (await openQuantized(await openSafetensors(files, file), file))!;
}

describeWithPython("over a base restored by Python", (python) => {
  // 64 and 40: one size that the kernels take, one that stock operators restore
  test.each([
    ["nf4", 64, ["lora-all", "adapter-pfeiffer", "head"]],
    ["nf4", 40, ["lora-all"]],
    ["int4", 64, ["lora-all"]],
    ["int8", 64, ["lora-qv"]],
  ] as const)(
    "%s, hidden size %i: numbers, logits, losses, gradients and 20 steps",
    { timeout: 5 * 60_000 },
    async (format, hiddenSize, methods) => {
      const [source, restored, records] = ["source", "restored", "records"].map((part) =>
        join(folder, `${format}-${hiddenSize}`, part),
      ) as [string, string, string];
      await writeTinyModel(source, { hiddenSize, positions: 128 });
      await runPython("scripts/golden/quant.py", ["dequantise", source, restored, format], { interpreter: python });
      const cases = methods.flatMap((method) => ["--case", `checkpoint.${method}`]);
      await runPython("scripts/golden/encoders.py", ["--out", records, "--checkpoint", restored, ...cases], {
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
        for (const backend of name.endsWith("lora-all") ? backends : backends.slice(0, 1)) {
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
      report(`${format} ${hiddenSize}`, comparison);
    },
  );
});
