// Sparse decoding in the graph: behind its nonlinearity an MLP reads only the rows whose neurons are active in this step.
import {
  abs,
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

/** What the output's weight is called when it lies as `[F, D]`, so that a neuron is a row. */
const BY_NEURON = "weight_by_neuron";

/** One MLP whose matrices are read row by row. */
export interface GatheredMlp {
  /** Where hooks see its activations. */
  readonly site: string;
  /** An activation counts as 0 up to this magnitude; 0: the same function. */
  readonly threshold: number;
}

/** One MLP of the plan. */
export interface SparseMlpLayer extends GatheredMlp {
  readonly neurons: number;
  /** Read row by row; else by whole matrices, as ever. */
  readonly isGathered: boolean;
  /** Mean share of neurons above the threshold for one of a step's tokens or more, on the calibration texts. */
  readonly active: number;
  /** Behind the nonlinearity, as measured on this machine; null where it was not. */
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
  /** `exact`: the same outputs up to float rounding; `calibrated`: thresholds change them, by what whoever chose them measured. */
  readonly exactness: "exact" | "calibrated";
  readonly layers: readonly SparseMlpLayer[];
}

/**
 * Computes these MLPs from the rows of active neurons: the union over the tokens of a step. One that a method reads or
 * changes behind the nonlinearity in a way that rows cannot follow stays dense.
 */
export function gatheredProjection(mlps: readonly GatheredMlp[]): Hooks {
  const thresholds = new Map(mlps.map(({ site, threshold }) => [site, threshold]));
  return {
    projection(site, a, mlp) {
      const threshold = thresholds.get(site.path);
      if (threshold === undefined || obstacleOf(a, mlp) !== null) return null;
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
}

/** A hook that only reads: records every MLP that has a projection. */
export function projectionTap(): { readonly hooks: Hooks; readonly shapes: ReadonlyMap<string, MlpShape> } {
  const shapes = new Map<string, MlpShape>();
  const hooks: Hooks = {
    projection(site, a, mlp) {
      const [hidden, neurons] = [mlp.input, a].map(({ shape }) => Number(shape.at(-1))) as [number, number];
      const isGated = mlp.factor !== null;
      shapes.set(site.path, { site: site.path, hidden, neurons, isGated, obstacle: obstacleOf(a, mlp) });
      return null;
    },
  };
  return { hooks, shapes };
}

/** The weights, and for each of these MLPs the output's weight by neuron, transposed when it is read. */
export function withRowsByNeuron(model: EncoderDecoderModel, weights: Weights, mlps: readonly GatheredMlp[]): Weights {
  const sites = new Set(mlps.map(({ site }) => site));
  const all = new Map(weights);
  for (const { activation, out } of model.mlps) {
    const stored = weights.get(`${out}.weight`);
    if (sites.has(activation) && stored) all.set(`${out}.${BY_NEURON}`, transposed(stored));
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
