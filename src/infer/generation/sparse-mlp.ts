// Sparse decoding in the graph: behind its nonlinearity an MLP reads only the rows whose neurons are active in this step.
import {
  abs,
  add,
  gather,
  isOp,
  less,
  matmul,
  mul,
  nonzero,
  reduceSum,
  reshape,
  transpose,
  type Value,
  where,
} from "../../graph/index.ts";
import type { EncoderDecoderModel } from "../../models/index.ts";
import { flattenRows, type Hooks, type Projection, type Site } from "../../nn/index.ts";
import { type Tensor, tensor, type Weight, type Weights } from "../../tensor/index.ts";
import { aboveFloor, predictedPreActivation, predictorWeights, unpredictable } from "./row-predictor.ts";

/** What the output's weight is called when it lies as `[F, D]`, so that a neuron is a row. */
const BY_NEURON = "weight_by_neuron";

/** One MLP whose matrices are read row by row. */
export interface GatheredMlp {
  /** Where hooks see its activations. */
  readonly site: string;
  /** An activation counts as 0 up to this magnitude; 0: the same function. */
  readonly threshold: number;
  /** Absent: the first matrix is read whole, and says exactly which neurons are active. */
  readonly prediction?: Pick<RowPrediction, "floor"> | undefined;
}

/** How the rows of all matrices are chosen before any is read: a copy of the first one in four bits predicts the pre-activations. */
export interface RowPrediction {
  /** A neuron is read where its predicted pre-activation is larger; what is read is computed exactly. */
  readonly floor: number;
  /** Share of the active neurons that this finds on the calibration texts. */
  readonly recall: number;
  /** Mean share of neurons that are read for one of a step's tokens or more, on the calibration texts. */
  readonly selected: number;
}

/** One MLP of the plan. */
export interface SparseMlpLayer extends GatheredMlp {
  readonly neurons: number;
  /** Read row by row; else by whole matrices, as ever. */
  readonly isGathered: boolean;
  /** Mean share of neurons above the threshold for one of a step's tokens or more, on the calibration texts. */
  readonly active: number;
  /** Present where the rows of the first matrix are chosen too. */
  readonly prediction?: RowPrediction | undefined;
  /** The whole MLP, as measured on this machine; null where it was not. */
  readonly denseMs: number | null;
  /** As the table of this machine expects it at this share; null where that share never pays. */
  readonly gatheredMs: number | null;
  /** Why whole matrices; null where rows are read. */
  readonly reason: string | null;
}

/** Decisions for each MLP of a decoder, as JSON. */
export interface SparseMlpPlan {
  /** Tokens of a step for which it was made; it is right for any number. */
  readonly rows: number;
  /** `exact`: the same outputs up to float rounding; `calibrated`: thresholds or predictions change them, by what whoever chose them measured. */
  readonly exactness: "exact" | "calibrated";
  readonly layers: readonly SparseMlpLayer[];
}

/**
 * Computes these MLPs from the rows of active neurons: the union over the tokens of a step. One that a method reads or
 * changes behind the nonlinearity in a way that rows cannot follow stays dense.
 */
export function gatheredProjection(mlps: readonly GatheredMlp[]): Hooks {
  const bySite = new Map(mlps.map((mlp) => [mlp.site, mlp]));
  return {
    projection(site, a, mlp) {
      const how = bySite.get(site.path);
      if (how === undefined || obstacleOf(a, mlp) !== null) return null;
      const { threshold, prediction } = how;
      if (prediction !== undefined && predictionObstacle(a, mlp) === null)
        return site.at(() => predicted(a, mlp, prediction.floor, threshold));
      const active = threshold === 0 ? a : site.at(() => aboveThreshold(a, threshold));
      const kept = site.hooks.linearInput?.(mlp.out, active) ?? active;
      const y = site.at(() => gathered(kept, mlp));
      // a method that adds to the output of a gated MLP is an obstacle, so here its input is what there is
      return site.hooks.linear?.(mlp.out, kept, y) ?? y;
    },
  };
}

/** What a gathered MLP looks like, and why it cannot be one. */
export interface MlpShape {
  readonly site: string;
  readonly hidden: number;
  readonly neurons: number;
  readonly isGated: boolean;
  /** Why its rows cannot be gathered; null: they can. */
  readonly obstacle: string | null;
  /** Why they cannot be predicted; null: they can. */
  readonly predictionObstacle: string | null;
}

/** What a tap saw of the model's MLPs. */
export interface ProjectionTap {
  readonly hooks: Hooks;
  readonly shapes: ReadonlyMap<string, MlpShape>;
  /** Predicted pre-activations `[N, F]` in the graph that was built last, of MLPs that can be predicted. */
  readonly predictions: ReadonlyMap<string, Value>;
}

/** A hook that only reads: records every MLP that has a projection. */
export function projectionTap(): ProjectionTap {
  const shapes = new Map<string, MlpShape>();
  const predictions = new Map<string, Value>();
  const hooks: Hooks = {
    projection(site, a, mlp) {
      const [hidden, neurons] = [mlp.input, a].map(({ shape }) => Number(shape.at(-1))) as [number, number];
      const isGated = mlp.factor !== null;
      const obstacles = { obstacle: obstacleOf(a, mlp), predictionObstacle: predictionObstacle(a, mlp) };
      shapes.set(site.path, { site: site.path, hidden, neurons, isGated, ...obstacles });
      if (obstacles.predictionObstacle === null)
        predictions.set(site.path, predictedPreActivation(mlp.input, mlp.before!, neurons));
      return null;
    },
  };
  return { hooks, shapes, predictions };
}

/**
 * The weights, and for each of these MLPs the output's weight by neuron, transposed when it is read, and what predicts its rows where
 * they are predicted.
 */
export function withRowsByNeuron(
  model: Pick<EncoderDecoderModel, "mlps">,
  weights: Weights,
  mlps: readonly GatheredMlp[],
): Weights {
  const bySite = new Map(mlps.map((mlp) => [mlp.site, mlp]));
  const predicted = model.mlps.filter(({ activation }) => bySite.get(activation)?.prediction !== undefined);
  const all = new Map(withPredictors({ mlps: predicted }, weights));
  for (const { activation, out } of model.mlps) {
    const stored = weights.get(`${out}.weight`);
    if (bySite.has(activation) && stored) all.set(`${out}.${BY_NEURON}`, transposed(stored));
  }
  return all;
}

/** The weights, and what predicts the rows of each MLP, made when it is read. */
export function withPredictors({ mlps }: Pick<EncoderDecoderModel, "mlps">, weights: Weights): Weights {
  const all = new Map(weights);
  for (const mlp of mlps) {
    const stored = weights.get(`${mlp.into[0]}.weight`);
    if (stored) for (const [name, weight] of predictorWeights(mlp, stored)) all.set(name, weight);
  }
  return all;
}

/** `[N, 1, F]` and rows of both matrices → `[N, 1, D]`. */
function gathered(a: Value, { input, factor, out }: Projection): Value {
  const [neurons, hidden] = [Number(a.shape.at(-1)), Number(input.shape.at(-1))];
  const rows = flattenRows(a); // [N, F]
  // a sum of magnitudes is 0 only where all are, and unlike a largest one it keeps what is not a number
  const active = nonzero(reduceSum(abs(rows), { axes: [0] }));
  const values = transpose(gather(transpose(rows, [1, 0]), active), [1, 0]); // [N, A]
  const gated = factor ? mul(values, factorOf(factor, flattenRows(input), neurons, active)) : values;
  const y = matmul(gated, gather(out.parameter(BY_NEURON, [neurons, hidden], "linear"), active));
  return reshape(y, [...a.shape.slice(0, -1), hidden]);
}

/** The rows of neurons whose predicted pre-activation lies above `floor`, of all matrices → `[N, 1, D]`. */
function predicted(a: Value, { input, before, factor, out }: Projection, floor: number, threshold: number): Value {
  const { into, isBiased, activation } = before!;
  const [neurons, hidden] = [Number(a.shape.at(-1)), Number(input.shape.at(-1))];
  const rows = flattenRows(input); // [N, D]
  const above = aboveFloor(predictedPreActivation(input, before!, neurons), floor);
  const read = nonzero(reduceSum(above, { axes: [0] }));
  const z = matmul(rows, gather(into.parameter("weight", [neurons, hidden], "linear"), read), { transB: true });
  const values = activation(isBiased ? add(z, gather(into.parameter("bias", [neurons], "linear"), read)) : z); // [N, A]
  const active = threshold === 0 ? values : aboveThreshold(values, threshold);
  const gated = factor ? mul(active, factorOf(factor, rows, neurons, read)) : active;
  const y = matmul(gated, gather(out.parameter(BY_NEURON, [neurons, hidden], "linear"), read));
  return reshape(y, [...a.shape.slice(0, -1), hidden]);
}

function factorOf(site: Site, input: Value, neurons: number, active: Value): Value {
  const weight = site.parameter("weight", [neurons, Number(input.shape.at(-1))], "linear");
  return matmul(input, gather(weight, active), { transB: true });
}

/** Each token by itself, so that a batch computes what its examples do alone. */
function aboveThreshold(a: Value, threshold: number): Value {
  return where(less(a.graph.scalar(threshold), abs(a)), a, 0);
}

/** Why rows of this MLP's matrices cannot stand for them; null: they can. */
function obstacleOf(a: Value, { input, factor, out }: Projection): string | null {
  const [neurons, hidden] = [Number(a.shape.at(-1)), Number(input.shape.at(-1))];
  const sites: readonly (readonly [Site, Value, readonly [number, number]])[] = [
    ...(factor ? [[factor, input, [neurons, hidden]] as const] : []),
    [out, a, [hidden, neurons]],
  ];
  for (const [site, x, shape] of sites) {
    const stored = site.parameter("weight", shape, "linear");
    if (isOp(stored.node, "parameter") && stored.node.attributes.trainable) return `${site.path} is trained: merge it`;
    if ((site.hooks.weight?.(site, stored, "linear") ?? stored) !== stored)
      return `${site.path} is stored in few bits, or masked when it is read`;
    if (factor && addsTo(site, x, stored)) return `the method changes ${site.path}: merge it`;
  }
  return null;
}

/** Why the rows of this MLP cannot be chosen before its first matrix is read; null: they can. */
function predictionObstacle(a: Value, { input, before, out }: Projection): string | null {
  if (before === null) return "the method changes its activations";
  const [neurons, hidden] = [Number(a.shape.at(-1)), Number(input.shape.at(-1))];
  const { into } = before;
  const matrix = into.parameter("weight", [neurons, hidden], "linear");
  if (isOp(matrix.node, "parameter") && matrix.node.attributes.trainable) return `${into.path} is trained: merge it`;
  if ((into.hooks.weight?.(into, matrix, "linear") ?? matrix) !== matrix)
    return `${into.path} is stored in few bits, or masked when it is read`;
  if (addsTo(into, input, matrix)) return `the method changes ${into.path}: merge it`;
  if (addsTo(out, a, out.parameter("weight", [hidden, neurons], "linear")))
    return `the method changes ${out.path}: merge it`;
  return unpredictable(hidden);
}

function addsTo(site: Site, x: Value, weight: Value): boolean {
  if ((site.hooks.linearInput?.(site, x) ?? x) !== x) return true;
  if (!site.hooks.linear) return false;
  const rows = matmul(flattenRows(x), weight, { transB: true });
  const y = reshape(rows, [...x.shape.slice(0, -1), weight.shape[0]!]);
  return site.hooks.linear(site, x, y) !== y;
}

function transposed(stored: Weight): Weight {
  const [rows, columns] = stored.shape as readonly [number, number];
  const read = async (): Promise<Tensor> => {
    const from = (await stored.read()).data as Float32Array;
    const to = new Float32Array(from.length);
    for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c]!;
    return tensor("float32", [columns, rows], to);
  };
  return { dtype: "float32", shape: [columns, rows], read };
}
