// Finished runs as the table of methods: JSON, and Markdown of it.
import type { DensityReport } from "../../src/density/index.ts";
import { densityBy, densityDefinitions, NEAR_ZERO_DEFINITION } from "../../src/density/index.ts";
import { pairedOverSeeds } from "../../src/jobs/index.ts";
import type { RunRecord } from "../../src/runs/index.ts";
import type { Outcome } from "../../src/tasks/index.ts";
import type { TrainEvent } from "../../src/train/index.ts";
import { markdown, mean, percent, signed } from "./markdown.ts";

/** A row of the table. */
export interface Cell {
  readonly model: string;
  readonly base: "float32" | "nf4" | "wanda 50 %";
  readonly method: string;
}

/** One run of a row. */
export interface FinishedRun extends Cell {
  readonly variant: "peft" | "deft";
  readonly seed: number;
  readonly record: RunRecord;
  readonly events: readonly TrainEvent[];
  readonly outcomes: readonly Outcome[];
  /** Of the whole process, mapped files included; null where it was not noted. */
  readonly peakBytes: number | null;
  readonly cpuSeconds: number | null;
}

/** A figure without and with the density loss. */
interface Both<T = number> {
  readonly peft: T;
  readonly deft: T;
}

type Stack = "encoder" | "decoder" | "generation";

/** A row with its figures: means over the seeds. */
export interface MethodRow extends Cell {
  readonly seeds: readonly number[];
  readonly weight: number;
  /** Share of right answers on SST-2's own dev, and on all that is scored. */
  readonly devScore: Both;
  readonly score: Both;
  /** Of `score`, DEFT minus PEFT: mean of the seeds' differences, an interval over the examples, and each seed's own. */
  readonly change: { readonly mean: number; readonly low: number; readonly high: number };
  readonly changes: readonly number[];
  readonly examples: number;
  /** By stack and definition. */
  readonly density: Readonly<Partial<Record<Stack, Readonly<Record<string, Both>>>>>;
  /** Headline density of each seed, over the stacks that score the task: DEFT's over PEFT's, minus 1. */
  readonly densityChanges: Readonly<Partial<Record<Stack, readonly number[]>>>;
  readonly trainableShare: number;
  /** The tenth percentile over the steps of all seeds: what other work on the machine disturbs least. */
  readonly stepMs: Both;
  /** Processor time of a whole run, its evaluation included. */
  readonly cpuSeconds: Both<number | null>;
  readonly peakBytes: Both<number | null>;
  /** With every seed the density of every stack falls and no point is lost, and the interval excludes that loss too. */
  readonly holds: boolean;
}

/** SST-2's own dev comes first in what is scored. */
const DEV_SENTENCES = 872;

/** One row for each cell of which a seed has both runs. */
export function methodsReport(runs: readonly FinishedRun[]): MethodRow[] {
  const keys = [...new Set(runs.map(keyOf))];
  return keys.flatMap((key) => {
    const of = runs.filter((run) => keyOf(run) === key);
    const pairs = of
      .filter(({ variant }) => variant === "peft")
      .flatMap((peft) => {
        const deft = of.find(({ variant, seed }) => variant === "deft" && seed === peft.seed);
        return deft === undefined ? [] : [{ peft, deft }];
      });
    return pairs.length === 0 ? [] : [rowOf(pairs)];
  });
}

const keyOf = ({ model, base, method }: Cell) => [model, base, method].join("|");

function rowOf(pairs: readonly Both<FinishedRun>[]): MethodRow {
  const [{ deft: first }] = pairs as [Both<FinishedRun>];
  const both = (figure: (run: FinishedRun) => number): Both => ({
    peft: mean(pairs.map(({ peft }) => figure(peft))),
    deft: mean(pairs.map(({ deft }) => figure(deft))),
  });
  const scoresOf = (run: FinishedRun) => run.outcomes.map(({ score }) => score ?? Number.NaN);
  const interval = pairedOverSeeds(pairs.map(({ peft, deft }) => ({ peft: peft.outcomes, deft: deft.outcomes })));
  if (interval === null) throw new Error(`${keyOf(first)}: its runs did not answer the same examples`);
  const { difference, low, high } = interval;
  const changes = pairs.map(({ peft, deft }) => mean(scoresOf(deft)) - mean(scoresOf(peft)));
  const stacks = stacksOf(densityOf(first));
  const densityChanges = Object.fromEntries(
    stacks.map((stack) => [
      stack,
      pairs.map(({ peft, deft }) => headline(densityOf(deft), stack) / headline(densityOf(peft), stack) - 1),
    ]),
  );
  const start = first.events.find((event) => event.type === "start")!;
  return {
    model: first.model,
    base: first.base,
    method: first.method,
    seeds: pairs.map(({ deft }) => deft.seed),
    weight: first.record.settings.density.weight,
    devScore: both((run) => mean(scoresOf(run).slice(0, DEV_SENTENCES))),
    score: both((run) => mean(scoresOf(run))),
    change: { mean: difference, low, high },
    changes,
    examples: first.outcomes.length,
    density: Object.fromEntries(stacks.map((stack) => [stack, definitionsOf(stack, densityOf(first), both)])),
    densityChanges,
    trainableShare: start.trainableParameters / start.totalParameters,
    stepMs: { peft: stepTime(pairs.map(({ peft }) => peft)), deft: stepTime(pairs.map(({ deft }) => deft)) },
    cpuSeconds: { peft: cpu(pairs.map(({ peft }) => peft)), deft: cpu(pairs.map(({ deft }) => deft)) },
    peakBytes: { peft: largest(pairs.map(({ peft }) => peft)), deft: largest(pairs.map(({ deft }) => deft)) },
    holds:
      low > -0.01 &&
      changes.every((value) => value > -0.01) &&
      Object.values(densityChanges).every((values) => values.every((value) => value < 0)),
  };
}

const densityOf = (run: FinishedRun): DensityReport => run.record.result!.density;
const headline = (density: DensityReport, stack: Stack) => densityBy(density[stack]!, NEAR_ZERO_DEFINITION);
const stacksOf = (density: DensityReport): Stack[] =>
  (["encoder", "decoder", "generation"] as const).filter((stack) => density[stack] !== undefined);

function definitionsOf(
  stack: Stack,
  density: DensityReport,
  both: (figure: (run: FinishedRun) => number) => Both,
): Record<string, Both> {
  return Object.fromEntries(
    densityDefinitions(density[stack]!).map((definition) => [
      definition,
      both((run) => densityBy(densityOf(run)[stack]!, definition)),
    ]),
  );
}

function stepTime(runs: readonly FinishedRun[]): number {
  const times = runs.flatMap(({ events }) => events.flatMap((event) => (event.type === "step" ? [event.stepMs] : [])));
  return times.sort((a, b) => a - b)[Math.floor(times.length / 10)] ?? Number.NaN;
}

function cpu(runs: readonly FinishedRun[]): number | null {
  const known = runs.flatMap(({ cpuSeconds }) => (cpuSeconds === null ? [] : [cpuSeconds]));
  return known.length === 0 ? null : mean(known);
}

function largest(runs: readonly FinishedRun[]): number | null {
  const known = runs.flatMap(({ peakBytes }) => (peakBytes === null ? [] : [peakBytes]));
  return known.length === 0 ? null : Math.max(...known);
}

/** Three Markdown tables: scores with the headline density, costs, and the densities by every definition. */
export function methodsTables(rows: readonly MethodRow[]): string {
  const tables = [
    markdown(SCORE_HEAD, rows.map(scoreCells)),
    markdown(COST_HEAD, rows.map(costCells)),
    markdown(DENSITY_HEAD, rows.flatMap(densityCells)),
  ];
  return tables.join("\n\n");
}

const SCORE_HEAD = [
  "model",
  "base",
  "method",
  "λ",
  "dev, %",
  "change on all",
  "95 % interval",
  "by seed",
  "P(abs(a) > 0.01), %",
  "change, %",
  "holds",
];

function scoreCells(row: MethodRow): string[] {
  const { devScore, change, changes, density, densityChanges } = row;
  const stacks = (Object.keys(density) as Stack[]).filter((stack) => stack !== "generation");
  return [
    row.model,
    row.base,
    row.method,
    String(row.weight),
    arrow(devScore),
    signed(change.mean),
    `${signed(change.low)} to ${signed(change.high)}`,
    changes.map((value) => signed(value, 1)).join(" "),
    stacks.map((stack) => arrow(density[stack]![NEAR_ZERO_DEFINITION]!)).join("; "),
    stacks.map((stack) => signed(mean(densityChanges[stack]!), 1)).join("; "),
    row.seeds.length < 3 ? `${row.seeds.length} of 3 seeds` : row.holds ? "yes" : "no",
  ];
}

const COST_HEAD = ["model", "base", "method", "trained, %", "step, ms", "run, CPU seconds", "peak memory, MB"];

function costCells({ model, base, method, trainableShare, stepMs, cpuSeconds, peakBytes }: MethodRow): string[] {
  const known = ({ peft, deft }: Both<number | null>, unit: number) =>
    [peft, deft].map((value) => (value === null ? "?" : (value / unit).toFixed(0))).join(" → ");
  const costs = [known(stepMs, 1), known(cpuSeconds, 1), known(peakBytes, 1e6)];
  return [model, base, method, percent(trainableShare, 2), ...costs];
}

const DEFINITIONS = ["paper", "exact", "0.0001", "0.001", "0.01", "0.05", "0.1"];
const DENSITY_HEAD = [
  "model",
  "base",
  "method",
  "stack",
  ...DEFINITIONS.map((name) => (/\d/.test(name) ? `> ${name}` : name)),
];

function densityCells({ model, base, method, density }: MethodRow): string[][] {
  return Object.entries(density).map(([stack, by]) => [
    model,
    base,
    method,
    stack,
    ...DEFINITIONS.map((name) => `${percent(by[name]!.peft)} → ${percent(by[name]!.deft)}`),
  ]);
}

const arrow = ({ peft, deft }: Both) => `${percent(peft)} → ${percent(deft)}`;
