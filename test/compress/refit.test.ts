// Outputs fitted again, end to end: against PyTorch's least squares, in plans and their files, and refused.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCompressData } from "../../src/jobs/compress/data.ts";
import { needsMoments } from "../../src/jobs/compress/rules.ts";
import { calibrate, layerFacts } from "../../src/jobs/compress/scoring.ts";
import { openMergedModel } from "../../src/load/merged-model.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { keepNeurons, neuronsToKeep } from "../../src/prune/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { randomStream } from "../../src/tensor/index.ts";
import { deft } from "../support/command.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { type TinyRun, tinyRun } from "./support.ts";

let tiny: TinyRun;
beforeAll(async () => {
  tiny = await tinyRun({ numLayers: 2 });
});
afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

async function compress(name: string, ...argv: string[]) {
  const output = join(tiny.root, name);
  const outcome = await deft("compress", tiny.run, "--output", output, "--threads", "1", "--json", ...argv);
  return { ...outcome, output };
}

interface Plan {
  readonly layers: readonly Record<string, unknown>[];
}
const planOf = (folder: string) => JSON.parse(readFileSync(join(folder, "plan.json"), "utf8")) as Plan;

describeWithPython("PyTorch's least squares", (python) => {
  test("gives the same matrix and constant, and the same first neuron", async () => {
    const folder = mkdtempSync(join(tmpdir(), "deft-refit-"));
    const [tokens, F, D] = [300, 24, 6];
    const random = randomStream(11, "refit");
    const normals = (count: number) => Array.from({ length: count }, () => random.normal());
    const sources = normals(5 * F);
    // of few sources, so that neurons can stand for each other, with noise of their own and a mean
    const activations = Array.from({ length: tokens }, () => {
      const source = normals(5);
      const noise = normals(F);
      return Array.from({ length: F }, (_, f) =>
        Math.fround(source.reduce((sum, value, s) => sum + value * sources[s * F + f]!, 0.3 * noise[f]! + f / 10)),
      );
    });
    const weight = Array.from({ length: D }, () => normals(F).map(Math.fround));
    const kept = [1, 2, 5, 8, 13, 21];
    const mean = Float64Array.from({ length: F }, (_, f) => activations.reduce((sum, a) => sum + a[f]!, 0) / tokens);
    const moments = new Float32Array(F * F);
    const energy = new Float64Array(F);
    for (let f = 0; f < F; f++) {
      for (let g = 0; g < F; g++) moments[f * F + g] = activations.reduce((sum, a) => sum + a[f]! * a[g]!, 0) / tokens;
      energy[f] = moments[f * F + f]!;
    }
    const site = { activation: "l", out: "o", neurons: F } as Parameters<typeof keepNeurons>[0]["site"];
    const statistics = { site: "l", tokens, mean, energy, peak: new Float64Array(F), moments };
    const facts = { site, outWeight: Float32Array.from(weight.flat()), outBias: null, statistics };
    const file = join(folder, "facts.json");
    writeFileSync(file, JSON.stringify({ activations, weight, kept, damping: 1e-3 }));
    const theirs = JSON.parse(await runPython("scripts/golden/refit.py", [file], { interpreter: python })) as {
      out: number[][];
      constant: number[];
      gains: number[];
    };
    rmSync(folder, { recursive: true });
    const { out, constant } = await keepNeurons(facts, kept, "refit");
    const far = (ours: ArrayLike<number>, others: readonly number[]) =>
      others.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[i]!)), 0);
    expect(out).toHaveLength(D * kept.length);
    expect(far(out!, theirs.out.flat())).toBeLessThan(1e-4);
    expect(far(constant!, theirs.constant)).toBeLessThan(1e-4);
    expect(await neuronsToKeep(facts, 1)).toEqual([theirs.gains.indexOf(Math.min(...theirs.gains))]);
  });
});

describe("plans", () => {
  test("second moments are of what the output reads, at tokens that count", async () => {
    const frozen = await openMergedModel(nodeEnvironment(), { kind: "run", folder: tiny.run }, {});
    const data = await openCompressData(nodeEnvironment(), frozen, 32);
    const backend = nodeBackend({ threads: 1 });
    const of = (moments: boolean) => calibrate(backend, frozen, data.calibration, { moments });
    const [without, statistics] = [await of(false), await of(true)];
    const facts = await layerFacts(frozen, frozen.model.mlps, statistics);
    for (const [layer, { site, statistics: found }] of facts.entries()) {
      const F = site.neurons;
      expect(without[layer]!.moments).toBeUndefined();
      expect(found!.moments).toHaveLength(F * F);
      for (let f = 0; f < F; f++) {
        expect(found!.moments![f * F + f]).toBeCloseTo(without[layer]!.energy[f]!, 4);
        for (let g = 0; g < f; g++) {
          expect(found!.moments![f * F + g]).toBeCloseTo(found!.moments![g * F + f]!, 5);
          const most = Math.sqrt(found!.energy[f]! * found!.energy[g]!);
          expect(Math.abs(found!.moments![f * F + g]!)).toBeLessThanOrEqual(most * (1 + 1e-4) + 1e-7);
        }
      }
    }
  });

  test("the fit loses less of the logits than the mean does, of the same data", async () => {
    const differences: number[] = [];
    for (const compensation of ["refit", "mean"]) {
      const { code, out, output } = await compress(
        compensation,
        "--keep-neurons",
        "0.25",
        "--compensation",
        compensation,
      );
      expect(code).toBe(0);
      const compression = JSON.parse(out) as { logitsDifference: number; exactness: string };
      expect(compression.exactness).toBe("calibrated");
      differences.push(compression.logitsDifference);
      expect(planOf(output).layers.map(({ refitted }) => refitted ?? false)).toEqual(
        Array(2).fill(compensation === "refit"),
      );
      expect(existsSync(join(output, "plan.safetensors"))).toBe(compensation === "refit");
    }
    expect(differences[0]).toBeLessThan(differences[1]!);
  });

  test("a plan without its matrices, or with others, is refused", async () => {
    const { output } = await compress("whole", "--keep-neurons", "0.5");
    const alone = join(tiny.root, "alone.json");
    writeFileSync(alone, readFileSync(join(output, "plan.json")));
    const lonely = await compress("lonely", "--plan", alone);
    expect(lonely.code).toBe(2);
    expect(lonely.err).toMatch(/alone\.json: expected plan\.safetensors beside it, got nothing/);
    writeFileSync(join(tiny.root, "plan.safetensors"), readFileSync(join(tiny.root, "refit", "plan.safetensors")));
    const mixed = await compress("mixed", "--plan", alone);
    expect(mixed.code).toBe(2);
    expect(mixed.err).toMatch(/intermediate\.out: expected \[\d+, 16\], got \[\d+, 8\]/);
    for (const name of ["lonely", "mixed"]) expect(existsSync(join(tiny.root, name))).toBe(false);
  });

  test("the search's switched model is the one really made smaller", async () => {
    const { code, out } = await compress("budget", "--keep-neurons", "0.4", "--keep-scope", "global");
    expect(code).toBe(0);
    const { chosen, candidates } = JSON.parse(out) as {
      chosen: { searchScore: number };
      candidates: readonly unknown[];
    };
    expect(candidates.length).toBeGreaterThan(2);
    expect(chosen.searchScore).toBeGreaterThan(0);
    // the search keeps nothing outside its own folder
    expect(existsSync("tmp")).toBe(false);
  });

  test("what every two neurons do is asked for only where some go, and where it fits", () => {
    const explicit = {
      kind: "explicit",
      keepNeurons: null,
      threshold: null,
      skip: [1],
      gateThreshold: null,
      count: 0,
    } as const;
    const large = Array.from({ length: 48 }, () => ({ neurons: 5120 }));
    const asks = (rule: Parameters<typeof needsMoments>[1], compensation: "refit" | "mean" = "refit") =>
      needsMoments(large, rule, compensation);
    expect(asks({ kind: "silent" })).toBe(false);
    expect(asks(explicit)).toBe(false);
    expect(asks({ ...explicit, keepNeurons: 0.5 }, "mean")).toBe(false);
    expect(needsMoments([{ neurons: 1536 }], { ...explicit, keepNeurons: 0.5 }, "refit")).toBe(true);
    expect(() => asks({ ...explicit, keepNeurons: 0.5 })).toThrow(/10 GB for what every two neurons of 48 MLPs do/);
  });
});

test("a compensation there is not", async () => {
  const { code, err } = await compress("none", "--keep-neurons", "0.5", "--compensation", "none");
  expect(code).toBe(2);
  expect(err).toMatch(/--compensation: expected refit or mean, got "none"/);
});
