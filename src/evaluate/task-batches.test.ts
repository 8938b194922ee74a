// Encoded examples as batches: every example once, padded lengths that repeat, labels where they are asked for.
import { describe, expect, test } from "vitest";
import type { EncodedExamples } from "../data/index.ts";
import { batchOf, scoringBatches, trainingBatches, writtenBatch } from "./task-batches.ts";

/** Examples of these lengths, whose tokens are all the example's number. */
function examplesOf(lengths: readonly number[], labels = lengths.map((_, i) => i % 2)): EncodedExamples {
  return {
    count: lengths.length,
    lengths: Int32Array.from(lengths),
    lines: Int32Array.from(lengths, (_, i) => i + 2),
    labels: Float64Array.from(labels),
    totalTokens: lengths.reduce((sum, length) => sum + length, 0),
    truncatedCount: 0,
    longest: Math.max(...lengths),
    padId: 0,
    maxLength: 20,
    tokens: (index) => Int32Array.from({ length: lengths[index]! }, () => index + 1),
    segmentStart: (index) => lengths[index]!,
  };
}

const HEAD = { kind: "classification", numLabels: 2 } as const;
const LENGTHS = [3, 9, 4, 17, 8, 1, 12];
const SETTINGS = {
  data: { padding: "longest" },
  optim: { batchSize: 3 },
  seed: 5,
} as unknown as Parameters<typeof trainingBatches>[2];

describe("scoring", () => {
  test("meets every example once, the longest first, in lengths that are multiples of eight", () => {
    const batches = [...scoringBatches(examplesOf(LENGTHS), HEAD, "longest", 3)];
    const met = batches.flatMap(({ indices }) => Array.from(indices));
    expect(met.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(LENGTHS[met[0]!]).toBe(17);
    for (const { inputs, indices } of batches) {
      const [rows, width] = inputs.tokenIds!.shape as [number, number];
      expect(rows).toBe(indices.length);
      // 20 tokens are the most: there a multiple of eight would be more
      expect(width === 20 || width % 8 === 0).toBe(true);
    }
  });

  test("pads to the most tokens where that is asked for", () => {
    const [first] = scoringBatches(examplesOf(LENGTHS), HEAD, "max", 7);
    expect(first!.inputs.tokenIds!.shape).toEqual([7, 20]);
  });

  test("stops before the next batch with the signal's reason", () => {
    const stop = new AbortController();
    const batches = scoringBatches(examplesOf(LENGTHS), HEAD, "longest", 2, stop.signal);
    batches.next();
    stop.abort(new Error("enough"));
    expect(() => batches.next()).toThrow("enough");
  });
});

describe("a batch", () => {
  test("feeds ids, mask, segments and labels, and counts attended tokens", () => {
    const { inputs, attendedTokens } = batchOf(examplesOf([2, 3], [1, 0]), [1, 0], HEAD, "longest", true);
    expect(Object.keys(inputs).sort()).toEqual(["attentionMask", "labels", "tokenIds", "typeIds"]);
    expect(Array.from(inputs.tokenIds!.data, Number)).toEqual([2, 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]);
    expect(Array.from(inputs.attentionMask!.data, Number)).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]);
    expect(Array.from(inputs.labels!.data, Number)).toEqual([0, 1]);
    expect(attendedTokens).toBe(5);
  });

  test("is refused without labels where they are needed, and fed zeros where not", () => {
    const examples = examplesOf([2], [Number.NaN]);
    expect(() => batchOf(examples, [0], HEAD, "longest", true)).toThrow();
    expect(Array.from(batchOf(examples, [0], HEAD, "longest", false).inputs.labels!.data, Number)).toEqual([0]);
  });

  test("of written texts has their ids as labels, −100 behind the shorter ones", () => {
    const batch = batchOf(examplesOf([2, 3], [0, 1]), [0, 1], HEAD, "longest", true);
    const { labels } = writtenBatch(batch, [[7, 1], [9]]).inputs;
    expect(labels!.shape).toEqual([2, 2]);
    expect(Array.from(labels!.data, Number)).toEqual([7, 1, 9, -100]);
  });
});

describe("training", () => {
  test("meets every example once an epoch, in another order each, the same for one seed", () => {
    const batches = trainingBatches(examplesOf(LENGTHS), HEAD, SETTINGS);
    expect(batches.batchesPerEpoch).toBe(3);
    const order = (epoch: number) => [0, 1, 2].flatMap((i) => Array.from(batches.epoch(epoch).indices(i)));
    expect(order(0).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(order(1)).not.toEqual(order(0));
    expect(order(1)).toEqual(
      [0, 1, 2].flatMap((i) => Array.from(trainingBatches(examplesOf(LENGTHS), HEAD, SETTINGS).epoch(1).indices(i))),
    );
  });

  test("names the lines of a batch", () => {
    const epoch = trainingBatches(examplesOf([3, 3]), HEAD, SETTINGS).epoch(0);
    expect(epoch.describe(0)).toMatch(/^lines (2, 3|3, 2)$/);
  });
});
