// Options of a call on a run or model: what was asked for, over the run's settings, over the task's defaults.
import { describe, expect, test } from "vitest";
import { effectiveOptions, SCORING_BATCH } from "./effective.ts";
import { resolvePartial, resolveSettings } from "./settings.ts";

const run = (flags: Record<string, unknown>) => resolveSettings({ flags: { model: "m", data: "d", ...flags } });
const asked = (flags: Record<string, unknown>) => resolvePartial({ flags });

describe("effectiveOptions", () => {
  test("of a model without a run are defaults, of its task where that is known", () => {
    expect(effectiveOptions(null, {})).toMatchObject({
      task: null,
      data: { path: null, maxLength: 128, padding: "longest", limitEval: null, sourcePrefix: "", textColumn: null },
      answers: { numBeams: 1, nBest: 20 },
      batchSize: SCORING_BATCH,
      seed: 42,
      backend: "cpu",
      threads: null,
      split: null,
      sparseDecoding: false,
      asked: new Set(),
    });
    expect(effectiveOptions(null, asked({ task: "squad" })).data).toMatchObject({
      maxLength: 384,
      maxTargetLength: 30,
    });
    expect(effectiveOptions(null, {}, "seq2seq")).toMatchObject({ task: null, data: { maxLength: 512 } });
  });

  test("of a run are its own, but for its training batch, its columns of training, and its limits of training", () => {
    const settings = run({
      task: "seq2seq",
      "max-length": 64,
      padding: "max",
      "source-prefix": "s: ",
      "num-beams": 3,
      "batch-size": 4,
      "limit-eval": 7,
      seed: 5,
      threads: 2,
    });
    expect(effectiveOptions(settings, {})).toMatchObject({
      task: "seq2seq",
      data: { path: "d", maxLength: 64, padding: "max", sourcePrefix: "s: ", limitEval: 7, maxTargetLength: 128 },
      answers: { numBeams: 3 },
      batchSize: SCORING_BATCH,
      seed: 5,
      threads: 2,
    });
  });

  test("are what was asked for, before all", () => {
    const settings = run({ task: "sst2", "text-column": "t", "max-length": 64, seed: 5 });
    const flags = {
      task: "squad",
      data: "e",
      split: "dev-matched",
      "max-length": 32,
      "batch-size": 3,
      "null-threshold": 1,
      "sparse-decoding": true,
      seed: 0,
      backend: "cuda",
      threads: 1,
    };
    const options = effectiveOptions(settings, asked(flags));
    expect(options).toMatchObject({
      task: "squad",
      data: { path: "e", maxLength: 32, textColumn: "t", maxTargetLength: 30 },
      answers: { nullThreshold: 1 },
      split: "dev_matched",
      batchSize: 3,
      seed: 0,
      backend: "cuda",
      threads: 1,
      sparseDecoding: true,
    });
    expect([...options.asked].sort()).toEqual(Object.keys(flags).sort());
  });

  test("of one task do not take the answers of a run of another", () => {
    const settings = run({ task: "squad", "max-target-length": 9, "n-best": 3 });
    expect(effectiveOptions(settings, {}).data.maxTargetLength).toBe(9);
    const { data } = effectiveOptions(run({ task: "sst2" }), asked({ task: "squad" }));
    expect(data.maxTargetLength).toBe(30);
  });
});
