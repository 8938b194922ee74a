// What each neuron did on calibration data: what it gave its output matrix, on average and in energy, and how active it was at most.
import { attendedPositions, type StackMasks, type Tap } from "../../density/index.ts";
import { InternalError } from "../../errors.ts";
import {
  abs,
  type Dim,
  matmul,
  mul,
  multiplyDims,
  reduceMax,
  reduceSum,
  reshape,
  square,
  type Value,
} from "../../graph/index.ts";
import type { MlpSite } from "../../models/index.ts";
import type { Hooks } from "../../nn/index.ts";
import type { Tensor } from "../../tensor/index.ts";

/** One layer's neurons over the calibration tokens; each array is `[F]`. */
export interface NeuronStatistics {
  readonly site: string;
  /** Tokens seen: of an encoder the attended ones, of a decoder those with a label. */
  readonly tokens: number;
  /** Of what the output matrix reads: the activation, and when gated its product with the factor. */
  readonly mean: Float64Array;
  /** Mean square of the same. */
  readonly energy: Float64Array;
  /** Largest magnitude of the activation itself, as density and thresholds see it. */
  readonly peak: Float64Array;
  /** Mean of what the whole sublayer adds to the residual, an adapter behind the MLP included: `[D]`; absent without one. */
  readonly added?: Float64Array;
  /** Mean product of what is read of every two neurons, `[F, F]` row-major; absent where it was not asked for. */
  readonly moments?: Float32Array;
}

/** A hook that only reads: records what each MLP's output matrix reads, `[B, P + S, F]` by the activation's site. */
export function outputReadTap(sites: readonly MlpSite[]): {
  readonly hooks: Hooks;
  readonly read: ReadonlyMap<string, Value>;
} {
  const activationOf = new Map(sites.map(({ out, activation }) => [out, activation]));
  const read = new Map<string, Value>();
  const hooks: Hooks = {
    linear(site, x, y) {
      const activation = activationOf.get(site.path);
      if (activation !== undefined) read.set(activation, x);
      return y;
    },
  };
  return { hooks, read };
}

/** A hook that only reads: records what these MLPs' sublayers add to the residual, `[B, P + S, D]` by the activation's site. */
export function addedTap(sites: readonly MlpSite[]): {
  readonly hooks: Hooks;
  readonly added: ReadonlyMap<string, Value>;
} {
  const activationOf = new Map(sites.map(({ sublayer, activation }) => [sublayer, activation]));
  const added = new Map<string, Value>();
  const hooks: Hooks = {
    sublayer(site, _x, h, _norm, kind) {
      const activation = activationOf.get(site.path);
      if (kind === "mlp" && activation !== undefined) added.set(activation, h);
      return h;
    },
  };
  return { hooks, added };
}

/** What is measured of an MLP, by the activation's site. */
export interface CalibrationValues {
  readonly read: ReadonlyMap<string, Value>;
  readonly added?: ReadonlyMap<string, Value>;
  /** Also the products of every two neurons: F² numbers a layer leave the runtime with each batch. */
  readonly moments?: boolean;
}

/** The outputs to fetch beside a forward pass: `calibration.i.{sum,squares,peak}` `[F]` and `calibration.i.tokens` for tap i, `.added` `[D]` and `.moments` `[F, F]`. */
export function calibrationOutputs(
  taps: readonly Tap[],
  { read, added = new Map(), moments = false }: CalibrationValues,
  attended: StackMasks,
): Record<string, Value> {
  const outputs: Record<string, Value> = {};
  taps.forEach((tap, i) => {
    const { activation } = tap;
    const given = read.get(tap.site);
    if (given === undefined) throw new InternalError(`nothing is read behind ${tap.site}`);
    activation.graph.at(`${tap.site}/calibration`, () => {
      const [batch, length, neurons] = activation.shape as readonly [Dim, Dim, number];
      const tokens = multiplyDims(batch, length);
      const counted = attendedPositions(tap, attended);
      const total = (x: Value) => reshape(matmul(reshape(counted, [1, tokens]), x), [Number(x.shape[1])]);
      const rows = reshape(given, [tokens, neurons]);
      const whole = added.get(tap.site);
      if (whole) outputs[`calibration.${i}.added`] = total(reshape(whole, [tokens, whole.shape[2]!]));
      const magnitudes = abs(reshape(activation, [tokens, neurons]));
      outputs[`calibration.${i}.sum`] = total(rows);
      outputs[`calibration.${i}.squares`] = total(square(rows));
      if (moments) {
        const each = mul(rows, reshape(counted, [tokens, 1]));
        outputs[`calibration.${i}.moments`] = matmul(each, rows, { transA: true });
      }
      outputs[`calibration.${i}.peak`] = reduceMax(mul(magnitudes, reshape(counted, [tokens, 1])), { axes: [0] });
      outputs[`calibration.${i}.tokens`] = reduceSum(counted);
    });
  });
  return outputs;
}

/** Adds up the outputs of `calibrationOutputs` over batches. */
export class CalibrationMeter {
  readonly #layers: (Omit<NeuronStatistics, "tokens" | "added" | "moments"> & {
    tokens: number;
    added: Float64Array | null;
    moments: Float32Array | null;
  })[];

  constructor(taps: readonly Pick<Tap, "site" | "activation">[]) {
    this.#layers = taps.map(({ site, activation }) => {
      const zeros = () => new Float64Array(Number(activation.shape.at(-1)));
      return { site, tokens: 0, mean: zeros(), energy: zeros(), peak: zeros(), added: null, moments: null };
    });
  }

  /** Adds one batch. */
  add(outputs: Readonly<Record<string, Tensor>>): void {
    this.#layers.forEach((layer, i) => {
      const { mean, energy, peak } = layer;
      const of = (name: string) => outputs[`calibration.${i}.${name}`]!.data as Float32Array;
      const [sum, squares, largest] = [of("sum"), of("squares"), of("peak")];
      for (let f = 0; f < mean.length; f++) {
        mean[f]! += sum[f]!;
        energy[f]! += squares[f]!;
        peak[f] = Math.max(peak[f]!, largest[f]!);
      }
      layer.tokens += of("tokens")[0]!;
      const added = outputs[`calibration.${i}.added`]?.data as Float32Array | undefined;
      const before = layer.added;
      if (added !== undefined) layer.added = Float64Array.from(added, (sum, d) => sum + (before?.[d] ?? 0));
      const products = outputs[`calibration.${i}.moments`]?.data as Float32Array | undefined;
      if (products === undefined) return;
      layer.moments ??= new Float32Array(products.length);
      for (let at = 0; at < products.length; at++) layer.moments[at]! += products[at]!;
    });
  }

  /** The statistics of everything added; needs at least one token of each stack. */
  statistics(): NeuronStatistics[] {
    return this.#layers.map(({ site, tokens, mean, energy, peak, added, moments }) => ({
      site,
      tokens,
      mean: mean.map((sum) => sum / tokens),
      energy: energy.map((sum) => sum / tokens),
      peak: peak.slice(),
      ...(added === null ? {} : { added: added.map((sum) => sum / tokens) }),
      ...(moments === null ? {} : { moments: moments.map((sum) => sum / tokens) }),
    }));
  }
}
