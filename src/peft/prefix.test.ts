import { describe, expect, test } from "vitest";
import { Graph } from "../graph/index.ts";
import { type KeyValue, Scope } from "../nn/index.ts";
import { float32 } from "../tensor/index.ts";
import { foldProjection, prefix } from "./prefix.ts";

const SITE = "encoder.block.0.layer.0.SelfAttention";

function keysAndValues(options: Parameters<typeof prefix>[0], maskShape: readonly (string | number)[]) {
  const graph = new Graph();
  const root = Scope.root(graph);
  const heads = (name: string) => graph.input(name, "float32", ["B", 2, "T", 3]);
  const own = { key: heads("key"), value: heads("value"), mask: graph.input("mask", "float32", maskShape) };
  const given = prefix(options).hooks.keyValue!(root.child(SITE), own) as KeyValue;
  return { given, parameters: root.parameters };
}

describe("prefix", () => {
  test("puts P keys and values before every attention's own, and as many columns before its mask", () => {
    const { given, parameters } = keysAndValues({ virtualTokens: 5 }, ["B", 1, 1, "T"]);
    expect(given.key.shape).toEqual(["B", 2, "T+5", 3]);
    expect(given.value.shape).toEqual(["B", 2, "T+5", 3]);
    expect(given.mask.shape).toEqual(["B", 1, 1, "T+5"]);
    expect(parameters.map(({ name, shape }) => [name, shape])).toEqual([
      [`${SITE}.prefix_key`, [5, 6]],
      [`${SITE}.prefix_value`, [5, 6]],
    ]);
  });

  test("widens a mask with a bias for every head and query", () => {
    const { given } = keysAndValues({ virtualTokens: 2 }, ["B", 2, "S", "T"]);
    expect(given.mask.shape).toEqual(["B", 2, "S", "T+2"]);
  });

  test("with projection, has one small table and MLP for the model and a matrix a site", () => {
    const { parameters } = keysAndValues({ virtualTokens: 5, projection: true, projectionSize: 4 }, ["B", 1, 1, "T"]);
    expect(parameters.map(({ name, shape }) => `${name} ${shape.join("x")}`)).toEqual([
      "prefix_embedding 5x6",
      "prefix_hidden.weight 4x6",
      "prefix_hidden.bias 4",
      `${SITE}.prefix_key.weight 6x4`,
      `${SITE}.prefix_key.bias 6`,
      `${SITE}.prefix_value.weight 6x4`,
      `${SITE}.prefix_value.bias 6`,
    ]);
  });

  test.each([
    [{ virtualTokens: 0 }, "virtualTokens: expected a whole number ≥ 1, got 0"],
    [{ virtualTokens: 2.5 }, "virtualTokens"],
    [{ projection: true, projectionSize: 0 }, "projectionSize: expected a whole number ≥ 1, got 0"],
    [{ projectionSize: 4 }, "projectionSize: expected projection: true"],
  ])("refuses %j", (options, message) => {
    expect(() => prefix(options)).toThrow(message);
  });
});

test("a folded projection is what its MLP gives, and nothing else is left of it", () => {
  const { settings } = prefix({ virtualTokens: 2, projection: true, projectionSize: 1 });
  const bias = float32([3], [1, 2, 3]);
  const tensors = new Map([
    ["prefix_embedding", float32([2, 3], [1, 0, 0, 0, 1, 0])],
    ["prefix_hidden.weight", float32([1, 3], [0.5, -0.25, 9])],
    ["prefix_hidden.bias", float32([1], [0.5])],
    [`${SITE}.prefix_key.weight`, float32([3, 1], [1, 10, 0])],
    [`${SITE}.prefix_key.bias`, bias],
    ["classifier.bias", bias],
  ]);
  const folded = foldProjection(settings, tensors);
  expect(folded.settings).toEqual(prefix({ virtualTokens: 2 }).settings);
  expect([...folded.tensors.keys()]).toEqual([`${SITE}.prefix_key`, "classifier.bias"]);
  const [a, b] = [Math.tanh(1), Math.tanh(0.25)];
  const { shape, data } = folded.tensors.get(`${SITE}.prefix_key`)!;
  expect(shape).toEqual([2, 3]);
  [1 + a, 2 + 10 * a, 3, 1 + b, 2 + 10 * b, 3].forEach((want, i) => {
    expect(data[i]).toBeCloseTo(want, 5);
  });
  const plain = prefix({ virtualTokens: 2 }).settings;
  expect(foldProjection(plain, folded.tensors)).toEqual({ settings: plain, tensors: folded.tensors });
});
