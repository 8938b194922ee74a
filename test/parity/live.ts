// The live half: Python writes the records of one family into a temporary folder, then all of them are compared.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { describeWithPython, runPython } from "../support/python.ts";
import { expectParity, expectUnsupported, isThorough } from "./suite.ts";

/** Methods that every variant is compared with; those of `FULLY` with all there are. */
const METHODS = ["full", "lora-all-bias", "adapter-pfeiffer"];
const FULLY = ["gelu", "relu", "3-labels", "span", "tokens", "pruned"];
const TIMEOUT_MS = 20 * 60_000;

/** One family's suite: every variant of its config, every method. */
export function liveParity(family: string, fewest: number): void {
  const folder = mkdtempSync(join(tmpdir(), `deft-parity-${family}-`));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const cache = join(folder, "cache");
  const isFull = (name: string) => isThorough || FULLY.some((variant) => name.startsWith(`${family}-${variant}.`));
  const patterns = isThorough
    ? [`${family}-*`]
    : [...FULLY.map((variant) => `${family}-${variant}.*`), ...METHODS.map((method) => `${family}-*.${method}`)];

  describeWithPython(`${family} as PyTorch, transformers and peft`, (python) => {
    test("names, logits, losses, gradients, 20 steps and density counts", { timeout: TIMEOUT_MS }, async () => {
      const cases = patterns.flatMap((pattern) => ["--case", pattern]);
      await runPython("scripts/golden/encoders.py", ["--out", folder, ...cases], { interpreter: python });
      const compared = await expectParity(folder, {
        cache,
        keep: (name) => !isUnsupported(name),
        positions: (name) => (isFull(name) ? ["attended", "all"] : ["attended"]),
      });
      // a pattern that matches nothing must not look like success
      expect(compared).toBeGreaterThanOrEqual(fewest);
    });

    if (family === "bert") {
      test.each(["bert-act-laplace.full", "bert-act-sqrtsoftplus.full"])("%s is refused", async (name) => {
        await expectUnsupported(folder, name, cache);
      });
    }
  });
}

/** Activations of other architectures (MEGA's attention, DeepSeek's router), which no BERT was trained with. */
const isUnsupported = (name: string): boolean => /-act-(laplace|sqrtsoftplus)\./.test(name);
