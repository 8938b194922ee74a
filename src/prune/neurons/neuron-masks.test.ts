import { describe, expect, test } from "vitest";
import { columnEnergies, removeLowest, rowEnergies, weightedColumns } from "./neuron-masks.ts";

const layer = (...scores: readonly number[]) => ({
  scores: Float64Array.from(scores),
  mask: new Float32Array(scores.length).fill(1),
});
const masks = (...layers: readonly ReturnType<typeof layer>[]) => layers.map(({ mask }) => Array.from(mask));

describe("removeLowest", () => {
  test("leaves each layer its share of the best", () => {
    const layers = [layer(1, 4, 3, 2), layer(40, 10, 20, 30)];
    removeLowest(layers, 0.5, "layer");
    expect(masks(...layers)).toEqual([
      [0, 1, 1, 0],
      [1, 0, 0, 1],
    ]);
  });

  test("or all layers together theirs, the last neuron of a layer spared", () => {
    const layers = [layer(1, 4, 3, 2), layer(40, 10, 20, 30)];
    removeLowest(layers, 0.5, "global");
    expect(masks(...layers)).toEqual([
      [0, 1, 0, 0],
      [1, 0, 1, 1],
    ]);
  });

  test("keeps off what is off, whatever its score becomes", () => {
    const one = layer(1, 2, 3, 4);
    removeLowest([one], 0.75, "layer");
    one.scores[0] = 100;
    removeLowest([one], 0.75, "layer");
    expect(masks(one)).toEqual([[0, 1, 1, 1]]);
    removeLowest([one], 0.25, "global");
    expect(masks(one)).toEqual([[0, 0, 0, 1]]);
  });

  test("equal scores go from the back, and a share of nothing leaves one", () => {
    const one = layer(0, 0, 0);
    removeLowest([one], 0.67, "layer");
    expect(masks(one)).toEqual([[1, 1, 0]]);
    removeLowest([one], 1e-9, "layer");
    expect(masks(one)).toEqual([[1, 0, 0]]);
  });
});

test("energies of columns and rows, and columns weighted", () => {
  const weight = Float32Array.of(1, 2, 3, 4, 5, 6);
  expect(Array.from(columnEnergies(weight, 3))).toEqual([17, 29, 45]);
  expect(Array.from(rowEnergies(weight, 2))).toEqual([14, 77]);
  expect(Array.from(weightedColumns(weight, Float64Array.of(1, 0, -1)))).toEqual([-2, -2]);
});
