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
  /** `exact` where every activation function has zeros by itself, as ReLU has: exact non-zeros are then what headlines state. */
  readonly headline?: "exact";
}

/** The definition of density that headlines use of activation functions which are hardly ever 0: `P(|a| > 0.01)` over attended tokens. */
export const NEAR_ZERO_DEFINITION = "0.01";

/** The definition by which headlines state, and compare, these measurements. */
export function headlineDefinition(...reports: readonly Pick<DensityReport, "headline">[]): string {
  return reports.length > 0 && reports.every(({ headline }) => headline === "exact") ? "exact" : NEAR_ZERO_DEFINITION;
}

/** Names of every definition a report holds: `paper`, `exact`, then thresholds, smallest first. */
export function densityDefinitions(density: Density): string[] {
  return ["paper", "exact", ...Object.keys(density.thresholds).sort((a, b) => Number(a) - Number(b))];
}

/** A density by its definition's name; NaN when the report does not hold it. */
export function densityBy(density: Density, definition: string): number {
  if (definition === "paper") return density.paper;
  if (definition === "exact") return density.exact;
  return density.thresholds[definition] ?? Number.NaN;
}

/** One number for a model's density: the headline definition, as the mean of the stacks that were measured. */
export function headlineDensity(report: DensityReport): number {
  const { encoder, decoder } = report;
  const definition = headlineDefinition(report);
  const stacks = [encoder, ...(decoder ? [decoder] : [])].map((of) => densityBy(of, definition));
  return stacks.reduce((sum, density) => sum + density, 0) / stacks.length;
}
