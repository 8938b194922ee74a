// An MLP with a ReLU that is trained alone: the same steps as PyTorch's, and what they are for.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { MlpData } from "../../src/jobs/compress/mlp-data.ts";
import { swappedLayer } from "../../src/jobs/compress/mlp-fit.ts";
import { BATCH, type MlpParameters, RATE, trainedMlp, WEIGHT } from "../../src/jobs/compress/mlp-steps.ts";
import type { MlpSite } from "../../src/models/index.ts";
import type { PlainModel } from "../../src/prune/index.ts";
import { float32, memoryWeights, randomStream, type Tensor } from "../../src/tensor/index.ts";
import { backends } from "../support/backends.ts";
import { describeWithPython, runPython } from "../support/python.ts";

const [WIDTH, NEURONS, TOKENS] = [6, 12, 300];
const folder = mkdtempSync(join(tmpdir(), "deft-mlp-steps-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const random = randomStream(3, "mlp steps");
const normals = (count: number, scale: number) =>
  Float32Array.from({ length: count }, () => Math.fround(scale * random.normal()));

const site = (isGated: boolean): MlpSite => ({
  stack: "encoder",
  layer: 0,
  activation: "mlp.activation",
  sublayer: "mlp",
  into: isGated ? ["wi_0", "wi_1"] : ["wi"],
  out: "wo",
  norm: "norm",
  isPostNorm: false,
  neurons: NEURONS,
});

/** The MLP before: without biases when gated, as a T5's. */
function modelOf({ into, out }: MlpSite): PlainModel {
  const tensors = new Map<string, Tensor>();
  for (const path of into) tensors.set(`${path}.weight`, float32([NEURONS, WIDTH], normals(NEURONS * WIDTH, 0.5)));
  tensors.set(`${out}.weight`, float32([WIDTH, NEURONS], normals(WIDTH * NEURONS, 0.3)));
  if (into.length === 1) {
    tensors.set(`${into[0]}.bias`, float32([NEURONS], normals(NEURONS, 0.2)));
    tensors.set(`${out}.bias`, float32([WIDTH], normals(WIDTH, 0.2)));
  }
  return { config: {}, weights: memoryWeights(tensors) };
}

const start = (): MlpParameters => ({
  into: normals(NEURONS * WIDTH, 0.5),
  intoBias: normals(NEURONS, 0.2),
  out: normals(WIDTH * NEURONS, 0.3),
  outBias: normals(WIDTH, 0.2),
});

/** Something no linear layer gives. */
function curved(tokens: number): MlpData {
  const inputs = normals(tokens * WIDTH, 1);
  const targets = inputs.map((value, i) => Math.tanh(2 * value) * (inputs[(i + 1) % inputs.length]! > 0 ? 1 : 0.2));
  return { tokens, inputs, targets };
}

const rowsOf = (values: Float32Array, width: number) =>
  Array.from({ length: values.length / width }, (_, i) => [...values.subarray(i * width, (i + 1) * width)]);

describeWithPython("PyTorch", (python) => {
  describe.each(backends.map((backend) => [backend.name, backend] as const))("and %s", (name, backend) => {
    test.each([
      ["an MLP", false, 0.1],
      ["an MLP that may keep all of its activations", false, 0.99],
      ["a gated MLP", true, 0.1],
    ])("%s takes the same twelve steps", async (_, isGated, density) => {
      const [at, data, from] = [site(isGated), curved(TOKENS), start()];
      const { weights } = modelOf(at);
      const steps = 12;
      const ours = (await trainedMlp(backend, weights, at, data, from, { steps, density }))!;
      const drawn = randomStream(0, "mlp-steps", at.activation);
      const factor = isGated ? ((await weights.get("wi_1.weight")!.read()).data as Float32Array) : null;
      const file = join(folder, `${name}-${isGated}-${density}.json`);
      writeFileSync(
        file,
        JSON.stringify({
          inputs: rowsOf(data.inputs, WIDTH),
          targets: rowsOf(data.targets, WIDTH),
          rows: Array.from({ length: steps }, () => Array.from({ length: BATCH }, () => drawn.integer(TOKENS))),
          start: {
            into: rowsOf(from.into, WIDTH),
            intoBias: [...from.intoBias],
            out: rowsOf(from.out, NEURONS),
            outBias: [...from.outBias],
          },
          factor: factor === null ? null : rowsOf(factor, WIDTH),
          rate: RATE,
          weight: WEIGHT,
          density,
        }),
      );
      const said = await runPython("scripts/golden/mlp_steps.py", [file], { interpreter: python });
      const theirs = JSON.parse(said) as Readonly<Record<keyof MlpParameters, number[] | number[][]>>;
      for (const [part, values] of Object.entries(ours) as [keyof MlpParameters, Float32Array][]) {
        const wanted = theirs[part].flat();
        expect(Math.max(...values.map((value, i) => Math.abs(value - wanted[i]!))), part).toBeLessThan(2e-5);
        // they did move
        expect(Math.max(...values.map((value, i) => Math.abs(value - from[part][i]!))), part).toBeGreaterThan(1e-2);
      }
    });
  });
});

describe.each([false, true])("an MLP that is trained (gated: %s)", (isGated) => {
  const [backend] = backends;

  async function errorOn(data: MlpData, model: PlainModel, at: MlpSite, steps: number) {
    const seen = curved(4000);
    const { plan, active } = await swappedLayer(backend!, model, at, seen, { density: 0.15, steps });
    const numbers = async (name: string) => (await model.weights.get(name)?.read())?.data;
    const into = plan.into ?? (await numbers(`${at.into[0]}.weight`))!;
    const [bias, outBias] = [await numbers(`${at.into[0]}.bias`), await numbers(`${at.out}.bias`)];
    const factor = isGated ? (await numbers(`${at.into[1]}.weight`))! : null;
    let squares = 0;
    for (let t = 0; t < data.tokens; t++) {
      const of = (matrix: ArrayLike<number>, row: number) => {
        let sum = 0;
        for (let d = 0; d < WIDTH; d++) sum += Number(matrix[row * WIDTH + d]) * data.inputs[t * WIDTH + d]!;
        return sum;
      };
      const a = Array.from({ length: NEURONS }, (_, f) => {
        const z = of(into as Float32Array, f) + Number(bias?.[f] ?? 0) - (plan.shift?.[f] ?? 0);
        return Math.max(0, z) * (factor === null ? 1 : of(factor as Float32Array, f));
      });
      for (let d = 0; d < WIDTH; d++) {
        let y = Number(outBias?.[d] ?? 0) + plan.constant![d]!;
        for (let f = 0; f < NEURONS; f++) y += plan.out![d * NEURONS + f]! * a[f]!;
        squares += (y - data.targets[t * WIDTH + d]!) ** 2;
      }
    }
    return { error: squares / data.targets.length, active };
  }

  test("gives more of what it is to give on tokens it has not seen, with as many zeros", async () => {
    const [at, unseen] = [site(isGated), curved(1000)];
    const model = modelOf(at);
    const fitted = await errorOn(unseen, model, at, 0);
    const trained = await errorOn(unseen, model, at, 400);
    expect(trained.error).toBeLessThan(0.9 * fitted.error);
    for (const { active } of [fitted, trained]) {
      expect(active).toBeLessThanOrEqual(0.15);
      expect(active).toBeGreaterThan(0.12);
    }
  });

  test("stays as it was fitted where every token is to be given the same", async () => {
    const at = site(isGated);
    const model = modelOf(at);
    const { inputs, tokens } = curved(400);
    const constant = { tokens, inputs, targets: new Float32Array(tokens * WIDTH).fill(0.5) };
    const of = (steps: number) => swappedLayer(backend!, model, at, constant, { density: 0.15, steps });
    const [fitted, trained] = [await of(0), await of(50)];
    expect(trained.plan.out).toEqual(fitted.plan.out);
    expect(trained.active).toBe(fitted.active);
  });
});
