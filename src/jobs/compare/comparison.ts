// PEFT against DEFT: the same run without and with the density loss, and what that changed.
import {
  type Density,
  type DensityReport,
  densityBy,
  densityDefinitions,
  headlineDefinition,
} from "../../density/index.ts";
import { type BootstrapInterval, type Evaluation, type Outcome, pairedBootstrap } from "../../tasks/index.ts";

/** `(PEFT − DEFT) / PEFT` by stack: positive is sparser; NaN where PEFT's density is 0. */
export interface DensityChange {
  readonly encoder: number;
  readonly decoder?: number;
  readonly generation?: number;
}

/** One method and seed, without (`peft`) and with (`deft`) the density loss. */
export interface ComparisonRow {
  readonly method: string;
  readonly seed: number;
  readonly peft: Evaluation;
  readonly deft: Evaluation;
  /** By the headline definition. */
  readonly densityChange: DensityChange;
  /** By every definition: `paper`, `exact` and each threshold. */
  readonly densityChanges: Readonly<Record<string, DensityChange>>;
  /** DEFT's main metric minus PEFT's, in the metric's unit: negative is worse. */
  readonly scoreChange: number;
}

/** The result of `deft compare`. */
export interface Comparison {
  readonly task: string;
  /** The base model, as the settings name it. */
  readonly model?: string;
  /** The metric of `scoreChange`. */
  readonly metricName: string;
  readonly rows: readonly ComparisonRow[];
  /** By method; only of runs that kept what they answered. */
  readonly intervals?: readonly ScoreInterval[];
}

/** How far the share of right answers changed, DEFT minus PEFT, had the examples been others. */
export interface ScoreInterval extends BootstrapInterval {
  readonly method: string;
  readonly seeds: readonly number[];
  readonly examples: number;
}

/**
 * The interval over pairs of runs, one a seed: an example is drawn with its answers under all seeds, since what is hard
 * about it is the same. Null where answers have no scores, or the runs did not answer the same examples.
 */
export function pairedOverSeeds(
  pairs: readonly { readonly peft: readonly Outcome[]; readonly deft: readonly Outcome[] }[],
): BootstrapInterval | null {
  const [first] = pairs;
  if (first === undefined || first.peft.length === 0) return null;
  const all = pairs.flatMap(({ peft, deft }) => [peft, deft]);
  const isAlike = (outcomes: readonly Outcome[]) =>
    outcomes.length === first.peft.length &&
    outcomes.every(({ line, score }, i) => score !== null && line === first.peft[i]!.line);
  if (!all.every(isAlike)) return null;
  const meanScores = (variant: "peft" | "deft") =>
    first.peft.map((_, i) => pairs.reduce((sum, pair) => sum + pair[variant][i]!.score!, 0) / pairs.length);
  return pairedBootstrap(meanScores("deft"), meanScores("peft"));
}

/** The row for one method and seed; `metricName` is the task's main metric. */
export function comparisonRow(
  { method, seed, peft, deft }: Pick<ComparisonRow, "method" | "seed" | "peft" | "deft">,
  metricName: string,
): ComparisonRow {
  const definitions = densityDefinitions(peft.density.encoder);
  const densityChanges = Object.fromEntries(
    definitions.map((definition) => [definition, densityChange(peft.density, deft.density, definition)]),
  );
  return {
    method,
    seed,
    peft,
    deft,
    densityChange: densityChange(peft.density, deft.density, headlineDefinition(peft.density, deft.density)),
    densityChanges,
    scoreChange: (deft.metrics[metricName] ?? Number.NaN) - (peft.metrics[metricName] ?? Number.NaN),
  };
}

function densityChange(peft: DensityReport, deft: DensityReport, definition: string): DensityChange {
  const change = (before: Density, after: Density) => {
    const from = densityBy(before, definition);
    return from === 0 ? Number.NaN : (from - densityBy(after, definition)) / from;
  };
  return {
    encoder: change(peft.encoder, deft.encoder),
    ...(peft.decoder && deft.decoder ? { decoder: change(peft.decoder, deft.decoder) } : {}),
    ...(peft.generation && deft.generation ? { generation: change(peft.generation, deft.generation) } : {}),
  };
}
