// Which neurons stay, and what the removed ones leave.
import { describe, expect, test } from "vitest";
import { keepNeurons, neuronImportance, neuronsToKeep } from "./choose.ts";
import { keepColumns, keepRows } from "./matrix.ts";

describe("choosing", () => {
  const site = {
    stack: "encoder",
    layer: 0,
    activation: "l.intermediate",
    sublayer: "l.output",
    into: ["l.in"],
    out: "l.out",
    norm: "l.norm",
    isPostNorm: true,
    neurons: 3,
  } as const;
  const statistics = {
    site: "l.intermediate",
    tokens: 10,
    mean: Float64Array.of(2, 0, 1),
    energy: Float64Array.of(4, 1, 3),
    peak: Float64Array.of(2, 1.5, 4),
  };
  const facts = { site, outWeight: Float32Array.of(1, 2, 3, 4, 5, 6), outBias: Float32Array.of(10, 20), statistics };

  test("importance is the variance of what a neuron gives: a constant one is worth nothing", async () => {
    expect(Array.from(neuronImportance(facts))).toEqual([0, 29, 90]);
    expect(await neuronsToKeep(facts, 2)).toEqual([2, 1]);
  });

  test("the constant is the mean of what was removed; without neurons the bias joins it", async () => {
    expect(await keepNeurons(facts, [1, 2], "mean")).toMatchObject({ kept: [1, 2], constant: [2, 8], threshold: 2 });
    expect(await keepNeurons(facts, [], "mean")).toMatchObject({ kept: [], constant: [10 + 2 + 3, 20 + 8 + 6] });
    expect(await keepNeurons(facts, [], "none")).toMatchObject({ kept: [], constant: [10, 20] });
    expect(await keepNeurons(facts, [0, 1, 2], "mean")).toMatchObject({ kept: null, constant: null });
  });

  test("rows and columns", () => {
    const m = Float32Array.of(1, 2, 3, 4, 5, 6);
    expect(Array.from(keepRows(m, 3, [1]))).toEqual([4, 5, 6]);
    expect(Array.from(keepColumns(m, 3, [0, 2], 2))).toEqual([2, 6, 8, 12]);
  });
});
