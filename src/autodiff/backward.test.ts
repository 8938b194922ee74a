import { describe, expect, it } from "vitest";
import { GradientError, ShapeError } from "../errors.ts";
import {
  add,
  cast,
  exp,
  floor,
  Graph,
  gather,
  layerNorm,
  lessEqual,
  matmul,
  mul,
  pow,
  printGraph,
  reachable,
  reduceMean,
  reduceSum,
  relu,
  softmax,
  square,
  stopGradient,
  sub,
  tanh,
  type Value,
  verify,
} from "../graph/index.ts";
import { backward } from "./backward.ts";
import { unbroadcast } from "./unbroadcast.ts";

const ops = (...values: Value[]) => reachable(values).map(({ op }) => op);

describe("backward", () => {
  it("adds nodes only on paths from the targets to the loss", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B", 4]);
    const frozen = graph.parameter("frozen", [4, 4]);
    const trained = graph.parameter("trained", [4, 2], { trainable: true });
    const loss = reduceSum(square(matmul(tanh(matmul(x, frozen)), trained)));
    const before = graph.nodes.length;
    const [gradient] = backward(loss, [trained]);
    const made = graph.nodes.slice(before).map(({ op }) => op);
    // one product for the target; none for x or the frozen weight, no slope of tanh
    expect(made.filter((op) => op === "matmul")).toHaveLength(1);
    expect(ops(gradient!).filter((op) => op === "tanh")).toHaveLength(1);
    expect(gradient!.shape).toEqual([4, 2]);
  });

  it("reads what a mask left of a softmax, and not the mask", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B", 4]);
    const mask = cast(lessEqual(graph.input("words", "float32", ["B", 4]), 0.5), "float32");
    const left = mul(softmax(x), mask);
    const before = graph.nodes.length;
    const [dx] = backward(reduceSum(mul(left, graph.input("w", "float32", ["B", 4]))), [x]);
    const made = reachable([dx!]).filter(({ id }) => id >= before);
    expect(made.some(({ inputs }) => inputs.includes(left))).toBe(true);
    expect(made.some(({ inputs }) => inputs.includes(mask))).toBe(false);
  });

  it("doubles the smaller factor of a square's cotangent", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B", 4]);
    const perRow = mul(reduceMean(square(x), { axes: [1] }), graph.input("w", "float32", ["B"]));
    const before = graph.nodes.length;
    const [dx] = backward(reduceSum(perRow), [x]);
    const whole = reachable([dx!]).filter(({ id, outputs }) => id >= before && outputs[0]!.shape[1] === 4);
    expect(whole.map(({ op }) => op)).toEqual(["mul"]);
  });

  it("leaves a cotangent small until an op needs the whole", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B", 4]);
    const row = graph.input("row", "float32", [4]);
    const loss = reduceMean(mul(exp(mul(x, row)), 3));
    const [dx, dRow] = backward(loss, [x, row]);
    expect([dx!.shape, dRow!.shape]).toEqual([["B", 4], [4]]);
    verify([dx!, dRow!]);
    expect(printGraph({ dx: dx! })).toMatchInlineSnapshot(`
      "a: float32[B, 4] = input(name=x)
      b: float32[4] = input(name=row)
      c: float32[B, 4] = mul(a, b)
      d: float32[B, 4] = exp(c)
      e: float32[] = constant(3)
      f: float32[] = constant(1)
      g: int64[] = dimension(dim=4*B) @ /grad
      h: float32[] = cast(g, to=float32) @ /grad
      i: float32[] = div(f, h) @ /grad
      j: float32[1, 1] = reshape(i, shape=[1, 1]) @ /grad
      k: float32[1, 1] = mul(j, e) @ /grad
      l: float32[B, 4] = mul(k, d) @ /grad
      m: float32[B, 4] = mul(l, b) @ /grad
      return dx = m"
    `);
  });

  it("sums a lazy cotangent over broadcast axes as if it were whole", () => {
    const graph = new Graph();
    const column = graph.input("column", "float32", ["B", 1]);
    const wide = graph.input("wide", "float32", ["B", 4]);
    const [dColumn] = backward(reduceSum(add(column, wide)), [column]);
    // ∂Σ(column + wide)/∂column is 4 for each row, not 1: the cotangent must be repeated before it is summed
    expect(ops(dColumn!)).toContain("reduceSum");
    expect(dColumn!.shape).toEqual(["B", 1]);
  });

  it("meets every path: a value used twice, one reached by two outputs, a target inside the graph", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", [3, 4]);
    const [gamma, beta] = [graph.parameter("gamma", [4]), graph.parameter("beta", [4])];
    const h = tanh(x);
    const { y, mean, invStd } = layerNorm(h, gamma, beta);
    const loss = add(reduceSum(mul(y, h)), add(reduceSum(mean), reduceSum(invStd)));
    const gradients = backward(loss, [x, h, y, loss]);
    verify(gradients);
    expect(gradients.map(({ shape }) => shape)).toEqual([[3, 4], [3, 4], [3, 4], []]);
  });

  it("marks what it makes with the forward site and /grad", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B"]);
    const loss = graph.at("head.activation", () => reduceSum(tanh(x)));
    const before = graph.nodes.length;
    backward(loss, [x]);
    expect(new Set(graph.nodes.slice(before).map(({ site }) => site))).toContain("head.activation/grad");
  });

  it("gives the same nodes when asked again", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B"]);
    const loss = reduceSum(pow(relu(x), 3));
    expect(backward(loss, [x])).toEqual(backward(loss, [x]));
  });

  it("differentiates a gradient again", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", []);
    const [first] = backward(pow(x, 3), [x]);
    const [second] = backward(first!, [x]);
    expect(second!.shape).toEqual([]);
    expect(ops(second!)).not.toContain("expand");
  });

  it("refuses losses that are not one float", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B"]);
    expect(() => graph.at("loss", () => backward(tanh(x), [x]))).toThrow(ShapeError);
    expect(() => backward(tanh(x), [x])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: backward at loss: expected a scalar loss of a float dtype, got float32[B]]`,
    );
    expect(() => backward(cast(reduceSum(x), "int64"), [x])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: backward: expected a scalar loss of a float dtype, got int64[]]`,
    );
  });

  it("names every target the loss does not depend on by a path that gradients take", () => {
    const graph = new Graph();
    const [x, unused] = [graph.input("x", "float32", ["B"]), graph.parameter("unused", [2])];
    const table = graph.parameter("table", [10, 2]);
    const ids = cast(floor(x), "int64");
    const loss = add(reduceSum(gather(table, ids)), reduceSum(stopGradient(sub(unused, 1))));
    expect(() => backward(loss, [table, x, unused])).toThrow(GradientError);
    expect(() => backward(loss, [table, x, unused])).toThrowErrorMatchingInlineSnapshot(
      `[GradientError: backward: expected a loss that depends on every target, got none for x, unused]`,
    );
  });
});

describe("unbroadcast", () => {
  it("sums stretched and added axes, and keeps what is smaller than the shape", () => {
    const graph = new Graph();
    const dy = graph.input("dy", "float32", [5, "B", 4]);
    expect(unbroadcast(dy, [5, "B", 4])).toBe(dy);
    expect(unbroadcast(dy, ["B", 4]).shape).toEqual(["B", 4]);
    expect(unbroadcast(dy, ["B", 1]).shape).toEqual(["B", 1]);
    expect(unbroadcast(dy, []).shape).toEqual([]);
    const row = graph.input("row", "float32", [4]);
    expect(unbroadcast(row, ["B", 4])).toBe(row);
    expect(unbroadcast(graph.input("one", "float32", [1, 4]), ["B", 4]).shape).toEqual([1, 4]);
  });
});
