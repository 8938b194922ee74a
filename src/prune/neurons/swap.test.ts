// The fit of another activation, held to least squares worked out otherwise; two plans as one, held to one applied after the other.
import { describe, expect, test } from "vitest";
import { encoderModel, t5Model } from "../../models/index.ts";
import { headOnly } from "../../peft/index.ts";
import { buildTaskGraph } from "../../tasks/index.ts";
import { float32, memoryWeights, randomStream, type Tensor, type Weights } from "../../tensor/index.ts";
import { applyPlan } from "./apply.ts";
import type { LayerPlan } from "./plan.ts";
import { combinedLayer, fitOutput, type SwapSums } from "./swap.ts";

const [TOKENS, F, D] = [500, 6, 3];
const random = randomStream(5, "swap");
const normals = (count: number) => Float32Array.from({ length: count }, () => random.normal());

/** Sums over tokens of what is read, `[TOKENS, F]`, and of what is to be given, `[TOKENS, D]`. */
function sumsOf(a: Float32Array, y: Float32Array): SwapSums {
  const sums = {
    tokens: TOKENS,
    sum: new Float64Array(F),
    products: new Float64Array(F * F),
    cross: new Float64Array(D * F),
    outSum: new Float64Array(D),
  };
  for (let t = 0; t < TOKENS; t++) {
    for (let f = 0; f < F; f++) {
      sums.sum[f]! += a[t * F + f]!;
      for (let g = 0; g < F; g++) sums.products[f * F + g]! += a[t * F + f]! * a[t * F + g]!;
      for (let d = 0; d < D; d++) sums.cross[d * F + f]! += y[t * D + d]! * a[t * F + f]!;
    }
    for (let d = 0; d < D; d++) sums.outSum[d]! += y[t * D + d]!;
  }
  return sums;
}

const given = (a: Float32Array, out: Float32Array, bias: ArrayLike<number>) =>
  Float32Array.from({ length: TOKENS * D }, (_, at) => {
    const [t, d] = [Math.floor(at / D), at % D];
    let sum = bias[d]!;
    for (let f = 0; f < F; f++) sum += out[d * F + f]! * a[t * F + f]!;
    return sum;
  });

const squared = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + (value - y[i]!) ** 2, 0);

describe("the fit", () => {
  const a = normals(TOKENS * F).map((value) => Math.max(0, value - 0.5));

  test("finds the matrix and the bias where there are such", async () => {
    const [out, bias] = [normals(D * F), normals(D)];
    const found = await fitOutput(sumsOf(a, given(a, out, bias)), out);
    for (const [i, value] of found.out.entries()) expect(value).toBeCloseTo(out[i]!, 5);
    for (const [d, value] of found.bias.entries()) expect(value).toBeCloseTo(bias[d]!, 5);
  });

  test("no change of the matrix or the bias comes nearer, but for the pull towards the old one", async () => {
    const y = normals(TOKENS * D).map((value, at) => value + a[Math.floor(at / D) * F]!);
    const found = await fitOutput(sumsOf(a, y), new Float32Array(D * F));
    const least = squared(given(a, found.out, found.bias), y);
    for (let i = 0; i < D * F; i++)
      for (const step of [-0.05, 0.05]) {
        const out = found.out.slice();
        out[i]! += step;
        expect(squared(given(a, out, found.bias), y)).toBeGreaterThan(least);
      }
    for (const step of [-0.05, 0.05])
      expect(
        squared(
          given(
            a,
            found.out,
            found.bias.map((of) => of + step),
          ),
          y,
        ),
      ).toBeGreaterThan(least);
  });

  test("a neuron that is never active keeps its column", async () => {
    const quiet = a.map((value, at) => (at % F === 2 ? 0 : value));
    const before = normals(D * F);
    const { out, bias } = await fitOutput(sumsOf(quiet, normals(TOKENS * D)), before);
    for (let d = 0; d < D; d++) expect(out[d * F + 2]).toBeCloseTo(before[d * F + 2]!, 5);
    expect([...out, ...bias].every(Number.isFinite)).toBe(true);
    const silent = await fitOutput(sumsOf(new Float32Array(TOKENS * F), normals(TOKENS * D)), before);
    expect(silent.out).toEqual(before);
  });
});

const BERT = {
  model_type: "bert",
  vocab_size: 20,
  hidden_size: 8,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  intermediate_size: 6,
  max_position_embeddings: 16,
  type_vocab_size: 2,
} as const;
const T5 = {
  model_type: "t5",
  vocab_size: 20,
  d_model: 8,
  d_kv: 4,
  d_ff: 6,
  num_layers: 2,
  num_heads: 2,
  feed_forward_proj: "gated-gelu",
} as const;

/** Random weights of a model, by the names of its checkpoint. */
function weightsOf(config: Record<string, unknown>): Weights {
  const model = config["model_type"] === "t5" ? t5Model(config) : encoderModel(config);
  const head = model.writes ? { kind: "language-model" as const } : { kind: "classification" as const, numLabels: 2 };
  const { parameters } = buildTaskGraph({ model, method: headOnly(), head });
  const tensors = parameters.map(({ name, shape }): [string, Tensor] => [
    name,
    float32(shape, normals(shape.reduce((a, b) => a * b, 1))),
  ]);
  return memoryWeights(tensors);
}

describe.each([
  ["BERT", BERT],
  ["T5", T5],
])("two plans of %s as one", (_, config) => {
  const model = config.model_type === "t5" ? t5Model(config) : encoderModel({ ...config });
  const sites = model.mlps;
  const weights = weightsOf(config);
  const plain = { neurons: 6, kept: null, gate: 1, constant: null, threshold: null };
  const constant = () => Array.from(normals(8));
  const first = sites.map(
    ({ activation: site }, i): LayerPlan => ({
      ...plain,
      site,
      out: normals(48),
      constant: constant(),
      ...(i === 1 ? {} : { shift: normals(6) }),
      ...(i === 0 ? {} : { into: normals(48) }),
    }),
  );
  const seconds: readonly Omit<LayerPlan, "site">[] = [
    { ...plain, kept: [0, 2, 5], out: normals(24), constant: constant() },
    { ...plain, kept: [1, 3], gate: 0.5, constant: constant() },
    { ...plain, kept: [], constant: constant() },
    plain,
  ];

  test.each([0, 1, 2, 3])("shifted by %i", async (by) => {
    const second = sites.map(({ activation: site }, i): LayerPlan => ({ ...seconds[(i + by) % 4]!, site }));
    const swapped = applyPlan({ config, weights }, sites, first, "relu");
    const inTurn = applyPlan(swapped, sites, second);
    const atOnce = applyPlan(
      { config, weights },
      sites,
      first.map((layer, i) => combinedLayer(layer, second[i]!)),
      "relu",
    );
    expect(atOnce.config).toEqual(inTurn.config);
    expect([...atOnce.weights.keys()].sort()).toEqual([...inTurn.weights.keys()].sort());
    for (const [name, weight] of inTurn.weights) {
      const [one, other] = [await weight.read(), await atOnce.weights.get(name)!.read()];
      expect(other.shape, name).toEqual(one.shape);
      for (const [i, value] of (one.data as Float32Array).entries()) expect(other.data[i], name).toBeCloseTo(value, 5);
    }
  });
});
