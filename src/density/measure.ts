// The instrument: counts of active neurons inside the graph, added up over a data set in bounded memory.
import {
  abs,
  add,
  cast,
  concat,
  type Dim,
  div,
  isOp,
  less,
  matmul,
  max,
  mul,
  multiplyDims,
  reduceMean,
  reduceSum,
  reshape,
  type Value,
} from "../graph/index.ts";
import type { Tensor } from "../tensor/index.ts";

import {
  DEAD_THRESHOLD,
  type Density,
  type DensityReport,
  type LayerDensity,
  type StackName,
  THRESHOLDS,
} from "./report.ts";
import { attendedPositions, numVirtualTokens, overAllNeurons, type StackMasks, type Tap } from "./tap.ts";

/** Share of attended tokens below which a neuron counts as rare. */
const RARE_SHARE = 0.01;

/** What a meter must know of a tap, without its graph. */
export type TapShape = Pick<Tap, "site" | "stack" | "layer"> & {
  readonly neurons: number;
  /** Virtual tokens before the text. */
  readonly numVirtualTokens: number;
  /** Its activation function gives exact zeros for more than single numbers: ReLU. */
  readonly hasZeros: boolean;
};

/** The shape of each tap, for `DensityMeter`. */
export function tapShapes(taps: readonly Tap[], attended: StackMasks): TapShape[] {
  return taps.map((tap) => ({
    site: tap.site,
    stack: tap.stack,
    layer: tap.layer,
    neurons: Number(tap.activation.shape.at(-1)),
    numVirtualTokens: numVirtualTokens(tap, attended),
    hasZeros: hasZeros(tap.activation),
  }));
}

function hasZeros({ node }: Value): boolean {
  // a mask keeps the zeros of what it multiplies
  return isOp(node, "relu") || (isOp(node, "mul") && node.inputs.some(hasZeros));
}

/**
 * Counts to fetch beside a forward pass. For tap i: `density.i.counts` `[B, 2 + thresholds]` float32 (non-zeros at all
 * positions, non-zeros at attended ones, then |a| > τ at attended ones) and `density.i.neurons` `[F]` (attended tokens
 * on which |a| exceeds `DEAD_THRESHOLD`). Whole numbers, exact while a sample has fewer than 2²⁴ activations.
 */
export function densityCounts(taps: readonly Tap[], masks: StackMasks): Record<string, Value> {
  const outputs: Record<string, Value> = {};
  taps.forEach((tap, i) => {
    const { activation, site } = tap;
    const { graph } = activation;
    graph.at(`${site}/measure`, () => {
      const [batch, length, neurons] = activation.shape as readonly [Dim, Dim, number];
      const magnitude = abs(activation);
      const attended = attendedPositions(tap, masks); // [B, P + S]
      const active = (threshold: number) => cast(less(graph.scalar(threshold), magnitude), "float32");
      const perToken = (threshold: number) => reduceSum(active(threshold), { axes: [-1] }); // [B, P + S]
      const perSample = (counts: Value) => reshape(reduceSum(counts, { axes: [-1] }), [batch, 1]);
      const nonZero = perToken(0);
      outputs[`density.${i}.counts`] = concat(
        [
          perSample(nonZero),
          perSample(mul(nonZero, attended)),
          ...THRESHOLDS.map((t) => perSample(mul(perToken(t), attended))),
        ],
        1,
      );
      const rows = reshape(active(DEAD_THRESHOLD), [multiplyDims(batch, length), neurons]);
      outputs[`density.${i}.neurons`] = reshape(matmul(reshape(attended, [1, multiplyDims(batch, length)]), rows), [
        neurons,
      ]);
    });
  });
  return outputs;
}

/** Share of |a| above `DEAD_THRESHOLD` at attended positions, the mean over taps, each times the scalar that weighs its stack: a scalar. */
export function activeShare(taps: readonly Tap[], attended: StackMasks, weight: (stack: StackName) => Value): Value {
  const shares = taps.map((tap) =>
    tap.activation.graph.at(`${tap.site}/share`, () => {
      const counted = attendedPositions(tap, attended);
      const active = cast(less(tap.activation.graph.scalar(DEAD_THRESHOLD), abs(tap.activation)), "float32");
      const perToken = reduceMean(active, { axes: [-1] });
      const share = div(reduceSum(mul(perToken, counted)), max(reduceSum(counted), 1));
      return mul(overAllNeurons(share, tap), weight(tap.stack));
    }),
  );
  return mul(
    shares.reduce((a, b) => add(a, b)),
    1 / shares.length,
  );
}

interface Counts {
  /** Sum over samples of the share of exact non-zeros over all positions. */
  paper: number;
  exact: number;
  readonly above: number[];
  /** Attended tokens on which each neuron was active. */
  readonly neurons: Float64Array;
}

/** Adds up the counts of batches; its size depends on the model only. */
export class DensityMeter {
  readonly #shapes: readonly TapShape[];
  readonly #counts: readonly Counts[];
  readonly #tokens = new Map<StackName, number>();
  #samples = 0;

  constructor(shapes: readonly TapShape[]) {
    this.#shapes = shapes;
    this.#counts = shapes.map(({ neurons }) => ({
      paper: 0,
      exact: 0,
      above: THRESHOLDS.map(() => 0),
      neurons: new Float64Array(neurons),
    }));
  }

  /** Whether nothing was added yet. */
  get isEmpty(): boolean {
    return this.#samples === 0;
  }

  /** Adds one batch: the outputs of `densityCounts`, and of each stack the padded length and the attended positions. */
  add(
    outputs: Readonly<Record<string, Tensor>>,
    positions: Readonly<Partial<Record<StackName, { readonly length: number; readonly attendedTokens: number }>>>,
  ): void {
    const columns = 2 + THRESHOLDS.length;
    this.#shapes.forEach(({ neurons, numVirtualTokens, stack }, i) => {
      const { length } = positions[stack]!;
      const { data } = outputs[`density.${i}.counts`]!;
      const sum = this.#counts[i]!;
      const batch = data.length / columns;
      for (let b = 0; b < batch; b++) {
        sum.paper += Number(data[b * columns]) / ((numVirtualTokens + length) * neurons);
        sum.exact += Number(data[b * columns + 1]);
        for (let t = 0; t < THRESHOLDS.length; t++) sum.above[t]! += Number(data[b * columns + 2 + t]);
      }
      const active = outputs[`density.${i}.neurons`]!.data;
      for (let n = 0; n < neurons; n++) sum.neurons[n]! += Number(active[n]);
      if (i === 0) this.#samples += batch;
    });
    for (const stack of new Set(this.#shapes.map((shape) => shape.stack)))
      this.#tokens.set(stack, (this.#tokens.get(stack) ?? 0) + positions[stack]!.attendedTokens);
  }

  /** The report over everything added. Stacks are means over their layers; neurons are added up. */
  report(): DensityReport {
    const layers = this.#shapes.map(
      (shape, i): LayerDensity => ({ stack: shape.stack, layer: shape.layer, site: shape.site, ...this.#layer(i) }),
    );
    const stack = (name: StackName) => {
      const own = layers.filter((layer) => layer.stack === name);
      return own.length > 0 ? meanDensity(own) : undefined;
    };
    const decoder = stack("decoder");
    const generation = stack("generation");
    return {
      encoder: stack("encoder") ?? meanDensity(layers),
      ...(decoder ? { decoder } : {}),
      ...(generation ? { generation } : {}),
      layers,
      ...(this.#shapes.every((shape) => shape.hasZeros) ? { headline: "exact" as const } : {}),
    };
  }

  #layer(i: number): Density {
    const { neurons, stack } = this.#shapes[i]!;
    const { paper, exact, above, neurons: active } = this.#counts[i]!;
    const tokens = this.#tokens.get(stack) ?? 0;
    const total = tokens * neurons;
    return {
      paper: paper / this.#samples,
      exact: exact / total,
      thresholds: Object.fromEntries(THRESHOLDS.map((threshold, t) => [String(threshold), above[t]! / total])),
      deadNeurons: active.filter((count) => count === 0).length,
      rareNeurons: active.filter((count) => count < RARE_SHARE * tokens).length,
      neurons,
    };
  }
}

function meanDensity(layers: readonly Density[]): Density {
  const mean = (of: (layer: Density) => number) => layers.reduce((sum, layer) => sum + of(layer), 0) / layers.length;
  const total = (of: (layer: Density) => number) => layers.reduce((sum, layer) => sum + of(layer), 0);
  return {
    paper: mean((layer) => layer.paper),
    exact: mean((layer) => layer.exact),
    thresholds: Object.fromEntries(THRESHOLDS.map((t) => [String(t), mean((layer) => layer.thresholds[String(t)]!)])),
    deadNeurons: total((layer) => layer.deadNeurons),
    rareNeurons: total((layer) => layer.rareNeurons),
    neurons: total((layer) => layer.neurons),
  };
}
