import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addDims,
  broadcastShapes,
  canonicalDim,
  type Dim,
  evaluateDim,
  multiplyDims,
  normalizeAxis,
  shapeSize,
  subtractDims,
} from "./dim.ts";

const atom = fc.oneof(fc.integer({ min: -3, max: 5 }), fc.constantFrom<Dim>("B", "S", "N", "hidden_size"));
const dim = fc.letrec<{ dim: Dim }>((tie) => ({
  dim: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    atom,
    fc.tuple(tie("dim"), tie("dim")).map(([a, b]) => addDims(a, b)),
    fc.tuple(tie("dim"), tie("dim")).map(([a, b]) => multiplyDims(a, b)),
  ),
})).dim;
const sizes = fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9), fc.nat(9)).map(
  ([b, s, n, h]) =>
    new Map([
      ["B", b!],
      ["S", s!],
      ["N", n!],
      ["hidden_size", h!],
    ]),
);

describe("sizes", () => {
  it("form a commutative ring, in which equal sizes have equal text", () => {
    fc.assert(
      fc.property(dim, dim, dim, (a, b, c) => {
        expect(addDims(a, b)).toBe(addDims(b, a));
        expect(multiplyDims(a, b)).toBe(multiplyDims(b, a));
        expect(addDims(addDims(a, b), c)).toBe(addDims(a, addDims(b, c)));
        expect(multiplyDims(multiplyDims(a, b), c)).toBe(multiplyDims(a, multiplyDims(b, c)));
        expect(multiplyDims(a, addDims(b, c))).toBe(addDims(multiplyDims(a, b), multiplyDims(a, c)));
        expect(addDims(a, 0)).toBe(a);
        expect(multiplyDims(a, 1)).toBe(a);
        expect(multiplyDims(a, 0)).toBe(0);
        expect(subtractDims(a, a)).toBe(0);
      }),
      { seed: 1 },
    );
  });

  it("evaluate to what their parts evaluate to", () => {
    fc.assert(
      fc.property(dim, dim, sizes, (a, b, bound) => {
        const [x, y] = [evaluateDim(a, bound), evaluateDim(b, bound)];
        expect(evaluateDim(addDims(a, b), bound)).toBe(x + y);
        expect(evaluateDim(multiplyDims(a, b), bound)).toBe(x * y + 0);
        expect(evaluateDim(subtractDims(a, b), bound)).toBe(x - y);
      }),
      { seed: 2 },
    );
  });

  it("print in one form: names sorted, numbers last", () => {
    expect(canonicalDim("S*B")).toBe("B*S");
    expect(canonicalDim("60+S")).toBe("S+60");
    expect(canonicalDim("S+S")).toBe("2*S");
    expect(canonicalDim("7")).toBe(7);
    expect(multiplyDims(addDims("B", 1), addDims("B", -1))).toBe("B*B+-1");
    expect(shapeSize(["B", 4, "S"])).toBe("4*B*S");
  });

  it("broadcast by NumPy's rule, a name with itself or 1", () => {
    expect(broadcastShapes("add", ["B", 1, 4], ["S", 1])).toEqual(["B", "S", 4]);
    expect(broadcastShapes("add", [1], [0])).toEqual([0]);
    expect(() => broadcastShapes("add", ["B"], ["S"], "head")).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: add at head: expected shapes that broadcast, got [B] · [S]]`,
    );
  });

  it("refuse what is no size, no bound name, no axis", () => {
    expect(() => canonicalDim("B S")).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: dim: expected a number or a name such as B or B*S, got B S]`,
    );
    expect(() => canonicalDim(-1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: dim: expected a whole number from 0 up, got -1]`,
    );
    expect(() => canonicalDim(1.5)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: dim: expected a whole number from 0 up, got 1.5]`,
    );
    expect(() => evaluateDim("B*S", new Map([["B", 2]]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: evaluateDim: expected a size for S, got B]`,
    );
    expect(() => normalizeAxis("softmax", -3, 2)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: softmax: expected an axis of a rank-2 value, got -3]`,
    );
  });
});
