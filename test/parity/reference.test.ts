// The references themselves: the committed records are what the scripts make, and the adapters in them AdapterHub's.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWithAdapters, describeWithPython, python, runPython } from "../support/python.ts";

const GOLDEN = "test/golden/encoders";
// torch alone takes seconds to import, on a busy machine a minute
const SLOW = { timeout: 600_000 };
const folder = mkdtempSync(join(tmpdir(), "deft-reference-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeWithPython("committed records", () => {
  test("of encoders and hooks are what the scripts make", SLOW, async () => {
    const out = join(folder, "golden");
    await runPython("scripts/golden/encoders.py", ["--golden", "--out", out]);
    await runPython("scripts/golden/hooks.py", ["--golden", "--out", out]);
    expect(await runPython("scripts/golden/compare.py", [GOLDEN, out])).toBe(`${recordsIn(GOLDEN)} records agree\n`);
  });

  test("of T5 are what the script makes", SLOW, async () => {
    const out = join(folder, "t5");
    await runPython("scripts/golden/t5.py", ["--golden", "--out", out]);
    expect(await runPython("scripts/golden/compare.py", ["test/golden/t5", out])).toBe(
      `${recordsIn("test/golden/t5")} records agree\n`,
    );
  });

  test("of metrics are what the script makes", SLOW, async () => {
    const out = join(folder, "metrics.json");
    await runPython("scripts/golden/metrics.py", ["--out", out]);
    expect(rounded(out)).toEqual(rounded("test/golden/metrics.json"));
  });
});

describeWithAdapters("AdapterHub's adapters", (interpreter) => {
  const records = join(folder, "adapters");
  beforeAll(async () => {
    if (python() === null) return;
    const cases = ["bert-gelu.adapter-*", "roberta-3-labels.adapter-*"].flatMap((pattern) => ["--case", pattern]);
    await runPython("scripts/golden/encoders.py", ["--out", records, ...cases]);
    await runPython("scripts/golden/t5.py", ["--out", records, "--case", "t5-v10.adapter-*"]);
  }, SLOW.timeout);

  test("give the recorded logits, loss and gradients", SLOW, async () => {
    const lines = await runPython("scripts/golden/adapters_check.py", ["--records", records], { interpreter });
    expect(lines.trim().split("\n")).toHaveLength(6);
  });
});

const recordsIn = (where: string) => readdirSync(where).filter((name) => name.endsWith(".json")).length;

// the last digits depend on the machine's vector units
function rounded(file: string): unknown {
  return JSON.parse(readFileSync(file, "utf8"), (_, value: unknown) =>
    typeof value === "number" ? Number(value.toPrecision(10)) : value,
  );
}
