// The arithmetic of compression: proofs, choices, orders, codes.
import { describe, expect, test } from "vitest";
import { parseEncoderConfig, parseT5Config } from "../models/index.ts";
import { randomStream } from "../tensor/index.ts";
import { keepNeurons, neuronImportance, neuronsToKeep } from "./choose.ts";
import { arithmeticOf, textArithmetic } from "./energy.ts";
import { keepColumns, keepRows } from "./matrix.ts";
import { largestPreactivations, provenSilent } from "./proof.ts";
import { INT4_BLOCK, int4Blocks, int8Columns, int8Rows } from "./quantize.ts";
import { levelsOf, orderedPath, placeOf, type Sizes, search, sizeOfShare } from "./search.ts";

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
    const site = { into: ["wi_0", "wi_1"] } as unknown as Parameters<typeof provenSilent>[0];
    const withZeroRow = (row: number) => ({
      ...bounds,
      weight: bounds.weight.map((w, at) => (at / D >= row && at / D < row + 1 ? 0 : w)),
    });
    const grounds = { bounds: withZeroRow(3), factor: withZeroRow(5) };
    const columns = Float64Array.from({ length: F }, (_, f) => (f === 9 ? 0 : 1));
    const silent = (act: string, gated: boolean) =>
      [
        ...provenSilent(
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
    const site = { into: ["wi_0", "wi_1"] } as unknown as Parameters<typeof provenSilent>[0];
    const low = { ...bounds, bias: new Float32Array(F).fill(-100) };
    const columns = new Float64Array(F).fill(1);
    const count = (act: string) =>
      provenSilent(site, act, { bounds: low, factor: bounds }, columns).reduce((a, b) => a + b);
    expect([count("gelu_new"), count("relu")]).toEqual([0, F]);
  });
});

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

  test("importance is the variance of what a neuron gives: a constant one is worth nothing", () => {
    expect(Array.from(neuronImportance(facts))).toEqual([0, 29, 90]);
    expect(neuronsToKeep(facts, 2)).toEqual([2, 1]);
  });

  test("the constant is the mean of what was removed; without neurons the bias joins it", () => {
    expect(keepNeurons(facts, [1, 2], "mean")).toMatchObject({ kept: [1, 2], constant: [2, 8], threshold: 2 });
    expect(keepNeurons(facts, [], "mean")).toMatchObject({ kept: [], constant: [10 + 2 + 3, 20 + 8 + 6] });
    expect(keepNeurons(facts, [], "none")).toMatchObject({ kept: [], constant: [10, 20] });
    expect(keepNeurons(facts, [0, 1, 2], "mean")).toMatchObject({ kept: null, constant: null });
  });

  test("rows and columns", () => {
    const m = Float32Array.of(1, 2, 3, 4, 5, 6);
    expect(Array.from(keepRows(m, 3, [1]))).toEqual([4, 5, 6]);
    expect(Array.from(keepColumns(m, 3, [0, 2], 2))).toEqual([2, 6, 8, 12]);
  });
});

test("a share of a layer is a size that kernels like, and one neuron at least", () => {
  expect([0.3, 0.25, 0.001, 1].map((share) => sizeOfShare(1536, share))).toEqual([464, 384, 16, 1536]);
  expect([0.5, 0.01].map((share) => sizeOfShare(33, share))).toEqual([17, 1]);
});

describe("the search", () => {
  const LEVELS = [
    [4, 2, 0],
    [4, 2, 0],
  ];

  test("takes the cheapest divergence a neuron first, and leaves one MLP", () => {
    const path = orderedPath(LEVELS, [
      [0, 1, 10],
      [0, 3, 4],
    ]);
    expect(path).toEqual([
      [4, 4],
      [2, 4],
      [2, 0],
    ]);
    expect(levelsOf(1536)).toEqual([1536, 1152, 768, 576, 384, 224, 160, 80, 0]);
    expect(levelsOf(10)).toEqual([10, 8, 5, 4, 3, 2, 1, 0]);
  });

  /** A model whose score falls by a hundredth of a point for each neuron gone, layer 1 counting double. */
  const gone = (sizes: Sizes) => 40 - sizes[0]! + 2 * (40 - sizes[1]!);
  const measure = (sizes: Sizes) => {
    const lost = gone(sizes) / 10_000;
    return Promise.resolve({ score: 0.9 - lost, lost });
  };
  const diverge = (sizes: Sizes) => Promise.resolve(gone(sizes) ** 2);
  const run = async (options: Omit<Parameters<typeof search>[0], "diverge">) => {
    const steps = search({ ...options, diverge });
    for (;;) {
      const next = await steps.next();
      if (next.done) return next.value;
    }
  };

  test("stops at the score budget, and no further", async () => {
    const { sizes, met, measured, dense } = await run({
      neurons: [40, 40],
      measure,
      budget: { kind: "score", drop: 0.004 },
    });
    expect(met).toBe(true);
    expect(dense.score - measured.score).toBeLessThanOrEqual(0.004 + 1e-9);
    for (const layer of [0, 1]) {
      const level = levelsOf(40)[levelsOf(40).indexOf(sizes[layer]!) + 1];
      if (level !== undefined) expect(gone(sizes.with(layer, level)) / 10_000).toBeGreaterThan(0.004 + 1e-9);
    }
  });

  test("gives everything back under a budget of nothing", async () => {
    const { sizes } = await run({ neurons: [40, 40], measure, budget: { kind: "score", drop: 0 } });
    expect(sizes).toEqual([40, 40]);
  });

  test("a number of neurons is reached exactly: the move that passes it is made in part", async () => {
    const path = [
      [40, 40],
      [20, 40],
      [20, 10],
    ];
    expect(placeOf(path, 60)).toEqual([20, 40]);
    expect(placeOf(path, 47)).toEqual([20, 27]);
    expect(placeOf(path, 80)).toEqual([40, 40]);
    expect(placeOf(path, 3)).toEqual([20, 10]);
    // where kernels like multiples of 16, the largest below
    expect(placeOf([[1536], [384]], 500)).toEqual([496]);
    let measured = 0;
    const { sizes, met } = await run({
      neurons: [40, 40],
      measure: (of) => measure(of).finally(() => measured++),
      budget: { kind: "neurons", keep: 30 },
    });
    expect(met).toBe(true);
    expect(sizes[0]! + sizes[1]!).toBe(30);
    // a neuron of layer 1 counts double
    expect(sizes[1]).toBeGreaterThan(sizes[0]!);
    expect(measured).toBe(2);
  });

  test("takes no more than the latency budget asks, and says when it is out of reach", async () => {
    const latency = (sizes: Sizes) => Promise.resolve(0.2 + (0.8 * (sizes[0]! + sizes[1]!)) / 80);
    const budget = (ratio: number) => ({ kind: "latency", ratio, latency }) as const;
    const found = await run({ neurons: [40, 40], measure, budget: budget(0.6) });
    expect(found).toMatchObject({ met: true });
    expect(found.latency).toBeLessThanOrEqual(0.6);
    expect(found.latency).toBeGreaterThan(0.45);
    expect(await run({ neurons: [40, 40], measure, budget: budget(0.1) })).toMatchObject({ met: false });
    // the last move is taken back as far as the budget allows, with some time to spare
    expect(found.latency).toBeGreaterThan(0.58 - 0.8 / 80);
    expect(found.latency).toBeLessThanOrEqual(0.97 * 0.6);
  });

  test("under a latency budget a neuron is worth the time that it takes", async () => {
    // layer 1 counts double, but takes no time
    const latency = (sizes: Sizes) => Promise.resolve(0.2 + (0.8 * sizes[0]!) / 40 + 1e-4 * sizes[1]!);
    const options = { neurons: [40, 40], measure, budget: { kind: "latency", ratio: 0.6, latency } } as const;
    const found = await run({ ...options, alike: [[0], [1]] });
    expect(found.met).toBe(true);
    expect(found.sizes[1]).toBe(40);
    // were layer 0 the dearer one, a search that does not know of time would begin with layer 1
    const dearer = (sizes: Sizes) => Promise.resolve((2 * (40 - sizes[0]!) + 40 - sizes[1]!) ** 2);
    const sizesOf = async (alike?: number[][]) => {
      const steps = search({ ...options, diverge: dearer, ...(alike ? { alike } : {}) });
      for (let next = await steps.next(); ; next = await steps.next()) if (next.done) return next.value.sizes;
    };
    expect((await sizesOf([[0], [1]]))[1]).toBe(40);
    expect((await sizesOf())[1]).toBeLessThan(40);
  });

  test("all neurons are found without a measurement of layers", async () => {
    const found = await run({ neurons: [40, 40], measure, budget: { kind: "neurons", keep: 80 } });
    expect(found).toMatchObject({ sizes: [40, 40], met: true });
  });
});

describe("codes", () => {
  const weight = normals(6 * 70, "weight");

  test("int8: within half a step of each output's own scale, in seven bits", () => {
    const { values, scales } = int8Columns(weight, 6);
    for (let o = 0; o < 6; o++)
      for (let i = 0; i < 70; i++)
        expect(Math.abs(values[i * 6 + o]! * scales[o]! - weight[o * 70 + i]!)).toBeLessThanOrEqual(
          scales[o]! / 2 + 1e-6,
        );
    expect(Math.max(...values.map(Math.abs))).toBe(63);
    expect(int8Columns(new Float32Array(4), 2).scales).toEqual(Float32Array.of(1, 1));
  });

  test("int8 rows: within half a step", () => {
    const { values, scales } = int8Rows(weight, 70);
    weight.forEach((w, at) => {
      expect(Math.abs(values[at]! * scales[Math.floor(at / 6)]! - w)).toBeLessThanOrEqual(
        scales[Math.floor(at / 6)]! / 2 + 1e-6,
      );
    });
  });

  test("int4: within half a step, but at the far end of a block, where a whole one is lost", () => {
    const { codes, scales, blocks } = int4Blocks(weight, 6);
    expect(blocks).toBe(3);
    for (let o = 0; o < 6; o++)
      for (let i = 0; i < 70; i++) {
        const at = o * blocks * INT4_BLOCK + i;
        const code = (codes[at >> 1]! >> (4 * (i % 2))) & 15;
        const scale = scales[o * blocks + Math.floor(i / INT4_BLOCK)]!;
        expect(Math.abs((code - 8) * scale - weight[o * 70 + i]!)).toBeLessThanOrEqual(Math.abs(scale) + 1e-6);
      }
    expect(int4Blocks(new Float32Array(32), 1).codes.every((byte) => byte === 0x88)).toBe(true);
  });
});

test("arithmetic of BERT's base shape, and what zeros leave of it", () => {
  const config = parseEncoderConfig({
    model_type: "bert",
    vocab_size: 30522,
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    intermediate_size: 3072,
    max_position_embeddings: 512,
  });
  const dense = arithmeticOf(config, { length: 128, precision: "fp32" });
  // 85 M parameters in the layers, and the two products of attention
  expect(dense.macs).toBe(12 * (4 * 768 ** 2 + 2 * 768 * 3072 + 2 * 128 * 768));
  expect(dense.macsWithoutZeros).toBe(dense.macs);
  const sparse = arithmeticOf(config, { length: 128, precision: "fp32", density: Array(12).fill(0) });
  expect(dense.macs - sparse.macsWithoutZeros).toBe(12 * 768 * 3072);
  expect(sparse.energyWithoutZeros).toBeLessThan(dense.energy);
  expect(arithmeticOf({ ...config, mlpSizes: Array(12).fill(0) }, { length: 128, precision: "int8" }).macs).toBe(
    12 * (4 * 768 ** 2 + 2 * 128 * 768),
  );
});

describe("the arithmetic of a model that writes", () => {
  const [D, A, F, V] = [512, 384, 1024, 32128];
  const config = parseT5Config({
    model_type: "t5",
    vocab_size: V,
    d_model: D,
    d_kv: 64,
    num_heads: 6,
    d_ff: F,
    num_layers: 8,
    feed_forward_proj: "gated-gelu",
  });
  const options = { length: 20, newTokens: 10, precision: "fp32" } as const;

  test("counts products with matrices, with keys, and the head for each token", () => {
    const { encode, decode, generate } = textArithmetic(config, options);
    expect(encode.macs).toBe(8 * (4 * D * A + 3 * D * F + 2 * 20 * A));
    // its own keys are half of the text in the mean; those of what was read are all of it
    expect(decode.macs).toBe(8 * (6 * D * A + 3 * D * F + 2 * 5.5 * A + 2 * 20 * A) + V * D);
    expect(generate.macs).toBeCloseTo((20 * encode.macs + 8 * 2 * D * A * 20 + 10 * decode.macs) / 10, 0);
    expect(generate.energy).toBeGreaterThan(decode.energy);
  });

  test("zeros spare the last matrix and, when gated, the factor's", () => {
    const density = { encoder: Array(8).fill(0) as number[], decoder: Array(8).fill(0.25) as number[] };
    const { encode, decode } = textArithmetic(config, { ...options, density });
    expect(encode.macs - encode.macsWithoutZeros).toBe(8 * 2 * D * F);
    expect(decode.macs - decode.macsWithoutZeros).toBe(8 * 1.5 * D * F);
    expect(decode.energyWithoutZeros).toBeLessThan(decode.energy);
    const { decode: ungated } = textArithmetic({ ...config, isGated: false }, { ...options, density });
    expect(ungated.macs - ungated.macsWithoutZeros).toBe(8 * 0.75 * D * F);
  });

  test("a written token fetches every weight anew", () => {
    const { decode } = textArithmetic(config, options);
    const weights = 8 * (6 * D * A + 3 * D * F) + V * D;
    expect(decode.energy).toBeCloseTo((decode.macs * 4.6 + weights * 4 * 160) / 1e6, 6);
    const cut = textArithmetic({ ...config, mlpSizes: Array(16).fill(0) as number[] }, options).decode;
    expect(decode.macs - cut.macs).toBe(8 * 3 * D * F);
  });
});
