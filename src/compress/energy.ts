// Arithmetic of a classifier a token, and an energy estimate for hardware that skips zeros. An estimate, never a measurement.
import type { EncoderConfig } from "../models/index.ts";

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

/** One token's share of a sequence. */
export interface Arithmetic {
  /** Multiply–accumulates of the dense graph. */
  readonly macs: number;
  /** Those left when a zero activation's column of the MLP's last matrix is skipped. */
  readonly macsWithoutZeros: number;
  /** Microjoules, dense and with zeros skipped: arithmetic and weights from DRAM once a sequence. */
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
  const { hiddenSize: D, numLayers, mlpSizes, intermediateSize } = config;
  const mac = precision === "int8" || precision === "qdq" ? PICOJOULES.macInt8 : PICOJOULES.macFloat32;
  const byte = (BYTES[precision] * PICOJOULES.dramByte) / length;
  let [macs, left, weights, fetched] = [0, 0, 0, 0];
  for (let layer = 0; layer < numLayers; layer++) {
    const F = mlpSizes?.[layer] ?? intermediateSize;
    const d = density?.[layer] ?? 1;
    const attention = 4 * D * D;
    const other = attention + 2 * length * D + D * F;
    macs += other + D * F;
    left += other + d * D * F;
    weights += attention + 2 * D * F;
    fetched += attention + D * F + (1 - (1 - d) ** length) * D * F;
  }
  const microjoules = (ops: number, stored: number) => (ops * mac + stored * byte) / 1e6;
  return {
    macs,
    macsWithoutZeros: left,
    energy: microjoules(macs, weights),
    energyWithoutZeros: microjoules(left, fetched),
  };
}
