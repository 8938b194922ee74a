// A folder that is filled: at every point where the process may end, it is whole, or known as unfinished and cleared without harm.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeFiles } from "../hub/files-node.ts";
import { type Files, joinPath } from "../tensor/index.ts";
import { clearUnfinished, fillFolder, isUnfinished } from "./filled-folder.ts";

const disk = nodeFiles();
let folder: string;
let out: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-filled-"));
  out = join(folder, "out");
});
afterEach(() => rm(folder, { recursive: true }));

const NAMES = ["config.json", "adapter/weights", "adapter/config.json", "a.json", "plan.json"];
const KEPT = ["search.jsonl", "recovery"];

/** Files that fail at the change of number `at`, counted from 0, and at every later one. */
function failingAt(files: Files, at: number): Files {
  let changes = 0;
  const counted =
    <A extends readonly unknown[], R>(act: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (changes++ >= at) throw new Error("the process ends here");
      return act(...args);
    };
  return {
    ...files,
    write: counted((...args) => files.write(...args)),
    rename: counted((...args) => files.rename(...args)),
    remove: counted((...args) => files.remove(...args)),
  };
}

async function fill(files: Files): Promise<void> {
  await fillFolder(files, out, "config.json", async (inner) => {
    for (const name of NAMES) await files.write(joinPath(inner, name), `new ${name}`);
  });
}

async function begun(): Promise<Files> {
  await disk.remove(out);
  await disk.write(joinPath(out, "search.jsonl"), "searched");
  await disk.write(joinPath(out, "recovery/run.json"), "{}");
  return disk;
}

test("ended anywhere, it is whole or unfinished, and filled again as if nothing had been", async () => {
  let isWhole = false;
  for (let at = 0; !isWhole; at++) {
    expect(at).toBeLessThan(40);
    const files = await begun();
    isWhole = await fill(failingAt(files, at)).then(
      () => true,
      () => false,
    );
    if ((await files.stat(joinPath(out, "config.json"))) !== null)
      for (const name of NAMES) expect(await files.readText(joinPath(out, name))).toBe(`new ${name}`);
    if (isWhole) {
      expect(await isUnfinished(files, out)).toBe(false);
      continue;
    }
    if (await isUnfinished(files, out)) await clearUnfinished(files, out, KEPT);
    expect(await files.list(out)).toEqual(["recovery", "search.jsonl"]);
    await fill(files);
    expect(await files.list(out)).toEqual([
      "a.json",
      "adapter",
      "config.json",
      "deft.sha256",
      "plan.json",
      "recovery",
      "search.jsonl",
    ]);
    expect(await isUnfinished(files, out)).toBe(false);
  }
});

test("ended while it is cleared, it is still unfinished", async () => {
  for (let at = 0; at < 3; at++) {
    const files = await begun();
    await fill(failingAt(files, 9)).catch(() => {});
    expect(await isUnfinished(files, out)).toBe(true);
    await expect(clearUnfinished(failingAt(files, at), out, KEPT)).rejects.toThrow("ends here");
    expect(await isUnfinished(files, out)).toBe(true);
  }
});
