import { describe, expect, it } from "vitest";
import { float32, int64, tensor } from "../tensor/index.ts";
import { Graph } from "./graph.ts";
import { add, constantNumber, exp, mul } from "./ops/elementwise.ts";
import { matmul } from "./ops/matmul.ts";

describe("interning", () => {
  it("gives equal work one node, and unequal work its own", () => {
    const graph = new Graph();
    const [x, y] = [graph.input("x", "float32", ["B"]), graph.input("y", "float32", ["B"])];
    expect(exp(add(x, y))).toBe(exp(add(x, y)));
    expect(add(x, y)).not.toBe(add(y, x));
    expect(add(x, y)).not.toBe(mul(x, y));
    const [a, b] = [graph.input("a", "float32", [2, 2]), graph.input("b", "float32", [2, 2])];
    expect(matmul(a, b, { alpha: 2 })).toBe(matmul(a, b, { alpha: 2 }));
    expect(matmul(a, b, { alpha: 2 })).not.toBe(matmul(a, b, { alpha: 3 }));
    expect(matmul(a, b)).not.toBe(matmul(a, b, { transB: true }));
  });

  it("tells constants apart by dtype, shape and every bit of value", () => {
    const graph = new Graph();
    expect(graph.scalar(1)).toBe(graph.scalar(1));
    expect(graph.scalar(1)).not.toBe(graph.scalar(1, "int64"));
    expect(graph.scalar(0)).not.toBe(graph.scalar(-0));
    expect(graph.constant(float32([1], [1]))).not.toBe(graph.constant(float32([], [1])));
    expect(graph.constant(int64([2], [1, 2]))).toBe(graph.constant(int64([2], [1, 2])));
    // two shapes over one large array were one node once
    const data = new Float32Array(8192);
    const large = graph.constant(tensor("float32", [8192], data));
    expect(graph.constant(tensor("float32", [8192], data))).toBe(large);
    expect(graph.constant(tensor("float32", [2, 4096], data)).shape).toEqual([2, 4096]);
    expect(graph.constant(float32([8192], new Float32Array(8192)))).not.toBe(large);
  });

  it("shares nothing between graphs, and refuses to mix them", () => {
    const [one, other] = [new Graph(), new Graph()];
    const [x, y] = [one.input("x", "float32", []), other.input("y", "float32", [])];
    expect(one.nodes.length).toBe(1);
    expect(() => add(x, y)).toThrowErrorMatchingInlineSnapshot(`
      [GraphError: graph: expected a legal graph, got 1 fault(s)
        add: an input belongs to another graph]
    `);
  });
});

describe("sites", () => {
  it("belong to the node made inside, also after a throw, and stay with the first maker", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", []);
    const y = graph.at("encoder.layer.0", () => graph.at("encoder.layer.0.dense", () => exp(x)));
    expect(y.node.site).toBe("encoder.layer.0.dense");
    expect(() =>
      graph.at("broken", () => {
        throw new Error("stop");
      }),
    ).toThrow("stop");
    expect(graph.site).toBe("");
    expect(graph.at("elsewhere", () => exp(x)).node.site).toBe("encoder.layer.0.dense");
  });
});

describe("declarations", () => {
  it("are one value when alike, sizes compared by meaning", () => {
    const graph = new Graph();
    expect(graph.input("x", "float32", ["S*B"])).toBe(graph.input("x", "float32", ["B*S"]));
    expect(graph.parameter("w", [2, 3])).toBe(graph.parameter("w", [2, 3]));
  });

  it("refuse a second meaning of a name", () => {
    const graph = new Graph();
    graph.at("head", () => graph.parameter("w", [2, 3]));
    expect(() => graph.parameter("w", [3, 2])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: parameter: expected w declared once, or alike, got [2, 3] · [3, 2]]`,
    );
    expect(() => graph.parameter("w", [2, 3], { trainable: true })).toThrow("declared once, or alike");
    expect(() => graph.input("w", "float32", [2, 3])).toThrow("declared once, or alike");
  });
});

describe("scalars", () => {
  it("hold the number in the dtype's own form", () => {
    const graph = new Graph();
    expect(graph.scalar(1, "float16").node.attributes).toMatchObject({ tensor: { data: Uint16Array.of(0x3c00) } });
    expect(constantNumber(graph.scalar(0.5, "float16"))).toBe(0.5);
    expect(constantNumber(graph.scalar(-3, "int64"))).toBe(-3);
    expect(constantNumber(add(graph.scalar(1), graph.scalar(2)))).toBeUndefined();
  });

  it("refuse numbers the dtype would change", () => {
    const graph = new Graph();
    const x = graph.input("x", "int32", []);
    expect(() => mul(x, 0.5)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: constant: expected a number that int32 can hold, got 0.5]`,
    );
    expect(() => graph.scalar(0.5, "int64")).toThrow("a number that int64 can hold");
    expect(() => graph.scalar(-1, "uint32")).toThrow("a number that uint32 can hold");
  });
});
