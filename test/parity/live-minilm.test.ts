// The real MiniLM with LoRA, adapters and its head alone.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { describeWithMinilm, describeWithPython, runPython } from "../support/python.ts";
import { expectParity, isThorough } from "./suite.ts";

const folder = mkdtempSync(join(tmpdir(), "deft-parity-minilm-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeWithPython("as PyTorch, transformers and peft", (python) => {
  describeWithMinilm("the real MiniLM", (checkpoint) => {
    test("names, logits, losses, gradients, 20 steps and density counts", { timeout: 10 * 60_000 }, async () => {
      const methods = isThorough ? ["*"] : ["lora-all", "adapter-pfeiffer", "head"];
      const cases = methods.flatMap((method) => ["--case", `checkpoint.${method}`]);
      const args = ["--out", folder, "--checkpoint", checkpoint, ...cases];
      await runPython("scripts/golden/encoders.py", args, { interpreter: python });
      const compared = await expectParity(folder, { cache: join(folder, "cache"), checkpoint });
      expect(compared).toBe(isThorough ? 5 : 3);
    });
  });
});
