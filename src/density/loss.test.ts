import { describe, expect, test } from "vitest";
import { centralDifferences } from "../../test/support/gradcheck.ts";
import { evaluate } from "../../test/support/naive.ts";
import { backward } from "../autodiff/index.ts";
import { Graph } from "../graph/index.ts";
import { densityLoss } from "./loss.ts";

/** Two examples of three positions with a virtual token in front, two neurons; the second example has one token. */
const ACTIVATION = Float64Array.of(9, 9, 1, 0, 0, 0.5, 3, 0.1, 9, 9, 2, 0.2, 7, 7, 7, 7);
const MASK = Float64Array.of(1, 1, 1, 1, 0, 0);
/** Means of a² over the four attended tokens. */
const ENERGIES = [(1 + 0 + 9 + 4) / 4, (0 + 0.25 + 0.01 + 0.04) / 4] as const;
const SIZES = new Map([
  ["B", 2],
  ["S", 3],
]);

function lossOf(options: { loss?: "activations" | "neurons"; positions: "attended" | "all"; counted: number }) {
  const graph = new Graph();
  const activation = graph.input("a", "float32", ["B", "S+1", 2]);
  const attended = { encoder: graph.input("mask", "int64", ["B", "S"]) };
  const loss = densityLoss([{ site: "mlp", stack: "encoder", layer: 0, activation }], {
    ...options,
    epsilon: 0.5,
    attended,
    scale: () => graph.scalar(1 / options.counted),
  });
  const feeds = new Map([
    ["a", { shape: [2, 4, 2], data: ACTIVATION }],
    ["mask", { shape: [2, 3], data: MASK }],
  ]);
  const value = evaluate([loss], feeds, SIZES)[0]!.data[0]!;
  const gradient = evaluate(backward(loss, [activation]), feeds, SIZES)[0]!.data;
  const slopes = centralDifferences(loss, ["a"], feeds, SIZES)[0]!.data;
  return { value, gradient, slopes };
}

const share = (energy: number) => energy / (energy + 0.5);

describe("densityLoss", () => {
  test("of activations: a²/(a² + ε) over attended tokens", () => {
    const wanted = [1, 0, 0, 0.5, 3, 0.1, 2, 0.2].reduce((sum, a) => sum + share(a ** 2), 0) / 8;
    expect(lossOf({ positions: "attended", counted: 4 }).value).toBeCloseTo(wanted, 6);
  });

  test("of neurons: each by its mean square over attended tokens", () => {
    const { value, gradient, slopes } = lossOf({ loss: "neurons", positions: "attended", counted: 4 });
    expect(value).toBeCloseTo((share(ENERGIES[0]) + share(ENERGIES[1])) / 2, 6);
    for (const [i, got] of gradient.entries()) expect(got).toBeCloseTo(slopes[i]!, 5);
    // virtual tokens and padding are not pulled at
    expect([0, 1, 8, 9, 12, 13, 14, 15].map((i) => Math.abs(gradient[i]!))).toEqual(Array(8).fill(0));
  });

  test("of neurons over all positions", () => {
    const { value, gradient, slopes } = lossOf({ loss: "neurons", positions: "all", counted: 8 });
    const energy = (f: number) => ACTIVATION.reduce((sum, a, i) => sum + (i % 2 === f ? a ** 2 : 0), 0) / 8;
    expect(value).toBeCloseTo((share(energy(0)) + share(energy(1))) / 2, 6);
    for (const [i, got] of gradient.entries()) expect(got).toBeCloseTo(slopes[i]!, 5);
  });

  test("of neurons in a micro-batch: weighs as much as its share of the step's counted tokens", () => {
    const whole = lossOf({ loss: "neurons", positions: "attended", counted: 4 }).value;
    expect(lossOf({ loss: "neurons", positions: "attended", counted: 16 }).value).toBeCloseTo(whole / 4, 6);
  });

  test("needs a tap", () => {
    const graph = new Graph();
    const scale = () => graph.scalar(1);
    expect(() => densityLoss([], { epsilon: 1, positions: "all", attended: {}, scale })).toThrow("MLP activations");
  });
});
