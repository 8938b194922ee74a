// Layers: the parameters each makes under its site, with their shapes, roles and parts of the model.
import { describe, expect, test } from "vitest";
import { InternalError } from "../errors.ts";
import { Graph, type Value } from "../graph/index.ts";
import { embedding } from "./embedding.ts";
import { linear } from "./linear.ts";
import { layerNorm, rmsNorm } from "./norm.ts";
import { type ModelParameter, Scope } from "./scope.ts";

function built(build: (root: Scope, x: Value, ids: Value) => Value, trains?: (of: ModelParameter) => boolean) {
  const graph = new Graph();
  const root = Scope.root(graph, trains === undefined ? {} : { trains });
  const y = build(root, graph.input("x", "float32", ["B", "S", 4]), graph.input("ids", "int64", ["B", "S"]));
  return { y, parameters: root.parameters };
}

const named = ({ name, shape, role }: { name: string; shape: readonly number[]; role?: string }) => [name, shape, role];

describe("parameters", () => {
  test.each([
    [
      "a linear layer",
      (root: Scope, x: Value) => linear(root.child("a"), x, 3),
      [
        ["a.weight", [3, 4], "linear"],
        ["a.bias", [3], "linear"],
      ],
      ["B", "S", 3],
    ],
    [
      "one without bias",
      (root: Scope, x: Value) => linear(root.child("a"), x, 3, { bias: false }),
      [["a.weight", [3, 4], "linear"]],
      ["B", "S", 3],
    ],
    [
      "a table",
      (root: Scope, _: Value, ids: Value) => embedding(root.child("t"), ids, 9, 4),
      [["t.weight", [9, 4], "table"]],
      ["B", "S", 4],
    ],
    [
      "a layer norm",
      (root: Scope, x: Value) => layerNorm(root.child("n"), x, 1e-5),
      [
        ["n.weight", [4], "norm"],
        ["n.bias", [4], "norm"],
      ],
      ["B", "S", 4],
    ],
    [
      "an RMS norm",
      (root: Scope, x: Value) => rmsNorm(root.child("n"), x, 1e-6),
      [["n.weight", [4], "norm"]],
      ["B", "S", 4],
    ],
  ])("of %s", (_, build, expected, shape) => {
    const { y, parameters } = built(build);
    expect(parameters.map(named)).toEqual(expected);
    expect(y.shape).toEqual(shape);
  });

  test("are frozen unless the method trains them, which is told name, role and part", () => {
    const told: ModelParameter[] = [];
    const { parameters } = built(
      (root, x) => linear(root.head("classifier").child("out"), linear(root.block("h.1", "decoder", 1), x, 4), 2),
      (of) => {
        told.push(of);
        return of.part?.kind === "head";
      },
    );
    expect(told[0]).toEqual({
      name: "h.1.weight",
      role: "linear",
      part: { kind: "block", stack: "decoder", layer: 1, path: "h.1" },
    });
    expect(told.at(-1)!.part).toEqual({ kind: "head", path: "classifier" });
    expect(parameters.map(({ name, trainable }) => [name, trainable])).toEqual([
      ["h.1.weight", false],
      ["h.1.bias", false],
      ["classifier.out.weight", true],
      ["classifier.out.bias", true],
    ]);
  });

  test("added by a method have no role, are trained, and know the part they were added in", () => {
    const { parameters } = built((root, x) => {
      root.block("h.0", "encoder", 0).child("a").added("lora", [2, 2], { kind: "zeros" });
      root.shared("prompt", [5, 4], { kind: "ones" });
      return x;
    });
    expect(parameters).toMatchObject([
      { name: "h.0.a.lora", trainable: true, part: { kind: "block", path: "h.0" }, init: { kind: "zeros" } },
      { name: "prompt", trainable: true, part: null },
    ]);
    expect(parameters.every(({ role }) => role === undefined)).toBe(true);
  });

  test("asked for twice are one, and with another shape are refused", () => {
    const twice = (size: number) =>
      built((root, x) =>
        linear(root.child("a"), linear(root.child("a"), x, 4, { bias: false }), size, { bias: false }),
      );
    expect(twice(4).parameters).toHaveLength(1);
    expect(() => twice(3)).toThrow(InternalError);
  });
});
