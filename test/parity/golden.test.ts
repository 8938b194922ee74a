// Committed records of PyTorch: what parity can be checked without Python.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { webBackend } from "../../src/runtime/web.ts";
import { caseNames } from "./records.ts";
import { expectParity } from "./suite.ts";

const GOLDEN = "test/golden/encoders";
const cache = mkdtempSync(join(tmpdir(), "deft-golden-"));
afterAll(() => rmSync(cache, { recursive: true, force: true }));

const isEncoder = (name: string) => !/\.(prompt|prefix|skip)-/.test(name);

/** Records of each type of encoder. */
const RECORDS = {
  bert: 5,
  roberta: 5,
  "xlm-roberta": 2,
  camembert: 2,
  distilbert: 7,
  electra: 7,
  mpnet: 7,
  modernbert: 8,
};

test.each(Object.entries(RECORDS))("%s as recorded, on cpu", async (family, count) => {
  const keep = (name: string) => name.startsWith(`${family}-`) && isEncoder(name);
  expect(await expectParity(GOLDEN, { cache, keep })).toBe(count);
});

test("every record is of one of these types", async () => {
  const names = (await caseNames(GOLDEN)).filter(isEncoder);
  expect(names).toHaveLength(Object.values(RECORDS).reduce((sum, count) => sum + count));
});

test("BERT with LoRA, on wasm", async () => {
  const keep = (name: string) => name === "bert-gelu.lora-qv";
  expect(await expectParity(GOLDEN, { cache, keep, backend: webBackend({ threads: 1 }) })).toBe(1);
});
