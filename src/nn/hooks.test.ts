// Middleware at a linear layer: what each hook sees, and in which order several do.
import { expect, test } from "vitest";
import { Graph, mul, printGraph } from "../graph/index.ts";
import { compose, type Hooks } from "./hooks.ts";
import { linear } from "./linear.ts";
import { Scope } from "./scope.ts";

/** The nodes of a layer of two inputs and three outputs under `hooks`. */
function layer(hooks: Hooks) {
  const graph = new Graph();
  const root = Scope.root(graph, { hooks });
  const x = graph.input("x", "float32", ["B", 2]);
  return { x, y: linear(root.child("a.dense"), x, 3), parameters: root.parameters.map(({ name }) => name) };
}

const scaled = (name: string): Hooks => ({
  linearInput: (site, x) => site.at(() => mul(x, site.added(name, [1, 2], { kind: "ones" }))),
});

test("a hook before the layer changes what is multiplied, and the hook behind it sees that", () => {
  const seen: unknown[] = [];
  const after: Hooks = {
    linear(site, x, y) {
      seen.push(site.path, x.node.op, x.shape, y.shape);
      return y;
    },
  };
  const { y, parameters } = layer(compose(after, scaled("first"), scaled("second")));
  expect(parameters).toEqual(["weight", "first", "second", "bias"].map((name) => `a.dense.${name}`));
  expect(seen).toEqual(["a.dense", "mul", ["B", 2], ["B", 3]]);
  const lines = printGraph({ y }).split("\n");
  const nameOf = (parameter: string) =>
    /^(\w+):/.exec(lines.find((line) => line.includes(`a.dense.${parameter}`))!)![1];
  const products = lines.filter((line) => line.includes("= mul("));
  expect(products).toHaveLength(2);
  expect(products[0]).toMatch(new RegExp(`= mul\\(\\w+, ${nameOf("first")}\\)`));
});

test("without such hooks the layer is as it was", () => {
  const plain = layer({});
  const composed = layer(compose());
  expect(printGraph({ y: composed.y })).toBe(printGraph({ y: plain.y }));
});
