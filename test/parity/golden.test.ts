// Committed records of PyTorch: what parity can be checked without Python.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { webBackend } from "../../src/runtime/web.ts";
import { expectParity } from "./suite.ts";

const GOLDEN = "test/golden/encoders";
const cache = mkdtempSync(join(tmpdir(), "deft-golden-"));
afterAll(() => rmSync(cache, { recursive: true, force: true }));

const isEncoder = (name: string) => !/\.(prompt|prefix|skip)-/.test(name);

test("BERT and RoBERTa with every method, on cpu", async () => {
  expect(await expectParity(GOLDEN, { cache, keep: isEncoder })).toBe(10);
});

test("BERT with LoRA, on wasm", async () => {
  const keep = (name: string) => name === "bert-gelu.lora-qv";
  expect(await expectParity(GOLDEN, { cache, keep, backend: webBackend({ threads: 1 }) })).toBe(1);
});
