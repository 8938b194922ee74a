// The output fitted again, held to least squares worked out otherwise: residuals, conditions, exhaustive search.
import { describe, expect, test } from "vitest";
import { inTurn, randomStream } from "../../tensor/index.ts";
import { choleskyFactor, choleskySolve } from "./cholesky.ts";
import { keepNeurons, neuronsToKeep } from "./choose.ts";
import { keepingOrder, refit } from "./refit.ts";

const [TOKENS, F, D] = [400, 7, 3];

/** What `F` neurons gave on `TOKENS` tokens, `mix` ones of few sources so that they can stand for each other; `[TOKENS, F]`. */
function activations(sources: number): Float64Array {
  const random = randomStream(3, "activations", sources);
  const mix = Float64Array.from({ length: F * sources }, () => random.normal());
  const out = new Float64Array(TOKENS * F);
  for (let t = 0; t < TOKENS; t++) {
    const source = Array.from({ length: sources }, () => random.normal());
    for (let f = 0; f < F; f++)
      out[t * F + f] = 0.5 * f + source.reduce((sum, value, s) => sum + value * mix[f * sources + s]!, 0);
  }
  return out;
}

function factsOf(a: Float64Array) {
  const random = randomStream(4, "weights");
  const outWeight = Float32Array.from({ length: D * F }, () => random.normal());
  const mean = new Float64Array(F);
  const moments = new Float32Array(F * F);
  for (let f = 0; f < F; f++)
    for (let t = 0; t < TOKENS; t++) {
      mean[f]! += a[t * F + f]! / TOKENS;
      for (let g = 0; g < F; g++) moments[f * F + g]! += (a[t * F + f]! * a[t * F + g]!) / TOKENS;
    }
  return { outWeight, mean, moments };
}

/** What is missing of the output at each token, `[TOKENS][D]`. */
async function residuals(a: Float64Array, { outWeight }: ReturnType<typeof factsOf>, kept: readonly number[]) {
  const facts = factsOf(a);
  const { out, constant } = await refit(facts, kept);
  return Array.from({ length: TOKENS }, (_, t) =>
    Array.from({ length: D }, (_d, d) => {
      let missing = -constant[d]!;
      for (let f = 0; f < F; f++) missing += outWeight[d * F + f]! * a[t * F + f]!;
      for (const [i, f] of kept.entries()) missing -= out[d * kept.length + i]! * a[t * F + f]!;
      return missing;
    }),
  );
}

const squares = (rows: readonly (readonly number[])[]) => rows.flat().reduce((sum, value) => sum + value ** 2, 0);

describe("an output fitted again", () => {
  test("gives all that was given where the neurons that stay determine the others", async () => {
    const a = activations(3);
    const facts = factsOf(a);
    const total = squares(await residuals(activations(3), facts, [0]));
    expect(squares(await residuals(a, facts, [1, 2, 4, 5])) / total).toBeLessThan(1e-5);
  });

  test("leaves what no neuron that stays can explain, and nothing on average", async () => {
    const a = activations(F);
    const facts = factsOf(a);
    const kept = [0, 3, 4, 6];
    const missing = await residuals(a, facts, kept);
    for (let d = 0; d < D; d++) {
      expect(missing.reduce((sum, row) => sum + row[d]!, 0) / TOKENS).toBeCloseTo(0, 4);
      for (const f of kept) {
        const correlation = missing.reduce((sum, row, t) => sum + row[d]! * a[t * F + f]!, 0) / TOKENS;
        // the pull towards the old weights is a thousandth
        expect(Math.abs(correlation)).toBeLessThan(2e-2);
      }
    }
  });

  test("is the old one where all neurons stay, and a mean where none does", async () => {
    const facts = factsOf(activations(F));
    const { out, constant } = await refit(facts, [0, 1, 2, 3, 4, 5, 6]);
    for (const [at, value] of out.entries()) expect(value).toBeCloseTo(facts.outWeight[at]!, 4);
    for (const value of constant) expect(value).toBeCloseTo(0, 4);
  });

  test("does not mind neurons that never vary", async () => {
    const a = activations(3);
    for (let t = 0; t < TOKENS; t++) {
      a[t * F + 2] = 5;
      a[t * F + 6] = 0;
    }
    const facts = factsOf(a);
    const total = squares(await residuals(activations(3), facts, [0]));
    expect(squares(await residuals(a, facts, [0, 1, 4])) / total).toBeLessThan(1e-3);
    const order = await keepingOrder(facts, F);
    expect([...order].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(new Set(order.slice(-2))).toEqual(new Set([2, 6]));
  });

  test("goes into a plan, with its constant", async () => {
    const { outWeight, mean, moments } = factsOf(activations(F));
    const site = { activation: "l.intermediate", out: "l.out", neurons: F } as Parameters<
      typeof keepNeurons
    >[0]["site"];
    const statistics = {
      site: site.activation,
      tokens: TOKENS,
      mean,
      energy: new Float64Array(F).map((_, f) => moments[f * F + f]!),
      peak: new Float64Array(F).fill(1),
      moments,
    };
    const facts = { site, outWeight, outBias: new Float32Array(D), statistics };
    const plan = await keepNeurons(facts, [1, 3], "refit");
    const expected = await refit({ outWeight, mean, moments }, [1, 3]);
    expect(plan.out).toEqual(expected.out);
    expect(plan.constant).toEqual(Array.from(expected.constant, Math.fround));
    expect((await keepNeurons(facts, [1, 3], "mean")).out).toBeUndefined();
    expect(await neuronsToKeep(facts, 2)).toEqual(await keepingOrder({ outWeight, mean, moments }, 2));
  });
});

describe("the order in which neurons are kept", () => {
  test("takes the neuron that leaves least, again and again", async () => {
    const a = activations(F);
    const facts = factsOf(a);
    const order = await keepingOrder(facts, F);
    for (let count = 1; count < F; count++) {
      const before = order.slice(0, count - 1);
      const left = async (f: number) => {
        const kept = [...before, f].sort((x, y) => x - y);
        return squares(await residuals(a, facts, kept));
      };
      const others = [...Array(F).keys()].filter((f) => !before.includes(f));
      const least = Math.min(...(await inTurn(others, left)));
      expect(await left(order[count - 1]!)).toBeLessThan(1.001 * least);
    }
  });
});

describe("Cholesky's factor", () => {
  test("solves a system", async () => {
    const n = 5;
    const random = randomStream(9, "system");
    const half = Float64Array.from({ length: n * n }, () => random.normal());
    const matrix = new Float64Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) for (let k = 0; k < n; k++) matrix[i * n + j]! += half[i * n + k]! * half[j * n + k]!;
    const wanted = Float64Array.from({ length: 2 * n }, () => random.normal());
    const rows = new Float64Array(2 * n);
    for (let r = 0; r < 2; r++)
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) rows[r * n + i]! += wanted[r * n + j]! * matrix[i * n + j]!;
    await choleskySolve(await choleskyFactor(matrix, n), n, rows);
    for (const [i, value] of rows.entries()) expect(value).toBeCloseTo(wanted[i]!, 8);
  });

  test("refuses what is not positive definite", async () => {
    await expect(choleskyFactor(Float64Array.of(1, 2, 2, 1), 2)).rejects.toThrow("not positive definite");
  });
});
