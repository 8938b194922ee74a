// `deft report` on what `deft train --ada` and `deft compress` really leave in their folders.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Compression } from "../../src/runs/index.ts";
import { deft } from "../support/command.ts";
import { sampleBench } from "../support/compressions.ts";
import { type TinyRun, tinyRun } from "./support.ts";

let tiny: TinyRun;
let ada: string;
const at = (name: string) => join(tiny.root, name);
beforeAll(async () => {
  tiny = await tinyRun({ numLayers: 3 });
  ada = at("ada");
  const flags = "--task sst2 --threads 1 -q --max-steps 12 --batch-size 8 --ada --gate-weight 3 --gate-rate 0.5";
  const folders = ["--model", tiny.model, "--data", tiny.data, "--output", ada];
  const trained = await deft("train", ...folders, ...flags.split(" "));
  expect(trained.err).toBe("");
  for (const [from, to, ...rules] of [
    [ada, "by-count", "--count", "1"],
    [ada, "by-score", "--score-budget", "5"],
    [tiny.run, "half", "--keep-neurons", "0.5"],
  ] as [string, string, ...string[]][]) {
    const { code, err } = await deft("compress", from, "--output", at(to), "--threads", "1", "-q", ...rules);
    expect({ code, err }).toEqual({ code: 0, err: "" });
  }
});
afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

const idsOf = (page: string) =>
  [...parseHTML(readFileSync(page, "utf8")).document.querySelectorAll("figure")].map(({ id }) => id);

describe("deft report", () => {
  test("shows a run with gates, what was compressed from it, and the gates beside what was measured", async () => {
    const page = at("both.html");
    const { code, out } = await deft("report", ada, at("by-count"), at("by-score"), "--output", page, "--json");
    expect(code).toBe(0);
    const { runs, compressions } = JSON.parse(out) as {
      runs: unknown[];
      compressions: (Compression & { gates: number[] })[];
    };
    expect(runs).toHaveLength(1);
    expect(compressions.map(({ gates }) => gates.length)).toEqual([3, 3]);
    const sidecar = JSON.parse(readFileSync(join(ada, "adapter", "deft.json"), "utf8")) as {
      gates: { values: Record<string, number> };
    };
    expect(compressions[0]!.gates).toEqual(
      [0, 1, 2].map((layer) => sidecar.gates.values[`bert.encoder.layer.${layer}.output`]),
    );
    expect(idsOf(page)).toEqual(
      expect.arrayContaining([
        "gates-over-steps",
        "score-neurons",
        "gates-by-count",
        "gates-by-score",
        "spare-by-score",
        "density-per-layer",
      ]),
    );
    expect(readFileSync(page, "utf8")).not.toMatch(/NaN|undefined|\[object/);
  });

  test("the MLP that --count takes is the one that is missed least", () => {
    const { candidates, layers } = JSON.parse(
      readFileSync(join(at("by-count"), "compression.json"), "utf8"),
    ) as Compression;
    expect(candidates).toHaveLength(3);
    const least = candidates.toSorted((a, b) => a.divergence! - b.divergence!)[0]!;
    expect(layers.map(({ kept }) => kept)).toEqual(least.sizes);
  });

  test("a compressed model alone, with a benchmark of it", async () => {
    const bench = at("bench.json");
    writeFileSync(bench, JSON.stringify(sampleBench([tiny.run, at("half")])));
    const { code, out } = await deft("report", at("half"), "--bench", bench);
    expect(code).toBe(0);
    expect(out).toMatch(/^half +calibrated .* 50\.0 % +3 of 3 /m);
    expect(existsSync(join(at("half"), "report.html"))).toBe(true);
    expect(idsOf(join(at("half"), "report.html"))).toEqual([
      "score-neurons",
      "score-latency",
      "score-size",
      "kept-half",
    ]);
  });

  test.each([
    ["{}", "expected what deft bench --json printed, got other JSON"],
    ['{"rows":[{"run":"a"}],"texts":{"count":1}}', "expected what deft bench --json printed"],
    ["nonsense", "bench.json"],
  ])("refuses %j as a benchmark", async (text, message) => {
    writeFileSync(at("bench.json"), text);
    const { code, out, err } = await deft("report", at("half"), "--bench", at("bench.json"));
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
  });
});

test("deft init writes a file that deft train takes, once", async () => {
  const file = at("settings.yaml");
  const flags = ["--model", tiny.model, "--task", "sst2", "--data", tiny.data, "--max-steps", "2", "--rank", "2"];
  expect(await deft("init", file, ...flags, "-q")).toEqual({ code: 0, out: `${file}\n`, err: "" });
  const { code, out } = await deft("train", file, "--dry-run", "--json");
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ totalSteps: 2 });
  expect((await deft("init", file, ...flags)).code).toBe(2);
});
