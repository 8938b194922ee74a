// Gates read off the gradient: what each MLP is worth to the loss, summed up over the steps of a run.
import { centreName, type StackName } from "../density/index.ts";
import { float32, scalarOf, type Tensor } from "../tensor/index.ts";

/** An MLP with a gate: its sublayer's path. */
export interface GateSite {
  readonly site: string;
  readonly stack: StackName;
  /** Size of what it adds at a position. */
  readonly width: number;
}

/** What a step says of an MLP. */
export interface GateReading {
  /** `Σ_n s_n²` over its examples: how sensitive the loss is to what the MLP adds beyond its mean. */
  readonly squares: number;
  /** The sum of what it adds over attended positions, `[D]`, and how many those are. */
  readonly sum: Float32Array;
  readonly count: number;
}

/** Readings by sublayer. */
export type GateReadings = ReadonlyMap<string, GateReading>;

/** What gates give a step: scalars and tensors by the names of its inputs. */
export interface GateFeeds {
  readonly layerWeights: Readonly<Record<string, number>>;
  readonly centres: Readonly<Record<string, Tensor>>;
}

/** What a checkpoint's state holds of the gates; the centres stand beside it. */
export interface GateImportanceState {
  /** Each MLP's sum over the steps so far, by sublayer. */
  readonly sums: Readonly<Record<string, number>>;
}

/** What the results of a step begin with that readings are made of. */
export const READING = { squares: "sensitivity.", sum: "added.", count: "addedCount." } as const;

/** The input that holds what an MLP's density loss counts, by its place among the MLPs. */
export function layerWeightName(place: number): string {
  return `layerWeight.${place}`;
}

/** The readings among the outputs of a run, copied. */
export function readingsOf(outputs: Readonly<Record<string, Tensor>>): GateReadings {
  const sites = Object.keys(outputs).flatMap((name) =>
    name.startsWith(READING.squares) ? [name.slice(READING.squares.length)] : [],
  );
  const scalar = (name: string) => scalarOf(outputs[name]!);
  return new Map(
    sites.map((site) => [
      site,
      {
        squares: scalar(`${READING.squares}${site}`),
        sum: (outputs[`${READING.sum}${site}`]!.data as Float32Array).slice(),
        count: scalar(`${READING.count}${site}`),
      },
    ]),
  );
}

/** Micro-batches add up: each example is in one of them. */
export function summedReadings(micros: readonly GateReadings[]): GateReadings {
  const sum = (site: string): GateReading => {
    const all = micros.map((of) => of.get(site)!);
    const total = (of: (one: GateReading) => number) => all.reduce((so, one) => so + of(one), 0);
    return {
      squares: total(({ squares }) => squares),
      sum: all[0]!.sum.map((_, d) => total((one) => one.sum[d]!)),
      count: total(({ count }) => count),
    };
  };
  return new Map(Array.from(micros[0]!.keys(), (site) => [site, sum(site)]));
}

/** Steps that a centre remembers: the model changes under it. */
const MEMORY = 50;

/**
 * Sums `t · √(Σ_n s_n²)` over the steps t: later steps count more, because they saw more of the model that is kept, and the root lets no
 * single step outweigh the others. An MLP's gate is `I² / (I² + J²)` with I its sum and J the geometric mean of all sums: a half where it
 * matters as much as the others, whichever the scale of the loss. A centre is a running mean of what an MLP adds.
 */
export class GateImportance {
  readonly sites: readonly GateSite[];
  #sums: number[];
  /** Empty before the first step, which is measured from 0. */
  #centres = new Map<string, Float32Array>();

  constructor(sites: readonly GateSite[]) {
    this.sites = sites;
    this.#sums = sites.map(() => 0);
  }

  get state(): GateImportanceState {
    return { sums: Object.fromEntries(this.sites.map(({ site }, i) => [site, this.#sums[i]!])) };
  }

  /** The running means by sublayer, for a checkpoint. */
  get centres(): ReadonlyMap<string, Tensor> {
    return new Map(Array.from(this.#centres, ([site, mean]) => [site, float32([mean.length], mean)]));
  }

  restore({ sums }: GateImportanceState, centres: ReadonlyMap<string, Tensor>): void {
    this.#sums = this.sites.map(({ site }) => sums[site] ?? 0);
    this.#centres = new Map(Array.from(centres, ([site, { data }]) => [site, (data as Float32Array).slice()]));
  }

  /** Takes in step `step`, counted from 1. */
  note(step: number, readings: GateReadings): void {
    this.#sums = this.#sums.map((sum, i) => sum + step * Math.sqrt(readings.get(this.sites[i]!.site)?.squares ?? 0));
    for (const [site, { sum, count }] of readings) {
      if (count === 0) continue;
      const before = this.#centres.get(site) ?? new Float32Array(sum.length);
      this.#centres.set(
        site,
        before.map((mean, d) => mean + (sum[d]! / count - mean) / Math.min(step, MEMORY)),
      );
    }
  }

  /** Every MLP's gate in (0, 1), in the order of the sites; a half before the first step. */
  get gates(): number[] {
    return gatesFrom(this.#sums);
  }

  /** What the next step is given. */
  get feeds(): GateFeeds {
    const centres = this.sites.map(({ site, width }) => {
      const mean = this.#centres.get(site) ?? new Float32Array(width);
      return [centreName(site), float32([width], mean)] as const;
    });
    return { layerWeights: this.layerWeights, centres: Object.fromEntries(centres) };
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
