// Matrices in few bits: each number as near as its format can say it, zeros exact, and the parts that a layout names.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CheckpointError } from "../errors.ts";
import type { StoredFormat } from "../graph/index.ts";
import { float32 } from "../tensor/index.ts";
import { INT4_BLOCK } from "./integer.ts";
import { partTypes, quantizeMatrix, restoreMatrix } from "./matrix.ts";

const FORMATS = ["int8", "int4", "nf4"] as const satisfies readonly StoredFormat[];
const layoutOf = (format: StoredFormat, shape: readonly [number, number]) => ({
  format,
  shape,
  nested: format === "nf4",
});

function roundTrip(format: StoredFormat, values: readonly number[], shape: readonly [number, number]): number[] {
  const matrix = float32(shape, values);
  return [...(restoreMatrix(layoutOf(format, shape), quantizeMatrix("w", matrix, format)).data as Float32Array)];
}

const largest = (values: readonly number[]) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** The largest error of a format, in shares of the largest number that shares its scale; int4 has no code for the largest with the other sign. */
const LARGEST_ERROR = { int8: 0.5 / 127, int4: 1 / 8, nf4: 0.16 } as const;

describe.each(FORMATS)("%s", (format) => {
  test("restores each number as nearly as its codes can, whatever the matrix", () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 70 }));
    const matrices = sizes.chain(([rows, columns]) =>
      fc
        .array(fc.float({ min: -4, max: 4, noNaN: true }), { minLength: rows * columns, maxLength: rows * columns })
        .map((values) => ({ values: values.map(Math.fround), shape: [rows, columns] as const })),
    );
    fc.assert(
      fc.property(matrices, ({ values, shape }) => {
        const restored = roundTrip(format, values, shape);
        // nested scales are rounded too, by at most a 128th of the spread of all scales
        const most = (LARGEST_ERROR[format] + (format === "nf4" ? 1 / 64 : 1e-6)) * largest(values);
        for (const [i, value] of values.entries())
          expect(Math.abs(restored[i]! - value)).toBeLessThanOrEqual(most + 1e-30);
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  test("keeps zeros exact, rows of zeros too", () => {
    const values = [0, 1, 0, -2, 0, 0, 0, 0];
    const restored = roundTrip(format, values, [2, 4]);
    for (const [i, value] of values.entries()) if (value === 0) expect(Math.abs(restored[i]!)).toBe(0);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("refuses %s, which would spoil its block", (value) => {
    expect(() => quantizeMatrix("w", float32([1, 4], [1, 2, value, 3]), format)).toThrow(CheckpointError);
  });

  test("has the parts, shapes and types of its layout", () => {
    const shape = [3, 40] as const;
    const parts = quantizeMatrix(
      "w",
      float32(
        shape,
        Array.from({ length: 120 }, (_, i) => Math.sin(i)),
      ),
      format,
    );
    const types = partTypes(layoutOf(format, shape));
    expect([...parts.keys()].sort()).toEqual([...types.keys()].sort());
    for (const [part, { dtype, shape: of }] of types) expect(parts.get(part)).toMatchObject({ dtype, shape: of });
  });
});

test("int8 has a scale for each row, so that a large row does not coarsen a small one", () => {
  const [, , a, b] = roundTrip("int8", [1000, -500, 0.001, 0.0005], [2, 2]);
  expect(a).toBeCloseTo(0.001, 6);
  expect(b).toBeCloseTo(0.0005, 5);
});

test("int4 has a scale for each block of a row, the last one shorter", () => {
  const row = [...Array<number>(INT4_BLOCK).fill(100), 0.01, -0.01];
  const restored = roundTrip("int4", row, [1, row.length]);
  expect(restored.slice(-2).map((value) => Math.abs(value))).toEqual([
    expect.closeTo(0.01, 2) as number,
    expect.closeTo(0.01, 2) as number,
  ]);
});
