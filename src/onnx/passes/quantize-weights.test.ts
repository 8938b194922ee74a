// Matrices as codes of eight and four bits.
import { describe, expect, test } from "vitest";
import { randomStream } from "../../tensor/index.ts";
import { INT4_BLOCK, int4Blocks, int8Columns, int8Rows } from "./quantize-weights.ts";

const normals = (count: number, ...key: (string | number)[]) => {
  const random = randomStream(1, ...key);
  return Float32Array.from({ length: count }, () => random.normal());
};

describe("codes", () => {
  const weight = normals(6 * 70, "weight");

  test("int8: within half a step of each output's own scale, in seven bits", () => {
    const { values, scales } = int8Columns(weight, 6);
    for (let o = 0; o < 6; o++)
      for (let i = 0; i < 70; i++)
        expect(Math.abs(values[i * 6 + o]! * scales[o]! - weight[o * 70 + i]!)).toBeLessThanOrEqual(
          scales[o]! / 2 + 1e-6,
        );
    expect(Math.max(...values.map(Math.abs))).toBe(63);
    expect(int8Columns(new Float32Array(4), 2).scales).toEqual(Float32Array.of(1, 1));
  });

  test("int8 rows: within half a step", () => {
    const { values, scales } = int8Rows(weight, 70);
    weight.forEach((w, at) => {
      expect(Math.abs(values[at]! * scales[Math.floor(at / 6)]! - w)).toBeLessThanOrEqual(
        scales[Math.floor(at / 6)]! / 2 + 1e-6,
      );
    });
  });

  test("int4: within half a step, but at the far end of a block, where a whole one is lost", () => {
    const { codes, scales, blocks } = int4Blocks(weight, 6);
    expect(blocks).toBe(3);
    for (let o = 0; o < 6; o++)
      for (let i = 0; i < 70; i++) {
        const at = o * blocks * INT4_BLOCK + i;
        const code = (codes[at >> 1]! >> (4 * (i % 2))) & 15;
        const scale = scales[o * blocks + Math.floor(i / INT4_BLOCK)]!;
        expect(Math.abs((code - 8) * scale - weight[o * 70 + i]!)).toBeLessThanOrEqual(Math.abs(scale) + 1e-6);
      }
    expect(int4Blocks(new Float32Array(32), 1).codes.every((byte) => byte === 0x88)).toBe(true);
  });
});
