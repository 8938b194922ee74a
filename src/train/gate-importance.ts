// Gates read off the gradient: what each MLP is worth to the loss, summed up over the steps of a run.
import type { StackName } from "../density/index.ts";

/** An MLP with a gate: its sublayer's path. */
export interface GateSite {
  readonly site: string;
  readonly stack: StackName;
}

/** How sensitive the loss of a step was to each MLP: `Σ_n s_n²` by sublayer. */
export type Sensitivities = ReadonlyMap<string, number>;

/** What a checkpoint holds of the gates. */
export interface GateImportanceState {
  /** Each MLP's sum over the steps so far, by sublayer. */
  readonly sums: Readonly<Record<string, number>>;
}

/** The input that holds what an MLP's density loss counts, by its place among the MLPs. */
export function layerWeightName(place: number): string {
  return `layerWeight.${place}`;
}

/**
 * Sums `t · √(Σ_n s_n²)` over the steps t: later steps count more, because they saw more of the model that is kept, and the root lets no
 * single step outweigh the others. An MLP's gate is `I² / (I² + J²)` with I its sum and J the geometric mean of all sums: a half where it
 * matters as much as the others, whichever the scale of the loss.
 */
export class GateImportance {
  readonly sites: readonly GateSite[];
  #sums: number[];

  constructor(sites: readonly GateSite[]) {
    this.sites = sites;
    this.#sums = sites.map(() => 0);
  }

  get state(): GateImportanceState {
    return { sums: Object.fromEntries(this.sites.map(({ site }, i) => [site, this.#sums[i]!])) };
  }

  restore({ sums }: GateImportanceState): void {
    this.#sums = this.sites.map(({ site }) => sums[site] ?? 0);
  }

  /** Takes in step `step`, counted from 1. */
  note(step: number, sensitivities: Sensitivities): void {
    this.#sums = this.#sums.map((sum, i) => sum + step * Math.sqrt(sensitivities.get(this.sites[i]!.site) ?? 0));
  }

  /** Every MLP's gate in (0, 1), in the order of the sites; a half before the first step. */
  get gates(): number[] {
    return gatesFrom(this.#sums);
  }

  /** What the density loss of each MLP counts: its gate over the mean gate of its stack, by the input's name. */
  get layerWeights(): Record<string, number> {
    const { gates, sites } = this;
    const meanOf = (stack: StackName) => {
      const own = gates.filter((_, i) => sites[i]!.stack === stack);
      return own.reduce((a, b) => a + b, 0) / own.length;
    };
    return Object.fromEntries(gates.map((gate, i) => [layerWeightName(i), gate / meanOf(sites[i]!.stack)]));
  }
}

/** Each MLP's gate by its sublayer, from what a checkpoint holds. */
export function gatesByMlp({ sums }: GateImportanceState): Record<string, number> {
  const gates = gatesFrom(Object.values(sums));
  return Object.fromEntries(Object.keys(sums).map((site, i) => [site, gates[i]!]));
}

function gatesFrom(sums: readonly number[]): number[] {
  const logs = sums.map((sum) => Math.log(Math.max(sum, Number.MIN_VALUE)));
  const mean = logs.reduce((a, b) => a + b, 0) / logs.length;
  return logs.map((log) => 1 / (1 + Math.exp(2 * (mean - log))));
}
