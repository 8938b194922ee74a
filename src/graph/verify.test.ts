import { describe, expect, it } from "vitest";
import type { GraphError } from "../errors.ts";
import { Graph } from "./graph.ts";
import { add, exp } from "./ops/elementwise.ts";
import { nonzero } from "./ops/gather.ts";
import { dimension, expand, iota, pad, slice } from "./ops/movement.ts";
import { reduceSum } from "./ops/reduce.ts";
import type { Node, Value } from "./value.ts";
import { reachable, verify } from "./verify.ts";

function issues(...outputs: Value[]): readonly string[] {
  try {
    verify(outputs);
  } catch (error) {
    return (error as GraphError).issues;
  }
  return [];
}

describe("reachable", () => {
  it("gives what the outputs need, inputs first, and nothing dead", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B"]);
    const y = exp(x);
    const dead = add(y, 1);
    const z = reduceSum(y);
    expect(reachable([z]).map(({ op }) => op)).toEqual(["input", "exp", "reduceSum"]);
    expect(reachable([z])).not.toContain(dead.node);
  });
});

describe("verify", () => {
  it("accepts sizes that an input binds, also inside sums and products", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B", "S"]);
    expect(issues(add(reduceSum(x), reduceSum(expand(graph.scalar(1), ["B*S+1"]))))).toEqual([]);
  });

  it("names sizes that nothing binds, wherever they stand", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", [4, "S+1"]);
    expect(issues(expand(graph.scalar(1), ["B"]))).toEqual(["size B: no input has an axis of exactly this size"]);
    expect(issues(x)).toEqual(["size S: no input has an axis of exactly this size"]);
    expect(issues(dimension(graph, "N"))).toEqual(["size N: no input has an axis of exactly this size"]);
    expect(issues(iota(graph, "N"))).toEqual(["size N: no input has an axis of exactly this size"]);
    expect(issues(slice(graph.input("y", "float32", [4]), 0, "N", 1))).toHaveLength(1);
    expect(issues(reduceSum(pad(graph.input("y", "float32", [4]), 0, "N", 0)))).toHaveLength(1);
  });

  it("accepts a size that the run counts, once it is counted, and none that two count", () => {
    const graph = new Graph();
    const at = nonzero(graph.input("x", "float32", ["B"]));
    expect(issues(at, iota(graph, at.shape[0]!))).toEqual([]);
    expect(issues(iota(graph, at.shape[0]!))).toHaveLength(1);
    expect(nonzero(at.node.inputs[0]!)).toBe(at);
    const named = graph.input("y", "float32", [at.shape[0]!]);
    expect(issues(at, named)).toHaveLength(1);
  });

  it("finds every fault of a graph put together by other means than ops, at once", () => {
    const [graph, other] = [new Graph(), new Graph()];
    const x = graph.input("x", "float32", ["B"]);
    const y = exp(x);
    // an illegal node cannot be made by an op, so one is copied and bent
    const copy = (node: Node, changes: Partial<Node>): Value => {
      const outputs: Value[] = [];
      const made: Node = { ...node, ...changes, outputs };
      outputs.push({ ...node.outputs[0]!, node: made });
      return outputs[0]!;
    };
    const later = copy(y.node, { id: -1, site: "head" });
    const twin = copy(x.node, {});
    expect(issues(later, twin, other.input("x", "float32", ["B"]))).toMatchInlineSnapshot(`
      [
        "outputs of different graphs",
        "exp#-1 at head: reads a later node",
        "input#0: a second x",
        "input#0: a second x",
      ]
    `);
  });
});
