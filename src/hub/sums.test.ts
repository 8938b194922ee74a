// Digests of a folder's files: every damage of a file, of a name and of the digests themselves is noticed.
import { describe, expect, test } from "vitest";
import { CheckpointError, DataError, DeftError } from "../errors.ts";
import type { Files } from "../tensor/index.ts";
import { memoryFiles } from "./files-memory.ts";
import { checkSums, SUMS_FILE, writeSums } from "./sums.ts";

const CONTENT = { "config.json": "{}", "weights.bin": "numbers", "adapter/a.json": "[]", ".passing.tmp": "x" };

async function folder(): Promise<Files> {
  const files = memoryFiles(Object.entries(CONTENT).map(([name, text]) => [`run/${name}`, text] as const));
  await writeSums(files, "run");
  return files;
}

async function issueNames(check: Promise<void>): Promise<readonly string[]> {
  const error = await check.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CheckpointError);
  return (error as CheckpointError).issues.map(({ name }) => name);
}

test("the file is that of sha256sum, without what passes", async () => {
  const files = await folder();
  expect(await files.readText(`run/${SUMS_FILE}`)).toMatchInlineSnapshot(`
    "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945  adapter/a.json
    44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a  config.json
    f3c7807d475073ba009bf4801b2d934e9f0126cb96dd19a27dbffcae23a7f5a3  weights.bin
    "
  `);
  await checkSums(files, "run");
});

test("every bit of every file, and of the digests, is noticed", async () => {
  const whole = await folder();
  let flips = 0;
  for (const name of [...Object.keys(CONTENT).filter((of) => !of.startsWith(".")), SUMS_FILE]) {
    const bytes = await whole.read(`run/${name}`);
    for (let at = 0; at < bytes.length * 8; at++) {
      const files = await folder();
      const damaged = bytes.slice();
      damaged[at >> 3]! ^= 1 << (at & 7);
      await files.write(`run/${name}`, damaged);
      const error = await checkSums(files, "run").catch((reason: unknown) => reason);
      expect(error, `${name}, bit ${at}`).toBeInstanceOf(DeftError);
      if (name !== SUMS_FILE) expect((error as DeftError).message).toContain(name);
      flips++;
    }
  }
  expect(flips).toBeGreaterThan(1500);
});

describe("a folder that is not as it was", () => {
  test("all files that are others or gone are named at once", async () => {
    const files = await folder();
    await files.write("run/config.json", "[]");
    await files.remove("run/weights.bin");
    expect(await issueNames(checkSums(files, "run"))).toEqual(["config.json", "weights.bin"]);
    expect(await issueNames(checkSums(files, "run", ["weights.bin"]))).toEqual(["weights.bin"]);
    await checkSums(files, "run", ["adapter/a.json"]);
  });

  test("a file that the digests should list and do not is told", async () => {
    const files = await folder();
    await files.write("run/more.json", "{}");
    expect(await issueNames(checkSums(files, "run", ["more.json"]))).toEqual(["more.json"]);
    // what is not asked for may be anything
    await checkSums(files, "run");
  });

  test("digests cut short are damaged", async () => {
    const files = await folder();
    for (const text of ["", "\n", (await files.readText(`run/${SUMS_FILE}`)).slice(0, -1)]) {
      await files.write(`run/${SUMS_FILE}`, text);
      await expect(checkSums(files, "run")).rejects.toThrow(DataError);
    }
  });

  test("without digests it is taken as it is, as the hint says", async () => {
    const files = await folder();
    await files.write("run/config.json", "[]");
    await files.remove(`run/${SUMS_FILE}`);
    await checkSums(files, "run");
  });
});
