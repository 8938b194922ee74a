// Which neurons are proven inactive for any input.
import { describe, expect, test } from "vitest";
import { randomStream } from "../../tensor/index.ts";
import { largestPreactivations, provenInactive } from "./proof.ts";

const normals = (count: number, ...key: (string | number)[]) => {
  const random = randomStream(1, ...key);
  return Float32Array.from({ length: count }, () => random.normal());
};

describe("the bound on a pre-activation", () => {
  const [D, F] = [12, 20];
  const bounds = {
    gain: normals(D, "gain"),
    shift: normals(D, "shift"),
    weight: normals(F * D, "w"),
    bias: normals(F, "b"),
  };
  const preactivations = (z: Float64Array) =>
    Array.from({ length: F }, (_, f) =>
      z.reduce(
        (sum, value, d) => sum + bounds.weight[f * D + d]! * (value * bounds.gain[d]! + bounds.shift[d]!),
        bounds.bias[f]!,
      ),
    );
  const normed = (x: Float64Array) => {
    const mean = x.reduce((a, b) => a + b) / D;
    const centred = x.map((value) => value - mean);
    const deviation = Math.sqrt(centred.reduce((a, b) => a + b * b, 0) / D);
    return centred.map((value) => value / deviation);
  };

  test("is passed by no input", () => {
    const peaks = largestPreactivations(bounds);
    for (let i = 0; i < 500; i++)
      for (const [f, value] of preactivations(normed(Float64Array.from(normals(D, "x", i)))).entries())
        expect(value).toBeLessThanOrEqual(peaks[f]! + 1e-9);
  });

  test("is reached by the worst one", () => {
    const peaks = largestPreactivations(bounds);
    for (let f = 0; f < F; f++) {
      const along = Float64Array.from({ length: D }, (_, d) => bounds.weight[f * D + d]! * bounds.gain[d]!);
      expect(preactivations(normed(along))[f]).toBeCloseTo(peaks[f]!, 8);
    }
  });
});

describe("behind an RMS norm, as T5's", () => {
  const [D, F] = [12, 20];
  const bounds = { gain: normals(D, "gain"), shift: null, weight: normals(F * D, "w"), bias: null };
  const along = (f: number) => Float64Array.from({ length: D }, (_, d) => bounds.weight[f * D + d]! * bounds.gain[d]!);
  const preactivation = (x: Float64Array, f: number) => {
    const rms = Math.sqrt(x.reduce((sum, value) => sum + value ** 2, 0) / D);
    return x.reduce((sum, value, d) => sum + (bounds.weight[f * D + d]! * bounds.gain[d]! * value) / rms, 0);
  };

  test("the bound takes no mean away: it is passed by no input, and reached by the worst one", () => {
    const peaks = largestPreactivations(bounds);
    for (let f = 0; f < F; f++) {
      for (let i = 0; i < 50; i++)
        expect(preactivation(Float64Array.from(normals(D, "x", i)), f)).toBeLessThanOrEqual(peaks[f]! + 1e-9);
      expect(preactivation(along(f), f)).toBeCloseTo(peaks[f]!, 8);
    }
  });

  test("only zeros prove a neuron silent: in its rows, where the activation gives 0 for it, or in its column", () => {
    const site = { into: ["wi_0", "wi_1"] } as unknown as Parameters<typeof provenInactive>[0];
    const withZeroRow = (row: number) => ({
      ...bounds,
      weight: bounds.weight.map((w, at) => (at / D >= row && at / D < row + 1 ? 0 : w)),
    });
    const grounds = { bounds: withZeroRow(3), factor: withZeroRow(5) };
    const columns = Float64Array.from({ length: F }, (_, f) => (f === 9 ? 0 : 1));
    const silent = (act: string, gated: boolean) =>
      [
        ...provenInactive(
          gated ? site : { ...site, into: ["wi"] },
          act,
          gated ? grounds : { bounds: grounds.bounds },
          columns,
        ),
      ].flatMap((is, f) => (is === 1 ? [f] : []));
    expect(silent("gelu_new", true)).toEqual([3, 5, 9]);
    expect(silent("sigmoid", true)).toEqual([5, 9]);
    expect(silent("relu", false)).toEqual([3, 9]);
  });

  test("a gated GELU that is small, but not 0, is no proof: its factor may be anything", () => {
    const site = { into: ["wi_0", "wi_1"] } as unknown as Parameters<typeof provenInactive>[0];
    const low = { ...bounds, bias: new Float32Array(F).fill(-100) };
    const columns = new Float64Array(F).fill(1);
    const count = (act: string) =>
      provenInactive(site, act, { bounds: low, factor: bounds }, columns).reduce((a, b) => a + b);
    expect([count("gelu_new"), count("relu")]).toEqual([0, F]);
  });
});
