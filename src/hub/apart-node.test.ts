// Readers in processes of their own: answers, errors, and calls that are stopped at their limits, with this process as before.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runApart } from "./apart-node.ts";

const folder = mkdtempSync(join(tmpdir(), "deft-apart-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const module = pathToFileURL(join(folder, "engine.mjs"));
beforeAll(() => {
  const code = `
    export async function openEngine({ sizeBytes, read }) {
      const bytes = sizeBytes === 13 ? new Uint8Array() : await read(1, 2);
      if (sizeBytes === 13) throw new Error("an unlucky file");
      return {
        facts: { sizeBytes, bytes },
        async rows(start, end) {
          if (start === 1) for (;;);
          if (start === 2) for (const held = []; ; ) held.push(new Array(1e5).fill(start + held.length));
          if (start === 3) await read(-1, 1);
          if (start === 6) for (const held = []; ; ) held.push(1);
          if (start === 4) throw "no error at all";
          return [start, end, 9007199254740993n];
        },
      };
    }
  `;
  writeFileSync(module, code);
});

const source = (sizeBytes = 5) => ({
  sizeBytes,
  async read(offset: number, length: number) {
    if (offset < 0) throw new Error("no such place");
    return Uint8Array.from({ length }, (_, i) => offset + i);
  },
});
const LIMITS = { ms: 60_000, memoryBytes: 2 ** 26 };

describe("a reader apart", () => {
  test("answers, with bytes that it asks for", async () => {
    const apart = runApart(module, source(), LIMITS);
    expect(await apart.open()).toEqual({ sizeBytes: 5, bytes: Uint8Array.of(1, 2) });
    expect(await apart.rows(7, 9)).toEqual([7, 9, 9007199254740993n]);
    await apart.end();
  });

  test.each([
    ["its own", 3, "no such place"],
    ["that are no errors", 4, "no error at all"],
  ])("gives errors, %s", async (_, start, message) => {
    const apart = runApart(module, source(), LIMITS);
    await apart.open();
    await expect(apart.rows(start, 9)).rejects.toThrow(message);
    expect(await apart.rows(5, 6)).toHaveLength(3);
    await apart.end();
  });

  test("that cannot open says why", async () => {
    const apart = runApart(module, source(13), LIMITS);
    await expect(apart.open()).rejects.toThrow("an unlucky file");
    await apart.end();
  });

  test("that never ends is stopped", async () => {
    const apart = runApart(module, source(), { ...LIMITS, ms: 1500 });
    await apart.open();
    await expect(apart.rows(1, 2)).rejects.toThrow("more than 1.5 s of work for one part of it");
  });

  test("that takes all memory is stopped", async () => {
    const apart = runApart(module, source(), LIMITS);
    await apart.open();
    await expect(apart.rows(2, 3)).rejects.toThrow("more than 64 MB to hold what it says");
    expect(process.memoryUsage.rss()).toBeLessThan(2e9);
  });

  // in a thread this would be the end of the whole process
  test("one of whose lists outgrows its heap in a single step is stopped", async () => {
    const apart = runApart(module, source(), LIMITS);
    await apart.open();
    await expect(apart.rows(6, 7)).rejects.toThrow("more than 64 MB to hold what it says");
  });
});
