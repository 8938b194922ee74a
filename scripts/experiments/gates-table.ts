// The tables of the experiment on gates: orders, what removal by them leaves, and intervals over examples.
import { randomStream } from "../../src/tensor/index.ts";
import type { GateMeasurement, Measured } from "./gates-measure.ts";
import { markdown, mean, percent, signed } from "./markdown.ts";

/** One run, measured. */
export interface MeasuredRun extends GateMeasurement {
  readonly model: string;
  readonly steps: number;
  readonly variant: string;
  readonly seed: number;
}

const RESAMPLES = 1000;

/** All tables as Markdown: orders first, then what removal leaves. */
export function gatesTables(runs: readonly MeasuredRun[]): string {
  const gated = groups(runs.filter(({ removed }) => removed.length > 0));
  const orders = gated.map((group) => orderRow(group, runs));
  const removals = gated.flatMap((group) => counts(group).map((count) => removalRow(group, count)));
  return [
    markdown(
      [
        "model",
        "steps",
        "gates",
        "seeds",
        "τ with ablation",
        "τ with rise of loss",
        "τ of ablation with loss",
        "spread",
        "score, %",
        "against no gates",
      ],
      orders,
    ),
    "",
    markdown(
      [
        "model",
        "steps",
        "gates",
        "removed",
        "by gates, %",
        "by ablation",
        "by depth",
        "by chance",
        "gates − ablation",
        "gates − depth",
        "gates − chance",
      ],
      removals,
    ),
  ].join("\n");
}

/** How the gates of a group order its MLPs, beside the measurements. */
function orderRow(group: readonly MeasuredRun[], runs: readonly MeasuredRun[]): string[] {
  const plain = runs.filter(
    ({ model, steps, variant }) =>
      model === group[0]!.model &&
      steps === group[0]!.steps &&
      variant === (group[0]!.variant.endsWith("sparse") ? "plain-sparse" : "plain"),
  );
  return [
    ...named(group),
    list(group.map(({ seed }) => String(seed))),
    list(
      group.map(({ gates, alone }) =>
        kendall(
          gates,
          alone.map(({ divergence }) => divergence),
        ).toFixed(2),
      ),
    ),
    list(group.map((run) => kendall(run.gates, lossRises(run)).toFixed(2))),
    list(
      group.map((run) =>
        kendall(
          run.alone.map(({ divergence }) => divergence),
          lossRises(run),
        ).toFixed(2),
      ),
    ),
    list(group.map(({ gates }) => (Math.max(...gates) - Math.min(...gates)).toFixed(2))),
    percent(mean(group.map(({ whole }) => whole.score))),
    group[0]!.variant === "importance" ? "the same bits" : againstPlain(group, plain),
  ];
}

/** Points between runs with gates and those without, where there are some of every seed. */
function againstPlain(group: readonly MeasuredRun[], plain: readonly MeasuredRun[]): string {
  if (group.some(({ seed }) => plain.every((run) => run.seed !== seed))) return "";
  return difference(
    group,
    (run) => run.whole,
    (run) => plainOf(plain, run),
  );
}

const named = ([run]: readonly MeasuredRun[]) => [run!.model, String(run!.steps), run!.variant];
const list = (texts: readonly string[]) => texts.join(" ");
const counts = ([run]: readonly MeasuredRun[]) => [...new Set(run!.removed.map(({ count }) => count))];

function groups(runs: readonly MeasuredRun[]): MeasuredRun[][] {
  const all = new Map<string, MeasuredRun[]>();
  for (const run of runs) {
    const key = named([run]).join();
    all.set(key, [...(all.get(key) ?? []), run]);
  }
  return [...all.values()];
}

function plainOf(plain: readonly MeasuredRun[], { seed }: MeasuredRun): Measured {
  return plain.find((run) => run.seed === seed)!.whole;
}

function removalRow(group: readonly MeasuredRun[], count: number): string[] {
  const by = (rule: string) => (run: MeasuredRun) => {
    // a draw of one MLP is as good as any other, and all are known
    if (rule === "random" && count === 1) return averaged(run.alone);
    return averaged(run.removed.filter((of) => of.rule === rule && of.count === count).map(({ result }) => result));
  };
  const score = (rule: string) => percent(mean(group.map((run) => by(rule)(run).score)));
  const against = (rule: string) => difference(group, by("gates"), by(rule));
  return [
    ...named(group),
    `${count} of ${group[0]!.sites.length}`,
    ...["gates", "ablation", "depth", "random"].map(score),
    ...["ablation", "depth", "random"].map(against),
  ];
}

/** The mean over draws, example by example. */
function averaged(results: readonly Measured[]): Measured {
  const right = results[0]!.right.map((_, i) => mean(results.map((of) => of.right[i]!)));
  return { score: mean(results.map(({ score }) => score)), loss: mean(results.map(({ loss }) => loss)), right };
}

/** Points between two rules over all seeds, with a 95 % bootstrap interval over examples. */
function difference(
  group: readonly MeasuredRun[],
  one: (run: MeasuredRun) => Measured,
  other: (run: MeasuredRun) => Measured,
): string {
  const pairs = group.map((run) => [one(run).right, other(run).right] as const);
  const gains = pairs[0]![0].map((_, i) => mean(pairs.map(([a, b]) => a[i]! - b[i]!)));
  const random = randomStream(0, "bootstrap");
  const means = Array.from({ length: RESAMPLES }, () =>
    mean(gains.map(() => gains[Math.floor(random.uniform() * gains.length)]!)),
  ).sort((a, b) => a - b);
  const [low, high] = [means[Math.floor(0.025 * RESAMPLES)]!, means[Math.floor(0.975 * RESAMPLES)]!];
  return `${signed(mean(gains))} (${signed(low)} to ${signed(high)})`;
}

/** How much the loss rises without each MLP. */
function lossRises({ alone, whole }: MeasuredRun): number[] {
  return alone.map(({ loss }) => loss - whole.loss);
}

/** Kendall's τ: the share of pairs in the same order, less those in the other. */
function kendall(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++)
    for (let j = 0; j < i; j++) sum += Math.sign(a[i]! - a[j]!) * Math.sign(b[i]! - b[j]!);
  return sum / ((a.length * (a.length - 1)) / 2);
}
