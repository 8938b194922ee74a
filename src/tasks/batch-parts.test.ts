// A batch in parts: every row once and in order, every input cut alike, and counts that add up.
import { describe, expect, test } from "vitest";
import { float32, int64 } from "../tensor/index.ts";
import { partsOf, tokensPerRow } from "./batch-parts.ts";
import { type ModelBatch, stackPositions } from "./model-batch.ts";

const ROWS = 7;
const LENGTH = 4;

function batchOf(answer: number | null): ModelBatch {
  const cells = (width: number, of: (row: number, at: number) => number) =>
    int64(
      [ROWS, width],
      Array.from({ length: ROWS * width }, (_, i) => of(Math.floor(i / width), i % width)),
    );
  const attended = (row: number, at: number) => (at <= row % LENGTH ? 1 : 0);
  const mask = cells(LENGTH, attended);
  return {
    inputs: {
      tokenIds: cells(LENGTH, (row, at) => 10 * row + at),
      attentionMask: mask,
      labels:
        answer === null ? int64([ROWS], [0, 1, 0, 1, 0, 1, 0]) : cells(answer, (row, at) => (at > row ? -100 : row)),
      teacherLogits: float32(
        [ROWS, 2],
        Array.from({ length: 2 * ROWS }, (_, i) => i / 2),
      ),
    },
    indices: [9, 8, 7, 6, 5, 4, 3],
    attendedTokens: (mask.data as BigInt64Array).reduce((sum, bit) => sum + Number(bit), 0),
  };
}

describe.each([null, 3])("a batch with answers of %s tokens", (answer) => {
  const batch = batchOf(answer);
  const width = LENGTH + (answer ?? 0);

  test("has so many tokens a row", () => {
    expect(tokensPerRow(batch)).toBe(width);
  });

  test.each([1, width, 2 * width, 3 * width + 1, 6 * width, 7 * width, 1000])("in parts of %s tokens", (most) => {
    const parts = partsOf(batch, most);
    for (const [name, whole] of Object.entries(batch.inputs)) {
      const pieces = parts.map(({ inputs }) => inputs[name]!);
      expect(pieces.flatMap(({ data }) => Array.from(data as Float32Array))).toEqual(
        Array.from(whole.data as Float32Array),
      );
      for (const { shape } of pieces) expect(shape.slice(1)).toEqual(whole.shape.slice(1));
    }
    expect(parts.flatMap(({ indices }) => Array.from(indices))).toEqual(batch.indices);
    expect(parts.reduce((sum, part) => sum + part.attendedTokens, 0)).toBe(batch.attendedTokens);
    const answered = (part: ModelBatch) => stackPositions(part).decoder?.attendedTokens ?? 0;
    expect(parts.reduce((sum, part) => sum + answered(part), 0)).toBe(answered(batch));
    const rows = parts.map(({ indices }) => indices.length);
    expect(Math.max(...rows) - Math.min(...rows)).toBeLessThanOrEqual(1);
    expect(Math.max(...rows)).toBeLessThanOrEqual(Math.max(1, Math.floor(most / width)));
  });
});
