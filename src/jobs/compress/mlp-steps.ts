// One MLP with a ReLU, trained alone towards what it is to give: AdamW on its matrices and biases, with the density loss of its own activations.
import { backward } from "../../autodiff/index.ts";
import { activeSurrogate } from "../../density/index.ts";
import {
  add,
  cast,
  div,
  Graph,
  greater,
  matmul,
  max,
  mul,
  reduceMean,
  reduceSum,
  relu,
  square,
  stopGradient,
  sub,
  type Value,
} from "../../graph/index.ts";
import type { MlpSite } from "../../models/index.ts";
import { adamw, biasCorrections } from "../../optim/index.ts";
import type { Backend, DeviceTensor, Program } from "../../runtime/index.ts";
import { float32, randomStream, scalarOf, type Weights, zeros } from "../../tensor/index.ts";
import type { MlpData } from "./mlp-data.ts";
import { factorOf } from "./mlp-graph.ts";

/** Tokens of one step. */
export const BATCH = 256;
/** The learning rate of the first step, in root mean squares of the matrix that is trained; it falls to 0 in a straight line. */
export const RATE = 0.03;
/** The weight of the density loss: where it begins, what a step changes it by, and its limits. */
export const WEIGHT = { first: 0.02, factor: 1.05, least: 1e-3, most: 10 } as const;

/** What of an MLP is trained: `relu(x intoᵀ + intoBias) outᵀ + outBias`. */
export interface MlpParameters {
  /** `[F, D]` */
  readonly into: Float32Array;
  /** `[F]` */
  readonly intoBias: Float32Array;
  /** `[D, F]` */
  readonly out: Float32Array;
  /** `[D]` */
  readonly outBias: Float32Array;
}
const NAMES = ["into", "intoBias", "out", "outBias"] as const satisfies readonly (keyof MlpParameters)[];

export interface MlpSteps {
  readonly steps: number;
  /** Share of the activations that are to be non-zero. */
  readonly density: number;
}

/**
 * The MLP after `steps` steps, each on tokens drawn at random. A step lowers `E‖y − ŷ‖² / Var(y) + λ E[a² / (a² + ε)]` with ε the squared mean
 * of the activations that are not zero; λ rises by a twentieth where more than the wanted share are not, and falls where fewer are.
 * The tokens drawn depend on the site alone. Null where every token is to be given the same, which a bias does.
 * Errors as `Backend.compile`.
 */
export async function trainedMlp(
  backend: Backend,
  weights: Weights,
  site: MlpSite,
  data: MlpData,
  start: MlpParameters,
  { steps, density }: MlpSteps,
  signal?: AbortSignal,
): Promise<MlpParameters | null> {
  const { tokens } = data;
  const variance = varianceOf(data.targets, tokens);
  if (!(variance > 0)) return null;
  const program = await backend.compile(stepOf(weights, site, data, start), { weights });
  const random = randomStream(0, "mlp-steps", site.activation);
  const scale = 1 / variance;
  let weight: number = WEIGHT.first;
  const memories = [await placed(backend, start), await placed(backend, start)] as const;
  try {
    let [now, next] = memories;
    for (let step = 1; step <= steps; step++) {
      signal?.throwIfAborted();
      const rows = Array.from({ length: Math.min(BATCH, tokens) }, () => random.integer(tokens));
      const { correction1, correction2 } = biasCorrections(step);
      const rate = RATE * (1 - (step - 1) / steps);
      const numbers = { weight, scale, rate, correction1, correction2 };
      const feeds = Object.entries(numbers).map(([name, value]) => [name, float32([], [value])] as const);
      const { active } = await program.run(
        {
          ...Object.fromEntries(feeds),
          ...Object.fromEntries(now),
          x: rowsOf(data.inputs, tokens, rows),
          y: rowsOf(data.targets, tokens, rows),
        },
        Object.fromEntries([...next].map(([name, tensor]) => [`next.${name}`, tensor])),
      );
      const factor = scalarOf(active!) > density ? WEIGHT.factor : 1 / WEIGHT.factor;
      weight = Math.min(WEIGHT.most, Math.max(WEIGHT.least, weight * factor));
      [now, next] = [next, now];
    }
    const trained = await Promise.all(NAMES.map(async (name) => [name, await copyOf(now.get(name)!)] as const));
    return Object.fromEntries(trained) as unknown as MlpParameters;
  } finally {
    await disposeOf(program, memories);
  }
}

/** One step as values: `next.P`, `next.m.P` and `next.v.P` of every parameter P, and the share `active` of its activations that are not zero. */
function stepOf(
  weights: Weights,
  site: MlpSite,
  { inputs, targets, tokens }: MlpData,
  start: MlpParameters,
): Record<string, Value> {
  const graph = new Graph();
  const scalar = (name: string) => graph.input(name, "float32", []);
  const x = graph.input("x", "float32", ["N", inputs.length / tokens]);
  const y = graph.input("y", "float32", ["N", targets.length / tokens]);
  const shapes = shapesOf(start);
  const values = Object.fromEntries(NAMES.map((name) => [name, graph.input(name, "float32", shapes[name])])) as Record<
    keyof MlpParameters,
    Value
  >;
  const a = relu(add(matmul(x, values.into, { transB: true }), values.intoBias));
  const factor = factorOf(x, weights, site);
  const read = factor === undefined ? a : mul(a, factor);
  const missing = sub(add(matmul(read, values.out, { transB: true }), values.outBias), y);
  const isActive = cast(greater(a, 0), "float32");
  const typical = stopGradient(div(reduceSum(a), max(reduceSum(isActive), 1)));
  const density = activeSurrogate(square(a), max(square(typical), 1e-12));
  const loss = add(mul(reduceMean(square(missing)), scalar("scale")), mul(density, scalar("weight")));
  const gradients = backward(
    loss,
    NAMES.map((name) => values[name]),
  );
  const given = { correction1: scalar("correction1"), correction2: scalar("correction2") };
  const rate = scalar("rate");
  const outputs: Record<string, Value> = { active: reduceMean(isActive) };
  NAMES.forEach((name, i) => {
    const [m, v] = ["m", "v"].map((of) => graph.input(`${of}.${name}`, "float32", shapes[name])) as [Value, Value];
    const learningRate = mul(rate, rootMeanSquare(name.startsWith("into") ? start.into : start.out));
    const after = adamw(values[name], gradients[i]!, { m, v }, { ...given, learningRate });
    Object.assign(outputs, {
      [`next.${name}`]: after.parameter,
      [`next.m.${name}`]: after.m,
      [`next.v.${name}`]: after.v,
    });
  });
  return outputs;
}

type State = ReadonlyMap<string, DeviceTensor>;

async function placed(backend: Backend, start: MlpParameters): Promise<State> {
  const shapes = shapesOf(start);
  const state = new Map<string, DeviceTensor>();
  for (const name of NAMES) {
    state.set(name, await backend.place(float32(shapes[name], start[name].slice())));
    for (const of of ["m", "v"]) state.set(`${of}.${name}`, await backend.place(zeros("float32", shapes[name])));
  }
  return state;
}

async function disposeOf(program: Program, memories: readonly State[]): Promise<void> {
  for (const state of memories) for (const tensor of state.values()) await tensor.dispose();
  await program.dispose();
}

const copyOf = async (tensor: DeviceTensor) => ((await tensor.read()).data as Float32Array).slice();

function shapesOf({ into, intoBias: { length: neurons }, out, outBias }: MlpParameters) {
  return {
    into: [neurons, into.length / neurons],
    intoBias: [neurons],
    out: [outBias.length, out.length / outBias.length],
    outBias: [outBias.length],
  } satisfies Record<keyof MlpParameters, number[]>;
}

function rowsOf(values: Float32Array, tokens: number, rows: readonly number[]) {
  const width = values.length / tokens;
  const taken = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    taken.set(values.subarray(row * width, (row + 1) * width), i * width);
  });
  return float32([rows.length, width], taken);
}

const rootMeanSquare = (values: Float32Array) =>
  Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);

/** Mean over columns of the variance of `[tokens, D]`. */
function varianceOf(values: Float32Array, tokens: number): number {
  const width = values.length / tokens;
  const sums = new Float64Array(width);
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    sums[i % width]! += values[i]!;
    squares += values[i]! ** 2;
  }
  return squares / values.length - sums.reduce((sum, of) => sum + (of / tokens) ** 2, 0) / width;
}
