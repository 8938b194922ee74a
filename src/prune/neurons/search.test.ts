// The search for sizes under a budget.
import { describe, expect, test } from "vitest";
import { candidateSizes, orderedPath, type Sizes, search, sizeAtBudget, sizeOfShare } from "./search.ts";

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
    expect(candidateSizes(1536)).toEqual([1536, 1152, 768, 576, 384, 224, 160, 80, 0]);
    expect(candidateSizes(10)).toEqual([10, 8, 5, 4, 3, 2, 1, 0]);
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
      const level = candidateSizes(40)[candidateSizes(40).indexOf(sizes[layer]!) + 1];
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
    expect(sizeAtBudget(path, 60)).toEqual([20, 40]);
    expect(sizeAtBudget(path, 47)).toEqual([20, 27]);
    expect(sizeAtBudget(path, 80)).toEqual([40, 40]);
    expect(sizeAtBudget(path, 3)).toEqual([20, 10]);
    // where kernels like multiples of 16, the largest below
    expect(sizeAtBudget([[1536], [384]], 500)).toEqual([496]);
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
