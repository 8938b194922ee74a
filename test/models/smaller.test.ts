// A smaller model of every type of encoder: neurons and a whole MLP gone, with what stands for them, give what masks give; so do zeros in
// their place, as transformers loads them.
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { inferenceGraph } from "../../src/export/index.ts";
import { add, mul, type Value } from "../../src/graph/index.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openCheckpoint } from "../../src/hub/index.ts";
import { anyModel, type EncoderModel, sanitize } from "../../src/models/index.ts";
import type { Hooks, Site } from "../../src/nn/index.ts";
import { applyPlan, type LayerPlan, type PlainModel, padded } from "../../src/prune/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { float32, int64, randomStream } from "../../src/tensor/index.ts";

const FOLDER = "test/golden/encoders/checkpoints";
const FOLDERS = readdirSync(FOLDER).filter((name) => name.endsWith("-gelu"));
const random = randomStream(5, "smaller");

async function logitsOf({ config, weights }: PlainModel, hooks: Hooks = {}): Promise<Float32Array> {
  const model = anyModel(config, undefined, weights) as EncoderModel;
  const head = { kind: "classification", numLabels: 2 } as const;
  const { outputs } = inferenceGraph({ model, head, hooks }, { firstOnly: false });
  const program = await nodeBackend({ threads: 1 }).compile(outputs, { weights });
  const table = (value: (at: number) => number) =>
    int64(
      [2, 9],
      Array.from({ length: 18 }, (_, at) => value(at)),
    );
  const given = await program.run({
    input_ids: table((at) => 4 + ((7 * at) % 40)),
    attention_mask: table((at) => Number(at < 13)),
    token_type_ids: table(() => 0),
  });
  await program.dispose();
  return given["logits"]!.data as Float32Array;
}

/** The same by masks over the whole model. */
function masks(layers: readonly LayerPlan[], sublayers: readonly string[]): Hooks {
  const vector = (of: Value, values: readonly number[]) => of.graph.constant(float32([values.length], values));
  return {
    activation(site: Site, a) {
      const layer = layers.find((one) => one.site === site.path)!;
      const kept = new Set(layer.kept);
      return mul(
        a,
        vector(
          a,
          Array.from({ length: layer.neurons }, (_, f) => Number(kept.has(f))),
        ),
      );
    },
    sublayer(site, _x, h, _norm, kind) {
      if (kind !== "mlp") return h;
      const { kept, constant } = layers[sublayers.indexOf(site.path)]!;
      // of an MLP that is gone, its own bias goes too
      return add(kept!.length === 0 ? mul(h, 0) : h, vector(h, constant!));
    },
  };
}

const gapOf = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

test.each(FOLDERS)("%s", async (name) => {
  const { config, weights: stored } = await openCheckpoint(nodeFiles(), `${FOLDER}/${name}`);
  const model = anyModel(config) as EncoderModel;
  const whole: PlainModel = { config, weights: sanitize(model.config, stored) };
  const { hiddenSize } = model.config;
  const layers = model.mlps.map(
    ({ activation: site, neurons }, i): LayerPlan => ({
      site,
      neurons,
      kept: i === 0 ? Array.from({ length: neurons }, (_, f) => f).filter((f) => f % 3 !== 1) : [],
      gate: 1,
      threshold: null,
      constant: Array.from({ length: hiddenSize }, () => Math.fround(random.normal() / 5)),
    }),
  );
  const wanted = await logitsOf(
    whole,
    masks(
      layers,
      model.mlps.map(({ sublayer }) => sublayer),
    ),
  );
  const smaller = applyPlan(whole, model.mlps, layers);
  expect(gapOf(await logitsOf(smaller), wanted)).toBeLessThan(2e-6);
  expect(gapOf(await logitsOf(whole), wanted)).toBeGreaterThan(1e-2);
  const { mlps } = anyModel(smaller.config, undefined, smaller.weights);
  expect(mlps.map(({ neurons }) => neurons)).toEqual(layers.map(({ kept }) => kept!.length));
  const equal = await padded(smaller, mlps);
  expect(equal).toMatchObject({ isPadded: true, lostBiases: [] });
  expect(gapOf(await logitsOf(equal), wanted)).toBeLessThan(2e-6);
});
