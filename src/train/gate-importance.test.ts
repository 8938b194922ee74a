import { describe, expect, test } from "vitest";
import { GateImportance, type GateReading, gatesByMlp } from "./gate-importance.ts";

const SITES = [
  { site: "a", stack: "encoder", width: 2 },
  { site: "b", stack: "encoder", width: 2 },
  { site: "c", stack: "decoder", width: 2 },
] as const;
const reading = (squares: number, sum: readonly number[] = [0, 0], count = 1): GateReading => ({
  squares,
  sum: Float32Array.from(sum),
  count,
});
const readings = (...squares: readonly number[]) =>
  new Map(squares.map((value, i) => [SITES[i]!.site, reading(value)]));

describe("gates read off the gradient", () => {
  test("are a half at first, and where all MLPs matter alike", () => {
    const gates = new GateImportance(SITES);
    expect(gates.gates).toEqual([0.5, 0.5, 0.5]);
    gates.note(1, readings(4, 4, 4));
    for (const gate of gates.gates) expect(gate).toBeCloseTo(0.5, 12);
  });

  test("grow with the square of the sensitivity over the geometric mean, whatever the scale", () => {
    for (const scale of [1, 1e-6]) {
      const gates = new GateImportance(SITES);
      gates.note(1, readings(scale, 4 * scale, 16 * scale));
      // sensitivities 1, 2, 4: their geometric mean is 2
      expect(gates.gates.map((gate) => Number(gate.toFixed(6)))).toEqual([0.2, 0.5, 0.8]);
    }
  });

  test("count later steps more, and survive a silent MLP", () => {
    const gates = new GateImportance(SITES.slice(0, 2));
    gates.note(1, readings(9, 1));
    gates.note(3, readings(0, 1));
    expect(gates.state.sums).toEqual({ a: 3, b: 4 });
    const silent = new GateImportance(SITES);
    silent.note(1, readings(0, 1, 1));
    for (const gate of silent.gates) expect(gate).toBeGreaterThanOrEqual(0);
    expect(silent.gates[0]).toBeLessThan(silent.gates[1]!);
  });

  test("weigh the density loss by stack, one on average", () => {
    const gates = new GateImportance(SITES);
    gates.note(1, readings(1, 4, 16));
    const { layerWeights } = gates.feeds;
    expect(layerWeights["layerWeight.0"]! + layerWeights["layerWeight.1"]!).toBeCloseTo(2, 12);
    expect(layerWeights["layerWeight.1"]! / layerWeights["layerWeight.0"]!).toBeCloseTo(2.5, 6);
    expect(layerWeights["layerWeight.2"]).toBeCloseTo(1, 12);
  });

  test("keep a running mean of what MLPs add, and come back from a checkpoint as they were", () => {
    const gates = new GateImportance(SITES.slice(0, 1));
    expect(gates.feeds.centres["centre.a"]!.data).toEqual(new Float32Array(2));
    gates.note(1, new Map([["a", reading(1, [4, -8], 4)]]));
    gates.note(2, new Map([["a", reading(1, [3, 0], 1)]]));
    expect([...(gates.feeds.centres["centre.a"]!.data as Float32Array)]).toEqual([2, -1]);
    gates.note(3, new Map([["a", reading(1, [0, 0], 0)]]));
    expect([...(gates.feeds.centres["centre.a"]!.data as Float32Array)]).toEqual([2, -1]);
    const again = new GateImportance(SITES.slice(0, 1));
    again.restore(JSON.parse(JSON.stringify(gates.state)) as typeof gates.state, gates.centres);
    expect(again.state).toEqual(gates.state);
    expect(again.feeds).toEqual(gates.feeds);
    expect(gatesByMlp(gates.state)).toEqual({ a: 0.5 });
  });
});
