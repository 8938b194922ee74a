import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../errors.ts";
import { encoderModel, t5Model } from "../models/index.ts";
import { float32, memoryWeight, memoryWeights, tensor } from "../tensor/index.ts";
import { prunableWeights } from "./weights/layers.ts";
import { globalMagnitudeMasks, magnitudeMask } from "./weights/magnitude.ts";
import { type PrunePattern, parsePruneRecipe, pruneRecipeText } from "./weights/recipe.ts";
import { wandaMask } from "./weights/wanda.ts";
import { maskedWeight, ZeroMask, zeroCount } from "./weights/zero-mask.ts";

const half = { kind: "ratio", ratio: 0.5 } as const;
const twoOfFour = { kind: "n-of-m", kept: 2, of: 4 } as const;
const list = (mask: ZeroMask) => Array.from({ length: mask.size }, (_, i) => (mask.has(i) ? 1 : 0));

/** The first `count` of a stable ascending sort, by the definition. */
function stableSmallest(values: ArrayLike<number>, count: number): number[] {
  const order = Array.from(values, (value, i) => [value, i] as const).sort(([a, i], [b, j]) => a - b || i - j);
  const out = Array.from(values, () => 0);
  for (const [, i] of order.slice(0, count)) out[i] = 1;
  return out;
}

// few distinct magnitudes, so that ties are everywhere
const matrix = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9 })).chain(([rows, columns]) =>
  fc.record({
    rows: fc.constant(rows),
    columns: fc.constant(columns),
    weight: fc.array(fc.constantFrom(-2, -1, -0.5, -0, 0, 0.5, 1, 1e-42), {
      minLength: rows * columns,
      maxLength: rows * columns,
    }),
    norms: fc.array(fc.constantFrom(0, 0.5, 1, 2), { minLength: columns, maxLength: columns }),
    ratio: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
  }),
);

describe("masks", () => {
  test("magnitude takes the smallest of the whole layer, equal ones from the front", () => {
    fc.assert(
      fc.property(matrix, ({ weight, columns, ratio }) => {
        const mask = magnitudeMask(Float32Array.from(weight), columns, { kind: "ratio", ratio });
        const magnitudes = Float32Array.from(weight, Math.abs);
        expect(list(mask)).toEqual(stableSmallest(magnitudes, Math.trunc(weight.length * ratio)));
      }),
    );
  });

  test("Wanda takes the smallest |W|·‖X‖ of each row", () => {
    fc.assert(
      fc.property(matrix, ({ weight, norms, columns, rows, ratio }) => {
        const mask = wandaMask(Float32Array.from(weight), Float32Array.from(norms), { kind: "ratio", ratio });
        const expected = Array.from({ length: rows }, (_, row) =>
          stableSmallest(
            norms.map((norm, i) => Math.fround(Math.abs(Math.fround(weight[row * columns + i]!)) * norm)),
            Math.trunc(columns * ratio),
          ),
        ).flat();
        expect(list(mask)).toEqual(expected);
      }),
    );
  });

  test("all layers together lose exactly the share, those of the first names when magnitudes are equal", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(matrix, { minLength: 1, maxLength: 3 }), async (layers) => {
        const ratio = layers[0]!.ratio;
        const weights = memoryWeights(
          layers.map(({ weight, rows, columns }, i) => [`l${i}`, float32([rows, columns], weight)] as const),
        );
        const masks = await globalMagnitudeMasks(weights, [...weights.keys()], ratio);
        const all = Float32Array.from(layers.flatMap(({ weight }) => weight.map(Math.abs)));
        expect([...masks.values()].flatMap(list)).toEqual(stableSmallest(all, Math.trunc(all.length * ratio)));
      }),
    );
  });

  test("N:M keeps N of each M inputs, of a shorter last group too", () => {
    const weight = Float32Array.of(1, -4, 3, 2, 5, 5, 5, 5, 9, 8, 7);
    expect(list(magnitudeMask(weight, 11, twoOfFour))).toEqual([1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1]);
    const norms = Float32Array.of(9, 1, 1, 1, 1, 1, 1, 2, 1, 1, 9);
    expect(list(wandaMask(weight, norms, twoOfFour))).toEqual([0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]);
  });

  test("lay exact zeros over any dtype, and leave the source alone", async () => {
    const mask = new ZeroMask(3);
    mask.add(1);
    mask.add(1);
    expect(mask.count).toBe(1);
    const source = float32([3], [1, -2, 3]);
    expect(await maskedWeight(memoryWeight(source), mask).read()).toEqual(float32([3], [1, 0, 3]));
    expect(source.data[1]).toBe(-2);
    const halves = mask.applyTo(tensor("float16", [3], Uint16Array.of(0x3c00, 0xbc00, 0x8000)));
    expect(Array.from(halves.data as Uint16Array)).toEqual([0x3c00, 0, 0x8000]);
    expect(zeroCount(halves)).toBe(2);
  });
});

describe("recipes", () => {
  test.each<[string, PrunePattern]>([
    ["wanda:0.5", half],
    ["magnitude:2:4", twoOfFour],
    ["wanda:4:8", { kind: "n-of-m", kept: 4, of: 8 }],
  ])("%s", (text, pattern) => {
    const recipe = parsePruneRecipe(text);
    expect(recipe).toEqual({ criterion: text.split(":")[0], pattern, scope: "layer" });
    expect(pruneRecipeText(recipe)).toBe(text);
  });

  test.each([
    ["wanda", "layer", "--prune"],
    ["wonda:0.5", "layer", "did you mean wanda?"],
    ["wanda:", "layer", "--prune"],
    ["wanda:0", "layer", "--prune"],
    ["wanda:1", "layer", "--prune"],
    ["wanda:50%", "layer", "--prune"],
    ["magnitude:4:2", "layer", "--prune"],
    ["magnitude:0:4", "layer", "--prune"],
    ["magnitude:2:4:8", "layer", "--prune"],
    ["magnitude:1.5:4", "layer", "--prune"],
    ["magnitude:0.5", "model", "--prune-scope: expected layer or global"],
    ["wanda:0.5", "global", "--prune-scope"],
    ["magnitude:2:4", "global", "--prune-scope"],
    ["magnitud:0.5", "all", "--prune-scope"],
  ])("%s over a %s is refused", (text, scope, message) => {
    expect(() => parsePruneRecipe(text, scope)).toThrow(ConfigError);
    expect(() => parsePruneRecipe(text, scope)).toThrow(message);
  });
});

test("the linear layers of blocks are pruned, and nothing else", () => {
  const sizes = { num_hidden_layers: 2, hidden_size: 4, intermediate_size: 8, num_attention_heads: 2, vocab_size: 9 };
  const bert = encoderModel({ model_type: "bert", max_position_embeddings: 8, ...sizes });
  const inBlock = (layer: number, names: readonly string[]) =>
    names.map((name) => ({
      name: `bert.encoder.layer.${layer}.${name}.weight`,
      block: `bert.encoder.layer.${layer}`,
    }));
  const names = [
    "attention.output.dense",
    "attention.self.key",
    "attention.self.query",
    "attention.self.value",
    "intermediate.dense",
    "output.dense",
  ];
  expect(prunableWeights(bert, { has: () => true })).toEqual([...inBlock(0, names), ...inBlock(1, names)]);
  const t5 = t5Model({ model_type: "t5", d_model: 4, d_ff: 8, d_kv: 2, num_heads: 2, num_layers: 1, vocab_size: 9 });
  const of = (stack: string, sites: readonly string[]) =>
    sites.map((site) => ({ name: `${stack}.block.0.layer.${site}.weight`, block: `${stack}.block.0` }));
  const self = ["k", "o", "q", "v"].map((part) => `0.SelfAttention.${part}`);
  const cross = ["k", "o", "q", "v"].map((part) => `1.EncDecAttention.${part}`);
  const mlp = (layer: number) => ["wi", "wo"].map((part) => `${layer}.DenseReluDense.${part}`);
  expect(prunableWeights(t5, { has: () => true })).toEqual([
    ...of("encoder", [...self, ...mlp(1)]),
    ...of("decoder", [...self, ...cross, ...mlp(2)]),
  ]);
  expect(prunableWeights(t5, { has: (name) => name.endsWith(".wi.weight") })).toEqual([
    ...of("encoder", ["1.DenseReluDense.wi"]),
    ...of("decoder", ["2.DenseReluDense.wi"]),
  ]);
});
