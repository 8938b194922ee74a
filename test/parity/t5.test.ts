// T5 v1.0 and v1.1 against transformers: the committed records, and with Python every variant and method, live.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { describeWithPython, runPython } from "../support/python.ts";
import { expectParity, isThorough } from "./suite.ts";

const folder = mkdtempSync(join(tmpdir(), "deft-parity-t5-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const cache = join(folder, "cache");

test("T5 with every method, as recorded", async () => {
  expect(await expectParity("test/golden/t5", { cache })).toBe(11);
});

describeWithPython("T5 as PyTorch, transformers and peft", (python) => {
  test("names, logits, losses, gradients, 20 steps and density counts", { timeout: 20 * 60_000 }, async () => {
    await runPython("scripts/golden/t5.py", ["--out", folder], { interpreter: python });
    const isBoth = (name: string) =>
      isThorough || /^t5-v1[01]\.(lora-qv|adapter-pfeiffer|prompt-tuning|prefix-tuning)$/.test(name);
    const compared = await expectParity(folder, {
      cache,
      positions: (name) => (isBoth(name) ? ["attended", "all"] : ["attended"]),
    });
    expect(compared).toBe(39);
  });
});
