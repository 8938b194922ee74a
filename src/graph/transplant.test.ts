import { expect, it } from "vitest";
import { Graph } from "./graph.ts";
import { add, exp, mul } from "./ops/elementwise.ts";
import { matmul } from "./ops/matmul.ts";
import { layerNorm } from "./ops/normalize.ts";
import { printGraph } from "./print.ts";
import { transplant } from "./transplant.ts";

it("makes the same nodes again, with their sites, names and kinds of parameter", () => {
  const graph = new Graph();
  const build = (to: Graph) =>
    to.at("layer", () => {
      const x = to.input("x", "float32", ["B", 4]);
      const w = to.parameter("w", [4, 4], { trainable: true });
      return exp(matmul(x, add(w, to.parameter("frozen", [4, 4]))));
    });
  const [copy] = transplant([build(graph)], new Graph());
  expect(printGraph({ y: copy! })).toBe(printGraph({ y: build(new Graph()) }));
});

it("stops where a value is given, and makes nothing behind it", () => {
  const graph = new Graph();
  const hidden = exp(graph.input("x", "float32", ["B", 4]));
  const out = mul(add(hidden, 1), hidden);
  const into = new Graph();
  const given = into.input("kept", "float32", ["B", 4]);
  const [copy] = transplant([out], into, new Map([[hidden, given]]));
  expect(into.nodes.map(({ op }) => op)).toEqual(["input", "constant", "add", "mul"]);
  expect(copy!.node.inputs[1]).toBe(given);
  expect(transplant([hidden], into, new Map([[hidden, given]]))).toEqual([given]);
});

it("makes a node again for the outputs that are not given", () => {
  const graph = new Graph();
  const x = graph.input("x", "float32", ["B", 4]);
  const { y, mean } = layerNorm(x, graph.parameter("g", [4]), graph.parameter("b", [4]), { epsilon: 1e-5 });
  const into = new Graph();
  const given = into.input("kept", "float32", ["B", 4]);
  const [sum] = transplant([add(y, mean)], into, new Map([[y, given]]));
  expect(sum!.node.inputs[0]).toBe(given);
  expect(sum!.node.inputs[1]!.node.op).toBe("layerNorm");
});
