// IA3 against peft, on BERT, RoBERTa and T5: the committed records, and with Python every case, live.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { describeWithPython, runPython } from "../support/python.ts";
import { expectParity } from "./suite.ts";

const folder = mkdtempSync(join(tmpdir(), "deft-parity-ia3-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const cache = join(folder, "cache");

test("IA3 on BERT and gated T5, as recorded", async () => {
  expect(await expectParity("test/golden/ia3", { cache })).toBe(2);
});

describeWithPython("IA3", (python) => {
  test("names, logits, losses, gradients, 20 steps and density counts as peft's, live", {
    timeout: 10 * 60_000,
  }, async () => {
    await runPython("scripts/golden/ia3.py", ["--out", folder], { interpreter: python });
    expect(await expectParity(folder, { cache })).toBe(13);
  });
});
