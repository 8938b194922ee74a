// Damaged files that once ended in an error of the language, or never: each is read or refused, by its reader, at once.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench, damaged, filesOf } from "./cases.ts";
import { READERS } from "./readers.ts";
import { writeSeeds } from "./seeds.ts";

const CORPUS = join(import.meta.dirname, "corpus");
const folder = mkdtempSync(join(tmpdir(), "deft-corpus-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let seeds: ReadonlyMap<string, Uint8Array>;
let bench: Bench;
beforeAll(async () => {
  await writeSeeds(folder);
  seeds = filesOf(folder);
  bench = new Bench(seeds);
});

/** The corpus names a reader by what a file may be called. */
const named = (name: string) => name.replaceAll(/[^\w.]+/g, "-");

describe("kept files", () => {
  test.each(readdirSync(CORPUS))("%s", async (file) => {
    const reader = READERS.find(({ name }) => file.startsWith(`${named(name)}--`));
    expect(reader, `${file}: expected the name of a reader before --`).toBeDefined();
    const started = performance.now();
    const { kind, message } = await bench.read(reader!, new Uint8Array(readFileSync(join(CORPUS, file))));
    expect(kind, message).not.toBe("fault");
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe("every reader", () => {
  test.each(READERS.map((reader) => [reader.name, reader] as const))(
    "%s reads the valid file, and ends on damaged ones",
    async (_, reader) => {
      if (!seeds.has(reader.file)) return;
      const whole = await bench.read(reader, seeds.get(reader.file)!);
      expect(whole.kind, whole.message).toBe(reader.refuses === true ? "refused" : "read");
      for (let number = 0; number < 12; number++) {
        const { kind, message } = await bench.read(reader, damaged(seeds, reader, 99, number));
        expect(kind, message).not.toBe("fault");
      }
    },
  );
});
