import { expect, test } from "vitest";
import type { MlpSite } from "../../models/index.ts";
import { float32, memoryWeights, type Tensor } from "../../tensor/index.ts";
import { compensationBiasName, maskName, meanName } from "./neuron-masks.ts";
import { NeuronRemoval } from "./removal.ts";

const SITE: MlpSite = {
  stack: "encoder",
  layer: 0,
  activation: "intermediate",
  sublayer: "output",
  into: ["intermediate.dense"],
  out: "output.dense",
  norm: "norm",
  isPostNorm: true,
  neurons: 3,
};
// two outputs, three neurons: columns (1, 0), (0, 2), (3, 1)
const WEIGHTS = memoryWeights(new Map([["output.dense.weight", float32([2, 3], [1, 0, 3, 0, 2, 1])]]));

function started(keep: number): { removal: NeuronRemoval; parameters: Map<string, Tensor> } {
  const removal = new NeuronRemoval({
    keep,
    startStep: 0,
    endStep: 2,
    interval: 1,
    scope: "layer",
    sites: [SITE],
    weights: WEIGHTS,
    method: { kind: "head" },
  });
  const parameters = new Map([
    [maskName("intermediate"), float32([3], [1, 1, 1])],
    [compensationBiasName("output"), float32([2], [0, 0])],
  ]);
  return { removal, parameters };
}
const noted = (energies: readonly number[], means: readonly number[]) =>
  new Map([
    ["intermediate", Float32Array.from(energies)],
    [meanName("intermediate"), Float32Array.from(means)],
  ]);
const values = (parameters: Map<string, Tensor>, name: string) =>
  Array.from(parameters.get(name)!.data as Float32Array);

test("what neurons gave on average when they went stays, each once", async () => {
  const { removal, parameters } = started(1 / 3);
  // scores 1 · 1, 2 · 4, 9 · 10: the first goes at once, the second at the end
  await removal.note(1, noted([1, 2, 9], [-0.5, 0.25, 1]), async () => parameters);
  expect(values(parameters, maskName("intermediate"))).toEqual([0, 0, 1]);
  expect(values(parameters, compensationBiasName("output"))).toEqual([-0.5, 0.5]);
  await removal.note(2, noted([0, 0, 9], [0, 0, 1]), async () => parameters);
  expect(values(parameters, compensationBiasName("output"))).toEqual([-0.5, 0.5]);
});

test("the mean is that of the running memory, not of one step", async () => {
  const { removal, parameters } = started(2 / 3);
  await removal.note(0, noted([1, 2, 9], [1, 0, 0]), async () => parameters);
  await removal.note(2, noted([1, 2, 9], [0, 0, 0]), async () => parameters);
  expect(values(parameters, maskName("intermediate"))).toEqual([0, 1, 1]);
  expect(values(parameters, compensationBiasName("output"))[0]).toBeCloseTo(0.98, 6);
});

test("a model without a shift loses neurons all the same", async () => {
  const { removal, parameters } = started(2 / 3);
  parameters.delete(compensationBiasName("output"));
  await removal.note(2, noted([1, 2, 9], [1, 1, 1]), async () => parameters);
  expect(values(parameters, maskName("intermediate"))).toEqual([0, 1, 1]);
});
