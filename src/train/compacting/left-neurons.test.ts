import { expect, test } from "vitest";
import type { MlpSite } from "../../models/index.ts";
import { maskName, meanName } from "../../prune/index.ts";
import { float32 } from "../../tensor/index.ts";
import { keptBytes, NeuronSlices, reducedMlps, wholeEnergies } from "./left-neurons.ts";

const siteOf = (name: string): MlpSite => ({
  stack: "encoder",
  layer: 0,
  activation: name,
  sublayer: `${name}_sub`,
  into: [`${name}.first`],
  out: `${name}_out`,
  norm: `${name}_norm`,
  isPostNorm: true,
  neurons: 4,
});
const masks = new Map([
  [maskName("a"), float32([4], [0, 1, 0, 1])],
  [maskName("b"), float32([4], [1, 1, 1, 1])],
]);
const mlps = reducedMlps([siteOf("a"), siteOf("b"), siteOf("c")], masks);

test("only MLPs that neurons have left are smaller", () => {
  expect(mlps.map(({ site, kept, of }) => [site.activation, kept, of])).toEqual([["a", [1, 3], 4]]);
});

test("the neuron axis is the one that differs, rows and columns alike", () => {
  const whole = [
    { name: "a.first.weight", shape: [4, 2] },
    { name: "a_out.weight", shape: [2, 4] },
    { name: "a_out.bias", shape: [2] },
  ];
  const smaller = [
    { name: "a.first.weight", shape: [2, 2] },
    { name: "a_out.weight", shape: [2, 2] },
    { name: "a_out.bias", shape: [2] },
  ];
  const slices = new NeuronSlices(mlps, whole, smaller);
  const numbers = [0, 1, 2, 3, 4, 5, 6, 7];
  const [rows, columns] = [float32([4, 2], numbers), float32([2, 4], numbers)];
  expect(slices.taken("a.first.weight", rows)).toEqual(float32([2, 2], [2, 3, 6, 7]));
  expect(slices.taken("a_out.weight", columns)).toEqual(float32([2, 2], [1, 3, 5, 7]));
  const bias = float32([2], [1, 2]);
  expect(slices.taken("a_out.bias", bias)).toBe(bias);
  slices.put("a_out.weight", columns, float32([2, 2], [-1, -3, -5, -7]));
  expect(columns).toEqual(float32([2, 4], [0, -1, 2, -3, 4, -5, 6, -7]));
});

test("a parameter of no MLP that got smaller is a fault", () => {
  const sizes = (size: number) => [{ name: "b.first.weight", shape: [size, 2] }];
  expect(() => new NeuronSlices(mlps, sizes(4), sizes(2))).toThrow("b.first.weight");
});

test("energies of neurons that left are 0", () => {
  const some = new Map([
    ["a", Float32Array.of(5, 7)],
    [meanName("a"), Float32Array.of(-1, 2)],
    ["b", Float32Array.of(1, 2, 3, 4)],
  ]);
  const whole = wholeEnergies(mlps, some);
  expect(whole.get("a")).toEqual(Float32Array.of(0, 5, 0, 7));
  expect(whole.get(meanName("a"))).toEqual(Float32Array.of(0, -1, 0, 2));
  expect(whole.get("b")).toBe(some.get("b"));
});

test("what is left of matrices is counted in bytes", () => {
  const shapes = [
    { name: "a.first.weight", shape: [4, 8] },
    { name: "b.first.weight", shape: [4, 8] },
  ];
  expect(keptBytes(mlps, shapes)).toBe(64);
});
