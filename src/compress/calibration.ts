// What each neuron did on calibration data: mean, energy and largest magnitude over attended tokens.
import type { Tap } from "../density/index.ts";
import {
  abs,
  cast,
  type Dim,
  matmul,
  mul,
  multiplyDims,
  pad,
  reduceMax,
  reshape,
  square,
  subtractDims,
  type Value,
} from "../graph/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** One layer's neurons over the calibration tokens; each array is `[F]`. */
export interface NeuronStatistics {
  readonly site: string;
  /** Attended tokens seen. */
  readonly tokens: number;
  readonly mean: Float64Array;
  /** Mean of a². */
  readonly energy: Float64Array;
  /** Largest |a|. */
  readonly peak: Float64Array;
}

/** The outputs to fetch beside a forward pass: `calibration.i.{sum,squares,peak}` `[F]` for tap i; the mask is `[B, S]`. */
export function calibrationOutputs(taps: readonly Tap[], attentionMask: Value): Record<string, Value> {
  const outputs: Record<string, Value> = {};
  taps.forEach((tap, i) => {
    const { activation } = tap;
    activation.graph.at(`${tap.site}/calibration`, () => {
      const [batch, length, neurons] = activation.shape as readonly [Dim, Dim, number];
      const tokens = multiplyDims(batch, length);
      // virtual tokens stand before the text and are none of it
      const virtual = Number(subtractDims(length, attentionMask.shape[1]!));
      const attended = pad(cast(attentionMask, "float32"), 1, virtual, 0);
      const weights = reshape(attended, [1, tokens]);
      const rows = reshape(activation, [tokens, neurons]);
      const total = (x: Value) => reshape(matmul(weights, x), [neurons]);
      outputs[`calibration.${i}.sum`] = total(rows);
      outputs[`calibration.${i}.squares`] = total(square(rows));
      outputs[`calibration.${i}.peak`] = reduceMax(mul(abs(rows), reshape(attended, [tokens, 1])), { axes: [0] });
    });
  });
  return outputs;
}

/** Adds up the outputs of `calibrationOutputs` over batches. */
export class CalibrationMeter {
  readonly #layers: readonly Omit<NeuronStatistics, "tokens">[];
  #tokens = 0;

  constructor(taps: readonly Pick<Tap, "site" | "activation">[]) {
    this.#layers = taps.map(({ site, activation }) => {
      const zeros = () => new Float64Array(Number(activation.shape.at(-1)));
      return { site, mean: zeros(), energy: zeros(), peak: zeros() };
    });
  }

  /** Adds one batch of `attendedTokens` tokens. */
  add(outputs: Readonly<Record<string, Tensor>>, attendedTokens: number): void {
    this.#layers.forEach(({ mean, energy, peak }, i) => {
      const of = (name: string) => outputs[`calibration.${i}.${name}`]!.data as Float32Array;
      const [sum, squares, largest] = [of("sum"), of("squares"), of("peak")];
      for (let f = 0; f < mean.length; f++) {
        mean[f]! += sum[f]!;
        energy[f]! += squares[f]!;
        peak[f] = Math.max(peak[f]!, largest[f]!);
      }
    });
    this.#tokens += attendedTokens;
  }

  /** The statistics of everything added; needs at least one token. */
  statistics(): NeuronStatistics[] {
    const tokens = this.#tokens;
    return this.#layers.map(({ site, mean, energy, peak }) => ({
      site,
      tokens,
      mean: mean.map((sum) => sum / tokens),
      energy: energy.map((sum) => sum / tokens),
      peak: peak.slice(),
    }));
  }
}
