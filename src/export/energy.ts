// Arithmetic of a model a token, and an energy estimate for hardware that skips zeros. An estimate, never a measurement.
import type { EncoderConfig, T5Config } from "../models/index.ts";

/**
 * Picojoules in 45 nm: M. Horowitz, "Computing's Energy Problem (and what we can do about it)", ISSCC 2014, fig. 1.1.9:
 * float32 multiply 3.7 and add 0.9, int8 multiply 0.2 and int32 add 0.1; 32 bits from DRAM 640 (1.3 nJ for 64).
 */
export const PICOJOULES = { macFloat32: 4.6, macInt8: 0.3, dramByte: 160 } as const;

export interface ArithmeticOptions {
  /** Tokens of a sequence. */
  readonly length: number;
  /** Share of non-zero activations of each layer; absent: nothing is skipped. */
  readonly density?: readonly number[];
  readonly precision: "fp32" | "int8" | "q4" | "qdq";
}

/** One token's share of a sequence, or of a text. */
export interface Arithmetic {
  /** Multiply–accumulates of the dense graph. */
  readonly macs: number;
  /** Those left when a zero activation's column of the MLP's last matrix is skipped. */
  readonly macsWithoutZeros: number;
  /** Microjoules, dense and with zeros skipped: arithmetic, and weights from DRAM once a sequence that is read and once a token that is written. */
  readonly energy: number;
  readonly energyWithoutZeros: number;
}

const BYTES = { fp32: 4, int8: 1, q4: 0.5, qdq: 1 } as const;

/**
 * Multiply–accumulates and estimated energy of the encoder for one token of a sequence of `length`.
 *
 * With zeros skipped, the last matrix of an MLP costs only the columns of active neurons; its weights are fetched when any token
 * of the sequence needs them, `1 − (1 − d)^length` of them if tokens choose independently.
 */
export function arithmeticOf(config: EncoderConfig, { length, density, precision }: ArithmeticOptions): Arithmetic {
  const { hiddenSize: D, numLayers, mlpSizes, intermediateSize, isGated } = config;
  let cost = NOTHING;
  for (let layer = 0; layer < numLayers; layer++) {
    const F = mlpSizes?.[layer] ?? intermediateSize;
    cost = sum(cost, dense(4 * D * D, length), scores(2 * length * D));
    cost = sum(cost, mlp(D * F, { isGated, share: density?.[layer] ?? 1, tokens: length }));
  }
  return estimateOf(cost, precision);
}

export interface TextArithmeticOptions {
  /** Tokens of the text that is read, and of the one that is written. */
  readonly length: number;
  readonly newTokens: number;
  /** Share of non-zero activations of each layer; absent: nothing is skipped. */
  readonly density?: { readonly encoder: readonly number[]; readonly decoder: readonly number[] };
  readonly precision: ArithmeticOptions["precision"];
}

/** What an encoder–decoder does, for one token that is read, one more that is written, and one of a whole text, reading included. */
export interface TextArithmetic {
  readonly encode: Arithmetic;
  readonly decode: Arithmetic;
  readonly generate: Arithmetic;
}

/**
 * Multiply–accumulates and estimated energy of an encoder–decoder that writes one text. As `arithmeticOf`, but every written token
 * fetches the decoder's weights and the head anew; a zero activation of a gated MLP spares its row of the factor's matrix too.
 */
export function textArithmetic(
  config: T5Config,
  { length, newTokens, density, precision }: TextArithmeticOptions,
): TextArithmetic {
  const { hiddenSize: D, numLayers, numDecoderLayers, mlpSizes, intermediateSize, isGated, vocabSize } = config;
  const width = config.numHeads * config.headDim;
  const neurons = (index: number) => mlpSizes?.[index] ?? intermediateSize;
  let [read, cross, write] = [NOTHING, NOTHING, dense(vocabSize * D, 1)];
  for (let layer = 0; layer < numLayers; layer++) {
    const share = density?.encoder[layer] ?? 1;
    read = sum(read, dense(4 * D * width, length), scores(2 * length * width));
    read = sum(read, mlp(D * neurons(layer), { isGated, share, tokens: length }));
  }
  for (let layer = 0; layer < numDecoderLayers; layer++) {
    const share = density?.decoder[layer] ?? 1;
    // cross keys and values: once for the whole text
    cross = sum(cross, times(dense(2 * D * width, length), length));
    write = sum(write, dense(6 * D * width, 1), scores((newTokens + 1 + 2 * length) * width));
    write = sum(write, mlp(D * neurons(numLayers + layer), { isGated, share, tokens: 1 }));
  }
  const whole = sum(times(read, length), cross, times(write, newTokens));
  return {
    encode: estimateOf(read, precision),
    decode: estimateOf(write, precision),
    generate: estimateOf(times(whole, 1 / newTokens), precision),
  };
}

/** Multiply–accumulates and weights fetched for one token, all of them and without what zeros spare. */
interface Cost {
  readonly macs: number;
  readonly macsLeft: number;
  readonly weights: number;
  readonly weightsLeft: number;
}

const NOTHING: Cost = { macs: 0, macsLeft: 0, weights: 0, weightsLeft: 0 };

/** Matrices of so many weights, fetched once for `tokens`. */
const dense = (size: number, tokens: number): Cost => ({
  macs: size,
  macsLeft: size,
  weights: size / tokens,
  weightsLeft: size / tokens,
});

/** Products of activations with each other. */
const scores = (macs: number): Cost => ({ ...NOTHING, macs, macsLeft: macs });

/** An MLP by the size of one of its matrices; a share of its neurons is active for a token. */
function mlp(
  size: number,
  { isGated, share, tokens }: { readonly isGated: boolean; readonly share: number; readonly tokens: number },
): Cost {
  const spared = isGated ? 2 * size : size;
  return {
    macs: size + spared,
    macsLeft: size + share * spared,
    weights: (size + spared) / tokens,
    weightsLeft: (size + (1 - (1 - share) ** tokens) * spared) / tokens,
  };
}

const times = ({ macs, macsLeft, weights, weightsLeft }: Cost, factor: number): Cost => ({
  macs: factor * macs,
  macsLeft: factor * macsLeft,
  weights: factor * weights,
  weightsLeft: factor * weightsLeft,
});

function sum(...costs: readonly Cost[]): Cost {
  return costs.reduce((a, b) => ({
    macs: a.macs + b.macs,
    macsLeft: a.macsLeft + b.macsLeft,
    weights: a.weights + b.weights,
    weightsLeft: a.weightsLeft + b.weightsLeft,
  }));
}

function estimateOf(
  { macs, macsLeft, weights, weightsLeft }: Cost,
  precision: ArithmeticOptions["precision"],
): Arithmetic {
  const mac = precision === "int8" || precision === "qdq" ? PICOJOULES.macInt8 : PICOJOULES.macFloat32;
  const byte = BYTES[precision] * PICOJOULES.dramByte;
  const microjoules = (ops: number, stored: number) => (ops * mac + stored * byte) / 1e6;
  return {
    macs,
    macsWithoutZeros: macsLeft,
    energy: microjoules(macs, weights),
    energyWithoutZeros: microjoules(macsLeft, weightsLeft),
  };
}
