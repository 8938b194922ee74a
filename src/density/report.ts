// What a density measurement says: fractions in [0, 1], per layer and per stack.

/** Thresholds τ of the curve P(|a| > τ), smallest first. */
export const THRESHOLDS = [1e-4, 1e-3, 1e-2, 5e-2, 1e-1] as const;

/** A neuron is dead when never above this, and rare when above it on fewer than 1 % of tokens. */
export const DEAD_THRESHOLD = 1e-2;

export type StackName = "encoder" | "decoder" | "generation";

/** Density of one layer or of one stack; all shares are fractions. */
export interface Density {
  /** Share of exact non-zeros over all positions, padding included: mean over samples (the paper's metric). */
  readonly paper: number;
  /** Share of exact non-zeros over attended positions. */
  readonly exact: number;
  /** P(|a| > τ) over attended positions, by `String(τ)`. */
  readonly thresholds: Readonly<Record<string, number>>;
  /** Neurons never above `DEAD_THRESHOLD` on an attended token. */
  readonly deadNeurons: number;
  /** Neurons above `DEAD_THRESHOLD` on fewer than 1 % of attended tokens, the dead ones included. */
  readonly rareNeurons: number;
  readonly neurons: number;
}

export interface LayerDensity extends Density {
  readonly stack: StackName;
  readonly layer: number;
  readonly site: string;
}

/** The `density` object of `deft eval --json`. */
export interface DensityReport {
  readonly encoder: Density;
  readonly decoder?: Density;
  readonly generation?: Density;
  readonly layers: readonly LayerDensity[];
}
