// Virtual tokens in front of the text and of the keys, and skipped MLPs, against peft and a shortened transformers.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { describeWithPython, runPython } from "../support/python.ts";
import { expectParity } from "./suite.ts";

const folder = mkdtempSync(join(tmpdir(), "deft-hooks-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const keep = (name: string) => /\.(prompt|prefix)-|\.skip-mlp$/.test(name);
const cache = join(folder, "cache");

test("prompt, prefix, its projection and skipped MLP, as recorded", async () => {
  expect(await expectParity("test/golden/encoders", { cache, keep })).toBe(4);
});

describeWithPython("prompt, prefix, its projection and skipped MLP", (python) => {
  test("as peft and transformers, live", { timeout: 5 * 60_000 }, async () => {
    await runPython("scripts/golden/hooks.py", ["--out", folder], { interpreter: python });
    expect(await expectParity(folder, { cache, keep })).toBe(15);
  });
});
