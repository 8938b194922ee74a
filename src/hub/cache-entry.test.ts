// Files of the cache: what is found is what was written, in every way in which it may not be.
import { appendFile, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { float32, type Tensor } from "../tensor/index.ts";
import { cacheEntry } from "./cache-entry.ts";
import { nodeFiles } from "./files-node.ts";
import { float32Checkpoint } from "./float32.ts";
import { openSafetensors, safetensorsBytes } from "./safetensors.ts";

const files = nodeFiles();
let folder: string;
let cache: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-cache-"));
  cache = join(folder, "cache");
  const half: Tensor = { dtype: "float16", shape: [64], data: Uint16Array.from({ length: 64 }, (_, i) => 15_360 + i) };
  await writeFile(join(folder, "half.safetensors"), safetensorsBytes(new Map([["w", half]])));
  await writeFile(join(folder, "whole.safetensors"), safetensorsBytes(new Map([["w", float32([2], [1, 2])]])));
});
afterEach(() => rm(folder, { recursive: true }));

const opened = async (name = "half", isCopied = false) =>
  float32Checkpoint(files, await openSafetensors(files, join(folder, `${name}.safetensors`)), cache, isCopied);

test("a flipped bit anywhere is found, and the file made again", async () => {
  const first = await opened();
  const file = first.file!;
  const whole = await readFile(file);
  for (let at = 0; at < whole.length; at += 7) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 1 << (at % 8);
    await writeFile(file, damaged);
    expect(await opened(), `byte ${at}`).toMatchObject({ wasCached: false, wasDamaged: true });
    expect(Buffer.compare(await readFile(file), whole)).toBe(0);
  }
  expect(await opened()).toMatchObject({ wasCached: true, wasDamaged: false });
});

test("a file that was only touched is compared once, and kept", async () => {
  const { file } = await opened();
  const before = await stat(file!);
  await utimes(file!, new Date(0), new Date(0));
  expect(await opened()).toMatchObject({ wasCached: true, wasDamaged: false });
  const { stamp } = (await files.stat(file!))!;
  expect(JSON.parse(await readFile(`${file}.digest.json`, "utf8"))).toMatchObject({ stamp });
  expect((await stat(file!)).ino).toBe(before.ino);
});

test("a note that is cut short, or was never written, has the file made again", async () => {
  const { file } = await opened();
  await writeFile(`${file}.digest.json`, '{"sha256": ');
  expect(await cacheEntry(files, file!)).toBe("damaged");
  expect(await opened()).toMatchObject({ wasCached: false, wasDamaged: true });
  await rm(`${file}.digest.json`);
  expect(await opened()).toMatchObject({ wasCached: false, wasDamaged: false });
  expect(await cacheEntry(files, file!)).toBe("whole");
});

test("another file in the model's place is not the one in the cache", async () => {
  const { file } = await opened();
  await appendFile(join(folder, "half.safetensors"), "");
  const bytes = await readFile(join(folder, "half.safetensors"));
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(join(folder, "half.safetensors"), bytes);
  const other = await opened();
  expect(other.file).not.toBe(file);
  expect(other.wasCached).toBe(false);
});

test("what a killed process left half written is removed when a file is made, and nothing that somebody may still write", async () => {
  const { file } = await opened();
  const old = join(cache, ".a.safetensors.4194304-0.tmp");
  const young = join(cache, ".b.safetensors.4194304-0.tmp");
  await writeFile(old, "half");
  await writeFile(young, "half");
  const twoHoursAgo = new Date(Date.now() - 7_200_000);
  await utimes(old, twoHoursAgo, twoHoursAgo);
  await rm(file!);
  await opened();
  expect((await readdir(cache)).filter((name) => name.startsWith("."))).toEqual([".b.safetensors.4194304-0.tmp"]);
});

test("weights that could be mapped where they lie are copied when that is asked for", async () => {
  expect((await opened("whole")).file).toBeNull();
  const { file, weights } = await opened("whole", true);
  expect(weights.get("w")!.span).toMatchObject({ name: file!.slice(file!.lastIndexOf("/") + 1) });
  expect([...(await weights.get("w")!.read()).data]).toEqual([1, 2]);
});
