// `deft compress` of encoders that point at answers: scores of questions over all their windows, searches, eight bits, recovery.
import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isSpans } from "../../src/data/index.ts";
import { logitsOf } from "../../src/evaluate/encoder-logits.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { type CompressData, openCompressData } from "../../src/jobs/compress/data.ts";
import { calibrate, layerFacts, openMasked, statedScores } from "../../src/jobs/compress/scoring.ts";
import { compilePlain, type MergedModel, openMergedModel } from "../../src/load/merged-model.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { applyPlan, keepNeurons } from "../../src/prune/index.ts";
import { type Compression, readOutcomes } from "../../src/runs/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { inTurn } from "../../src/tensor/index.ts";
import { deft } from "../support/command.ts";
import { tinySquad } from "../support/tiny-answers.ts";
import { writeFiles, writeTinyModel } from "../support/tiny-model.ts";
import { argv, done, type TinyTexts, tinyTexts } from "./t5-support.ts";

let tiny: TinyTexts;
afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

const CASES = [
  ["SQuAD v1.1", "squad"],
  ["SQuAD v2", "squad2"],
] as const;

beforeAll(async () => {
  tiny = await tinyTexts();
  await writeTinyModel(tiny.at("bert"), { numLayers: 3, hiddenSize: 32 });
  await writeFiles(tiny.root, {
    "squad2/train.json": tinySquad(120, 1, { impossible: true }),
    "squad2/dev.json": tinySquad(40, 2, { impossible: true }),
  });
  for (const [, data] of CASES) {
    const where = { model: tiny.at("bert"), task: "squad", data: tiny.at(data), output: tiny.at(`${data}-run`) };
    // windows of 12 tokens cut the longer contexts
    const how = { method: "full", "learning-rate": 5e-3, epochs: 8, "batch-size": 8, threads: 1 };
    const lengths = { "max-length": 12, "doc-stride": 2 };
    await done("train", ...argv({ ...where, ...how, ...lengths, "density-weight": 0.01 }), "-q");
  }
});

describe.each(CASES)("%s", (_, data) => {
  const at = (part: string) => tiny.at(`${data}-${part}`);
  const compress = async (part: string, ...more: string[]) =>
    JSON.parse(
      await done("compress", at("run"), "--output", at(part), "--threads", "1", "--json", ...more),
    ) as Compression;
  let frozen: MergedModel;
  let all: CompressData;
  beforeAll(async () => {
    const environment = nodeEnvironment();
    frozen = await openMergedModel(environment, { kind: "run", folder: at("run") }, {});
    all = await openCompressData(environment, frozen, 48);
  });

  test("questions are halved with their windows, and keep their places in the text", async () => {
    const { heldOut: stated, search, calibration } = all;
    for (const part of [stated, search, calibration]) {
      if (!isSpans(part)) throw new Error("no spans");
      expect(part.startPositions).toHaveLength(part.count);
      expect(new Set(part.owners)).toEqual(new Set(part.questions.keys()));
      for (let i = 0; i < part.count; i++) {
        const { contextAt, starts, ends } = part.offsets(i);
        expect(contextAt + starts.length).toBeLessThanOrEqual(part.lengths[i]!);
        const answer = part.questions[part.owners[i]!]!;
        const [from, to] = [part.startPositions[i]! - contextAt, part.endPositions[i]! - contextAt];
        if (from < 0) continue;
        const text = answer.pair!.slice(starts[from], ends[to]);
        expect(answer.question!.answers.map((one) => one.text)).toContain(text);
      }
    }
    expect(search.count).toBeGreaterThan(stated.count);
  });

  test("nothing removed is exact, and its score that of the run on the same questions", async () => {
    const result = await compress("whole", "--keep-neurons", "1");
    expect(result).toMatchObject({ exactness: "exact", metricName: "f1" });
    expect(result.logitsDifference).toBeLessThan(1e-5);
    const outcomes = (await readOutcomes(nodeFiles(), at("run")))!;
    const { heldOut: stated } = all;
    if (!isSpans(stated)) throw new Error("no spans");
    const lines = stated.questions.map(({ line }) => line);
    const own = outcomes.filter(({ line }) => lines.includes(line));
    expect(own).toHaveLength(result.stated.examples);
    const mean = own.reduce((sum, { score }) => sum + score!, 0) / own.length;
    expect(result.before.metrics.f1).toBeCloseTo(mean, 6);
    expect(result.after.metrics).toEqual(result.before.metrics);
  });

  test("a switched model says what the one really made smaller says, and moves as far", async () => {
    const backend = nodeBackend({ threads: 1 });
    const sites = frozen.model.mlps;
    const statistics = await calibrate(backend, frozen, all.calibration, { moments: true });
    const facts = await layerFacts(frozen, sites, statistics);
    const kept = facts.map((_of, i) => (i === 0 ? [1, 5, 8, 20] : i === 1 ? [] : null));
    const layers = await inTurn(facts, (of, i) =>
      keepNeurons(of, kept[i] ?? [...Array(of.site.neurons).keys()], "refit"),
    );
    const smaller = applyPlan(frozen, sites, layers);
    const masked = await openMasked(backend, frozen, facts, all);
    const [said, really] = [await masked.said(all.heldOut, kept), await statedScores(backend, frozen, smaller, all)];
    expect(Object.keys(said.metrics)).toEqual(Object.keys(really.after.metrics));
    for (const [name, value] of Object.entries(really.after.metrics)) expect(said.metrics[name]).toBeCloseTo(value, 5);
    expect(said.count).toBe(isSpans(all.heldOut) ? all.heldOut.questions.length : 0);
    expect(really.logitsDifference).toBeGreaterThan(1e-3);
    const logits: Float32Array[] = [];
    for (const model of [frozen, smaller]) {
      const program = await compilePlain(backend, model);
      logits.push(await logitsOf(program, all.head, all.heldOut));
      await program.dispose();
    }
    const distance = logits[0]!.reduce((sum, value, i) => sum + (value - logits[1]![i]!) ** 2, 0) / all.heldOut.count;
    expect((await masked.divergence(all.heldOut, kept)) / distance).toBeCloseTo(1, 3);
    await masked.dispose();
  });

  test("budgets, a share over all layers, eight bits and a recovery", async () => {
    const budget = await compress("budget", "--score-budget", "20", "--quantize", "qdq");
    expect(budget.after.neurons).toBeLessThan(budget.before.neurons);
    expect(budget.quantized!.f1).toBeGreaterThan(budget.after.metrics.f1! - 0.3);
    const shared = await compress("shared", "--keep-neurons", "0.5", "--keep-scope", "global", "--quantize", "int8");
    expect(shared.after.neurons / shared.before.neurons).toBeCloseTo(0.5, 1);
    const recovered = await compress(
      "recovered",
      "--keep-neurons",
      "0.1",
      "--recovery-steps",
      "20",
      "--recovery-method",
      "full",
    );
    expect(recovered.chosen).toMatchObject({ recoverySteps: 20, recoveryDistillation: 0.5 });
    const timed = await compress("timed", "--latency-budget", "0.99x");
    expect(timed.budget).toMatchObject({ kind: "latency", asked: 0.99 });
    const { metrics } = JSON.parse(await done("eval", at("shared"), "--threads", "1", "--json")) as { metrics: object };
    expect(Object.keys(metrics)).toEqual(Object.keys(shared.after.metrics));
    const asked = ["--question", "what is it", "--context", "a funny film"];
    expect(JSON.parse(await done("predict", at("shared"), ...asked, "--threads", "1"))).toHaveProperty("text");
  });
});

test("a head that points does no task of labels", async () => {
  const run = tiny.at("squad-run");
  const flags = ["--task", "sst2", "--data", tiny.at("squad"), "--keep-neurons", "0.5"];
  const { code, err } = await deft("compress", run, "--output", tiny.at("x"), ...flags);
  expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(/--task: expected squad, got sst2/) as string });
});
