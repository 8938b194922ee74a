// What compression measures of a T5 against the same reckoned plainly: statistics of neurons, switched models, parts of data.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EncodedExamples, type Example, encodeAnswers, isTargets, isWindows } from "../../src/data/index.ts";
import { scoringBatches } from "../../src/evaluate/index.ts";
import { scoreDrop } from "../../src/evaluate/task-scores.ts";
import { type CompressData, openCompressData } from "../../src/jobs/compress/data.ts";
import { drawn, exampleCount, halves, joined, notDrawn, targetTokens } from "../../src/jobs/compress/examples.ts";
import { calibrate, layerFacts, noneSwitched, openMasked } from "../../src/jobs/compress/scoring.ts";
import { type MergedModel, openMergedModel } from "../../src/load/merged-model.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { untrained } from "../../src/peft/index.ts";
import { applyPlan, keepNeurons, type LayerFacts, outputReadTap } from "../../src/prune/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { buildTaskGraph } from "../../src/tasks/index.ts";
import { inTurn, randomStream, type Tensor } from "../../src/tensor/index.ts";
import { meanDivergence } from "../support/divergence.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles } from "../support/tiny-model.ts";
import { saidOf, VARIANTS, type Variant } from "./t5-support.ts";

const root = mkdtempSync(join(tmpdir(), "deft-t5-statistics-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const backend = nodeBackend({ threads: 1 });

const numbersOf = ({ data }: Tensor): number[] => Array.from(data as BigInt64Array, Number);

/** One batch of all examples, as scoring makes it. */
function batchOf(examples: EncodedExamples) {
  const [batch] = scoringBatches(examples, { kind: "language-model" }, "longest", examples.count);
  return batch!;
}

describe.each(Object.keys(VARIANTS) as Variant[])("%s", (variant) => {
  let frozen: MergedModel;
  let data: CompressData;
  let facts: LayerFacts[];
  beforeAll(async () => {
    const at = (name: string) => join(root, variant, name);
    await writeTinyT5(at("model"), { config: VARIANTS[variant] });
    await writeFiles(at("data"), { "train.jsonl": tinySeq2seq(40, 1), "dev.jsonl": tinySeq2seq(40, 2) });
    const environment = nodeEnvironment();
    const overrides = { task: "seq2seq", data: at("data") } as const;
    frozen = await openMergedModel(environment, { kind: "model", model: at("model"), adapter: null }, overrides);
    data = await openCompressData(environment, frozen, 30);
    const statistics = await calibrate(backend, frozen, data.calibration, { moments: true });
    facts = await layerFacts(frozen, frozen.model.mlps, statistics);
  });

  test("means and energies are of what the output reads, peaks of the activation, at tokens that count", async () => {
    const tap = outputReadTap(frozen.model.mlps);
    const { taps } = buildTaskGraph({
      model: frozen.model,
      method: { ...untrained(), hooks: tap.hooks },
      head: { kind: "language-model" },
    });
    const fetched = Object.fromEntries(
      taps.flatMap(({ site, activation }) => [
        [`${site}.active`, activation],
        [`${site}.read`, tap.read.get(site)!],
      ]),
    );
    const program = await backend.compile(fetched, { weights: frozen.weights });
    const { inputs } = batchOf(data.calibration);
    const outputs = await program.run(inputs);
    await program.dispose();
    const counts = {
      encoder: numbersOf(inputs.attentionMask!).map((one) => one === 1),
      decoder: numbersOf(inputs.labels!).map((label) => label !== -100),
    };
    expect(facts).toHaveLength(4);
    for (const { site, statistics } of facts) {
      const counted = counts[site.stack].flatMap((is, position) => (is ? [position] : []));
      const values = (name: string, f: number) =>
        counted.map((position) => Number(outputs[`${site.activation}.${name}`]!.data[position * 32 + f]));
      expect(statistics!.tokens).toBe(counted.length);
      for (const f of [0, 5, 31]) {
        const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length;
        const [read, active] = [values("read", f), values("active", f)];
        expect(statistics!.mean[f]).toBeCloseTo(mean(read), 5);
        expect(statistics!.energy[f]).toBeCloseTo(mean(read.map((value) => value ** 2)), 5);
        expect(statistics!.peak[f]).toBeCloseTo(Math.max(...active.map(Math.abs)), 6);
        if (variant === "v1.1") expect(mean(read)).not.toBeCloseTo(mean(active), 3);
      }
    }
  });

  test("a switched model says what the one really made smaller says", async () => {
    const random = randomStream(5, "kept");
    const some = Array.from({ length: 32 }, (_, f) => f).filter(() => random.uniform() < 0.4);
    const kept = [some, null, [], [3, 9]];
    const masked = await openMasked(backend, frozen, facts, data);
    const layers = await inTurn(facts, (of, i) => keepNeurons(of, kept[i] ?? [...Array(32).keys()], "refit"));
    const smaller = applyPlan(
      frozen,
      facts.map(({ site }) => site),
      layers,
    );
    const { inputs } = batchOf(data.search);
    const { tokenIds, attentionMask, labels } = inputs as Record<"tokenIds" | "attentionMask" | "labels", never>;
    const fed = { tokenIds, attentionMask, labels };
    const [before, after] = [await saidOf(frozen, fed), await saidOf(smaller, fed)];
    const counted = numbersOf(inputs.labels!).map((label) => label !== -100);
    const distance = meanDivergence(before.logits, after.logits, counted);
    const divergence = await masked.divergence(data.search, kept);
    expect(distance).toBeGreaterThan(1e-3);
    expect(divergence / distance).toBeCloseTo(1, 3);
    expect(await masked.divergence(data.search, noneSwitched(facts))).toBe(0);
    await masked.dispose();
  });
});

test("what was lost is the mean of the differences, with its standard error and interval", () => {
  const said = (scores: readonly number[]) => ({
    count: scores.length,
    scoreOn: (indices: readonly number[]) => indices.reduce((sum, i) => sum + scores[i]!, 0) / indices.length,
  });
  const dense = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 1 : 0.5));
  expect(scoreDrop(said(dense), said(dense))).toEqual({ lost: 0, standardError: 0, low: 0, high: 0 });
  // a tenth of the examples loses 0.5 each: mean 0.05, deviation 0.15, of a hundred examples 0.015
  const worse = dense.map((score, i) => (i % 10 === 0 ? score - 0.5 : score));
  const { lost, standardError, low, high } = scoreDrop(said(dense), said(worse));
  expect(lost).toBeCloseTo(0.05, 10);
  expect(standardError).toBeCloseTo(0.015, 2);
  for (const [bound, errors] of [
    [low, -1.96],
    [high, 1.96],
  ] as const)
    expect(bound).toBeCloseTo(0.05 + errors * 0.015, 1);
  const back = scoreDrop(said(worse), said(dense));
  expect(back.lost).toBeCloseTo(-0.05, 10);
  expect(back.low).toBeLessThan(back.high);
});

test("halves and parts keep a question's windows together, with their targets", async () => {
  const word = (id: number) => 10 + id;
  const tokenizer = {
    vocabSize: 100,
    padId: 0,
    maxLength: null,
    encode: (text: string) => ({
      ids: Array.from(text, (_, i) => word(i)),
      typeIds: Array.from(text, () => 0),
      truncated: false,
    }),
    spans: (text: string) => ({
      ids: Array.from(text, (_, i) => word(i)),
      starts: Array.from(text, (_, i) => i),
      ends: Array.from(text, (_, i) => i + 1),
    }),
    join: (ids: readonly number[]) => ({ ids, typeIds: ids.map(() => 0) }),
  } as unknown as Parameters<typeof encodeAnswers>[1];
  const questions = Array.from({ length: 9 }, (_, i): Example => {
    const context = "x".repeat(10 + 7 * (i % 3));
    return {
      text: "q",
      pair: context,
      label: null,
      line: i + 1,
      question: { id: `${i}`, answers: [{ text: "xx", start: i % 5 }] },
    };
  });
  const options = { maxLength: 30, stride: 2, maxTargetLength: 5 };
  const all = await encodeAnswers(questions, tokenizer, options);
  expect(all.count).toBeGreaterThan(questions.length);
  const linesOf = (examples: EncodedExamples) => {
    if (!isWindows(examples) || !isTargets(examples)) throw new Error("windows with targets are windows with targets");
    const { owners } = examples;
    expect(examples.questions.map(({ line }) => line)).toEqual([...new Set(examples.lines)]);
    examples.lines.forEach((line, row) => {
      expect(examples.questions[owners[row]!]!.line).toBe(line);
      expect(examples.tokens(row)).toHaveLength(examples.lengths[row]!);
      expect(examples.target(row)).toHaveLength(examples.targetLengths[row]!);
    });
    return [...examples.lines];
  };
  const [first, second] = halves(all);
  expect([exampleCount(first), exampleCount(second)]).toEqual([5, 4]);
  expect([...linesOf(first), ...linesOf(second)].sort((a, b) => a - b)).toEqual([...all.lines]);
  expect(targetTokens(first) + targetTokens(second)).toBe(targetTokens(all));
  const [some, others] = [drawn(all, 3), notDrawn(all, 3)];
  expect([exampleCount(some), exampleCount(others)]).toEqual([3, 6]);
  expect(linesOf(joined(some, others)).sort((a, b) => a - b)).toEqual([...all.lines]);
  expect(linesOf(drawn(all, 99))).toEqual([...all.lines]);
  expect(exampleCount(notDrawn(all, 9))).toBe(0);
});
