// History, progress and results: what is read out of events and evaluations.

import { describe, expect, test } from "vitest";
import { sampleComparison, sampleEvaluation, sampleEvents, sampleRecord } from "../../test/support/records.ts";
import { DataError } from "../errors.ts";
import { effectiveEvents, parseEvents } from "../runs/index.ts";
import type { TrainEvent } from "../train/index.ts";
import { pairedComparisons } from "./pairing.ts";
import {
  advance,
  bar,
  eventLines,
  NO_PROGRESS,
  progressLine,
  progressRegion,
  stepRate,
  timeLeftMs,
} from "./progress.ts";
import { comparisonJson, evaluationJson, trainerResults } from "./results.ts";

const events = sampleEvents();
const lines = (list: readonly TrainEvent[]) => list.map((event) => JSON.stringify(event)).join("\n");

describe("parseEvents", () => {
  test("reads lines back; a torn last one is dropped", () => {
    expect(parseEvents("e", `${lines(events)}\n`)).toEqual(events);
    expect(parseEvents("e", `${lines(events.slice(0, 3))}\n{"type":"st`)).toEqual(events.slice(0, 3));
    expect(parseEvents("e", "")).toEqual([]);
  });

  test("a damaged line in the middle is an error that names it", () => {
    expect(() => parseEvents("events.jsonl", `${lines(events.slice(0, 1))}\nnonsense\n{}\n`)).toThrow(DataError);
    expect(() => parseEvents("events.jsonl", "nonsense\n\n")).toThrow("events.jsonl:1: expected one training event");
  });
});

test("a resume takes back what was done beyond its checkpoint", () => {
  const [start] = sampleEvents();
  const resume = { ...start, fromStep: 150 } as TrainEvent;
  const again = sampleEvents().filter((event) => event.type === "step" && event.step > 150 && event.step <= 160);
  const steps = effectiveEvents([...events.slice(0, 180), resume, ...again]).flatMap((e) =>
    e.type === "step" ? [e.step] : [],
  );
  expect(steps).toEqual(Array.from({ length: 160 }, (_, i) => i + 1));
});

describe("progress", () => {
  const stateAfter = (count: number) => events.slice(0, count).reduce(advance, NO_PROGRESS);

  test("rate and time left come from the times of events", () => {
    expect(stepRate(stateAfter(1))).toBeNull();
    expect(stepRate(stateAfter(80))).toBeCloseTo(1000 / 120, 6);
    expect(timeLeftMs(stateAfter(101))).toBeCloseTo(300 * 120, 6);
  });

  test("one plain line, and a region no wider than asked", () => {
    expect(progressLine(NO_PROGRESS)).toBe("starting");
    const asked = { type: "teacher", time: 0, teacher: "runs/large", done: 1200, examples: 24000 } as const;
    const asking = advance(NO_PROGRESS, asked);
    expect(progressLine(asking)).toBe("asking the teacher runs/large  1,200/24,000 examples");
    expect(progressRegion(asking, 100)).toBe(progressLine(asking));
    expect(progressLine(stateAfter(101))).toMatchInlineSnapshot(
      `"step 100/400  25 %  8.3 steps/s  loss 0.435  density loss 0.601  left 0:36"`,
    );
    expect(progressRegion(stateAfter(101), 100)).toMatchInlineSnapshot(
      `"━━━━━━━─────────────────────  100/400  25 %  8.3 steps/s  loss 0.435  density loss 0.601  left 0:36"`,
    );
    expect(progressRegion(stateAfter(101), 40)).not.toContain("━");
    expect([0, 0.5, 1].map((share) => bar(share, 4))).toEqual(["────", "━━──", "━━━━"]);
  });

  test("evaluations, warnings and the end leave a line; steps do not", () => {
    const warning = { type: "warning", time: 0, step: 7, code: "collapse", message: "at chance" } as const;
    const kinds = ["eval", "end"].map((type) => events.find((event) => event.type === type)!);
    expect([...kinds, warning].flatMap(eventLines)).toMatchInlineSnapshot(`
      [
        "eval at step 100  Accuracy 85.25 %  loss 0.350  density 53.3 % (|a| > 0.01)  4.2 s  best so far",
        "done after 400 steps in 48.0 s; best Accuracy 89.00 % at step 400",
        "warning at step 7: at chance",
      ]
    `);
    expect(eventLines(events[1]!)).toEqual([]);
  });
});

describe("results as JSON", () => {
  test("eval --json has the contract's keys, and null for what is not a number", () => {
    const json = JSON.parse(
      JSON.stringify(evaluationJson({ ...sampleEvaluation(0.91, 0.5), metrics: { f1: Number.NaN } })),
    );
    expect(Object.keys(json)).toEqual(["task", "split", "examples", "loss", "metrics", "density", "timing"]);
    expect(json.metrics).toEqual({ f1: null });
    expect(Object.keys(json.density)).toEqual(["encoder", "layers"]);
    expect(Object.keys(json.density.encoder)).toEqual([
      "paper",
      "exact",
      "thresholds",
      "deadNeurons",
      "rareNeurons",
      "neurons",
    ]);
    expect(json.density.layers[2]).toMatchObject({
      stack: "encoder",
      layer: 2,
      site: "bert.encoder.layer.2.intermediate",
    });
  });

  test("compare --json has rows of two evaluations and their changes", () => {
    const json = JSON.parse(JSON.stringify(comparisonJson(sampleComparison())));
    expect(json.rows).toHaveLength(6);
    expect(json.rows[0]).toMatchObject({ method: "lora", seed: 1, peft: { task: "sst2" }, deft: { split: "dev" } });
    expect(json.rows[0].densityChange.encoder).toBeCloseTo((0.62 - 0.29) / 0.62, 12);
    expect(json.rows[0].scoreChange).toBeCloseTo(0.892 - 0.895, 12);
  });

  test("result files have the Trainer's keys", () => {
    const files = trainerResults(events, sampleEvaluation(0.91, 0.5));
    expect(files["all_results.json"]).toEqual({
      ...Object(files["train_results.json"]),
      ...Object(files["eval_results.json"]),
    });
    expect(files["eval_results.json"]).toMatchObject({
      eval_accuracy: 0.91,
      eval_samples: 872,
      eval_density: 0.5,
      eval_runtime: 4.15,
    });
    expect(Object(files["eval_results.json"])).toHaveProperty("eval_density_layer_5");
    expect(files["train_results.json"]).toMatchObject({
      epoch: 2,
      train_steps_per_second: 400 / 48,
      train_samples: 6400,
    });
    expect(trainerResults([], null)["all_results.json"]).toEqual({});
  });
});

test("runs that differ only in the density loss are a pair", () => {
  const result = sampleEvaluation(0.9, 0.5);
  const peft = sampleRecord({ "density-weight": 0, output: "a" }, result);
  const deft = sampleRecord({ output: "b" }, sampleEvaluation(0.89, 0.25));
  const other = sampleRecord({ seed: 7 }, result);
  const [comparison, ...others] = pairedComparisons([peft, deft, other]);
  expect(comparison?.rows.map((row) => row.densityChange.encoder)).toEqual([0.5]);
  expect(others).toEqual([]);
  expect(pairedComparisons([deft, other])).toEqual([]);
  expect(pairedComparisons([peft, { ...deft, fingerprints: { train: "x" } }])).toEqual([]);
});

test("runs of different models, tasks or data have no mean with one another", () => {
  const pair = (flags: Readonly<Record<string, unknown>>, fingerprints: Readonly<Record<string, string>>) =>
    [0, 1].map((weight) => ({
      ...sampleRecord({ "density-weight": weight, ...flags }, sampleEvaluation(0.9, weight === 0 ? 0.5 : 0.25)),
      fingerprints,
    }));
  const records = [
    ...pair({}, { base: "a", data: "x" }),
    ...pair({ seed: 7 }, { base: "a", data: "x" }),
    ...pair({ task: "rte" }, { base: "a", data: "y" }),
    ...pair({ model: "other" }, { base: "b", data: "x" }),
  ];
  expect(
    pairedComparisons(records).map(({ task, model, rows }) => [task, model, rows.map(({ seed }) => seed)]),
  ).toEqual([
    ["sst2", "sentence-transformers/all-MiniLM-L6-v2", [42, 7]],
    ["rte", "sentence-transformers/all-MiniLM-L6-v2", [42]],
    ["sst2", "other", [42]],
  ]);
});

test("rows of one method that differ in more than the seed are told apart by what differs", () => {
  const result = sampleEvaluation(0.9, 0.5);
  const records = [
    sampleRecord({ "density-weight": 0 }, result),
    sampleRecord({ "density-weight": 1 }, result),
    sampleRecord({ "density-weight": 2 }, result),
    sampleRecord({ "density-weight": 0, method: "adapter" }, result),
    sampleRecord({ "density-weight": 1, method: "adapter" }, result),
  ];
  expect(pairedComparisons(records).flatMap(({ rows }) => rows.map(({ method }) => method))).toEqual([
    "lora, density-weight 1",
    "lora, density-weight 2",
    "adapter",
  ]);
});
