// Fingerprints of checkpoints above 32 MiB: every byte counts, and those of version 0.1.0 are still known.
import { mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Files, float32, memoryWeights } from "../tensor/index.ts";
import { nodeFiles } from "./files-node.ts";
import { fingerprint, isSameFingerprint, sampledPart } from "./fingerprint.ts";
import { openSafetensors, writeSafetensors } from "./safetensors.ts";

const files = nodeFiles();
const ELEMENTS = (33 << 20) / 4;
let folder: string;
const at = (name: string) => join(folder, name);
const weightsOf = (name: string) => openSafetensors(files, at(name));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-print-"));
  const large = float32([ELEMENTS], new Float32Array(ELEMENTS).fill(0.5));
  const small = float32([2], [1, 2]);
  await files.write(
    at("one.safetensors"),
    writeSafetensors(
      memoryWeights([
        ["a", large],
        ["b", small],
      ]),
    ),
  );
  await files.write(at("a.safetensors"), writeSafetensors(memoryWeights([["a", large]])));
  await files.write(at("b.safetensors"), writeSafetensors(memoryWeights([["b", small]])));
});
afterAll(() => rm(folder, { recursive: true }));

/** Flips one bit of a file in place, a megabyte before its end. */
async function flip(name: string): Promise<void> {
  const file = await open(at(name), "r+");
  const byte = Buffer.alloc(1);
  const place = (await file.stat()).size - (1 << 20);
  await file.read(byte, 0, 1, place);
  byte[0]! ^= 4;
  await file.write(byte, 0, 1, place);
  await file.close();
}

/** Files that count how many bytes digests were made of. */
function counted(): Files & { bytes: number } {
  const counting = {
    ...files,
    bytes: 0,
    digest: (path: string, offset = 0, length = 0) => {
      counting.bytes += length;
      return files.digest(path, offset, length);
    },
  };
  return counting;
}

test("a bit anywhere is another model, and where the tensors lie is not", async () => {
  const print = await fingerprint(files, await weightsOf("one.safetensors"));
  const sharded = new Map([...(await weightsOf("a.safetensors")), ...(await weightsOf("b.safetensors"))]);
  expect(await fingerprint(files, sharded)).toBe(print);
  await flip("a.safetensors");
  const changed = await fingerprint(
    files,
    new Map([...(await weightsOf("a.safetensors")), ...(await weightsOf("b.safetensors"))]),
  );
  expect(isSameFingerprint(print, changed)).toBe(false);
  // which the samples of version 0.1.0 did not see: its fingerprint is of both
  const old = sampledPart(print);
  expect(old).toMatch(/^[0-9a-f]{64}$/);
  expect([print, changed].map((of) => isSameFingerprint(old, of))).toEqual([true, true]);
  expect(
    isSameFingerprint(
      old,
      print.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")),
    ),
  ).toBe(false);
  expect(isSameFingerprint(undefined, print)).toBe(false);
  expect(isSameFingerprint(undefined, undefined)).toBe(true);
});

test("it is read once, and again when the file or what was noted of it is another", async () => {
  const cache = at("cache");
  const print = async () => {
    const counting = counted();
    const found = await fingerprint(counting, await weightsOf("one.safetensors"), cache);
    return { found, bytes: counting.bytes };
  };
  const first = await print();
  expect(first.bytes).toBe(4 * ELEMENTS + 8);
  expect(await print()).toEqual({ found: first.found, bytes: 0 });
  const [note] = await readdir(join(cache, "fingerprints"));
  const path = join(cache, "fingerprints", note!);
  const text = await readFile(path, "utf8");
  for (const damaged of [text.replace(/[0-9]/, (digit) => String((Number(digit) + 1) % 10)), text.slice(0, 30), ""]) {
    await writeFile(path, damaged);
    expect(await print()).toEqual(first);
  }
  await flip("one.safetensors");
  const second = await print();
  expect(second.bytes).toBe(first.bytes);
  expect(isSameFingerprint(first.found, second.found)).toBe(false);
});
