// Answers of runs and of models compressed from them as curves: score against the share of neurons kept, JSON and Markdown.
import { glueMetrics } from "../../src/tasks/index.ts";
import { randomStream } from "../../src/tensor/index.ts";
import type { CurveTask, StatedExamples } from "./curves-data.ts";
import { nameOf, type Point, type Removal, TASKS } from "./curves-plans.ts";
import { markdown, mean, percent, signed } from "./markdown.ts";

/** What a model said, an example each: a class's index, or a number. */
export interface Answered extends Point {
  readonly precision: "fp32" | "int8";
  readonly answers: readonly number[];
  /** Parameters over the dense model's. */
  readonly parameterShare: number;
  /** Share of neurons that it has. */
  readonly kept: number;
}

/** How a score changed from one model to another, mean over the seeds. */
export interface Change {
  readonly mean: number;
  /** 95 %, over the examples: seeds are not resampled. */
  readonly low: number;
  readonly high: number;
  readonly bySeed: readonly number[];
}

/** The parts that a score is stated on: the official dev, what was held out of train.tsv, and both. */
export type Part = "dev" | "heldOut" | "all";

/** A place on a curve. */
export interface CurveRow {
  readonly removal: Removal;
  readonly share: number;
  readonly variant: string;
  readonly seeds: readonly number[];
  readonly score: Readonly<Record<Part, number>>;
  /** Against plain PEFT with the same removal and steps, and the same seed. */
  readonly change: Readonly<Record<Part, Change>> | null;
}

/** A small model of a task against the dense one. */
export interface FinalRow {
  readonly task: CurveTask;
  readonly variant: string;
  readonly precision: "fp32" | "int8";
  readonly removal: Removal;
  /** Mean over the seeds. */
  readonly kept: number;
  readonly seeds: readonly number[];
  readonly parameterShare: number;
  readonly examples: number;
  /** On the official dev alone, where there is one. */
  readonly dev: { readonly dense: number; readonly small: number; readonly change: Change } | null;
  readonly dense: number;
  readonly small: number;
  readonly change: Change;
}

export interface CurvesReport {
  readonly curves: readonly CurveRow[];
  readonly finals: readonly FinalRow[];
}

type StatedOf = (task: CurveTask) => StatedExamples;

export function curvesReport(answered: readonly Answered[], statedOf: StatedOf): CurvesReport {
  return { curves: curveRows(answered, statedOf), finals: finalRows(answered, statedOf) };
}

function curveRows(answered: readonly Answered[], statedOf: StatedOf): CurveRow[] {
  const sst2 = answered.filter(
    ({ task, variant, precision, removal }) =>
      variant !== "final" && task === "sst2" && precision === "fp32" && removal !== "budget",
  );
  return grouped(sst2).map((own) => {
    const [{ removal, share, variant }] = own as [Answered];
    const stated = statedOf("sst2");
    const byPart = <T>(of: (part: Part) => T) => ({ dev: of("dev"), heldOut: of("heldOut"), all: of("all") });
    const pairs = own.flatMap((to) => {
      const from = sst2.find((other) => nameOf(other) === nameOf({ ...to, variant: "plain" }));
      return from === undefined ? [] : [{ from, to }];
    });
    return {
      removal,
      share,
      variant,
      seeds: own.map(({ seed }) => seed),
      score: byPart((part) => mean(own.map((model) => scoreOf(model, stated, indicesOf(stated, part))))),
      change: variant === "plain" || pairs.length < own.length ? null : byPart((part) => changeOf(pairs, stated, part)),
    };
  });
}

function finalRows(answered: readonly Answered[], statedOf: StatedOf): FinalRow[] {
  // what a loss changes stands in the table of curves
  const shown = answered.filter(({ removal, variant }) => removal !== "none" && /^(final|plain)$/.test(variant));
  return grouped(shown).flatMap((own): FinalRow[] => {
    const pairs = own.flatMap((to) => {
      const dense: Point = { ...to, removal: "none", share: 1 };
      const from = answered.find((other) => other.precision === "fp32" && nameOf(other) === nameOf(dense));
      return from === undefined ? [] : [{ from, to }];
    });
    const [pair] = pairs;
    if (pair === undefined) return [];
    const { task, variant, precision, removal } = pair.to;
    const stated = statedOf(task);
    const all = indicesOf(stated, "all");
    const scoresOn = (indices: readonly number[]) => ({
      dense: mean(pairs.map(({ from }) => scoreOf(from, stated, indices))),
      small: mean(pairs.map(({ to }) => scoreOf(to, stated, indices))),
    });
    return [
      {
        task,
        variant,
        precision,
        removal,
        kept: mean(pairs.map(({ to }) => to.kept)),
        seeds: pairs.map(({ to }) => to.seed),
        parameterShare: mean(pairs.map(({ to }) => to.parameterShare)),
        examples: all.length,
        dev:
          stated.dev === 0 ? null : { ...scoresOn(indicesOf(stated, "dev")), change: changeOf(pairs, stated, "dev") },
        ...scoresOn(all),
        change: changeOf(pairs, stated, "all"),
      },
    ];
  });
}

/** Models that differ by their seed only. */
function grouped(answered: readonly Answered[]): Answered[][] {
  const groups = new Map<string, Answered[]>();
  for (const model of answered) {
    const key = `${nameOf({ ...model, seed: 0 })} ${model.precision}`;
    groups.set(key, [...(groups.get(key) ?? []), model]);
  }
  return [...groups.values()];
}

function indicesOf({ labels, dev }: StatedExamples, part: Part): number[] {
  const [from, to] = part === "dev" ? [0, dev] : [part === "heldOut" ? dev : 0, labels.length];
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function scoreOf({ task, answers }: Answered, { labels }: StatedExamples, indices: readonly number[]): number {
  const { metric } = TASKS[task];
  const pick = (of: readonly number[]) => Float64Array.from(indices, (i) => of[i]!);
  return glueMetrics([metric], pick(answers), pick(labels))[metric]!;
}

const RESAMPLES = 2000;

/**
 * The change of the score, and its percentile interval over examples: one drawn comes with its answers of all seeds, since what is
 * hard about it is the same. For any metric: each resample is scored anew.
 */
function changeOf(
  pairs: readonly { readonly from: Answered; readonly to: Answered }[],
  stated: StatedExamples,
  part: Part,
): Change {
  const own = indicesOf(stated, part);
  const of = (all: readonly number[]) => Float64Array.from(own, (i) => all[i]!);
  const labels = of(stated.labels);
  const says = pairs.map(({ from, to }) => ({ task: to.task, from: of(from.answers), to: of(to.answers) }));
  // filled anew for each resample: they are many
  const [said, right] = [new Float64Array(own.length), new Float64Array(own.length)];
  const scoreOn = (task: CurveTask, answers: Float64Array, places: ArrayLike<number>) => {
    for (let k = 0; k < places.length; k++) {
      said[k] = answers[places[k]!]!;
      right[k] = labels[places[k]!]!;
    }
    const { metric } = TASKS[task];
    return glueMetrics([metric], said, right)[metric]!;
  };
  const changesOn = (places: ArrayLike<number>) =>
    says.map(({ task, from, to }) => scoreOn(task, to, places) - scoreOn(task, from, places));
  const random = randomStream(0, "curves");
  const places = new Int32Array(own.length);
  const drawn = Array.from({ length: RESAMPLES }, () => mean(changesOn(places.map(() => random.integer(own.length)))));
  drawn.sort((a, b) => a - b);
  const bySeed = changesOn(own.map((_, k) => k));
  return { mean: mean(bySeed), low: drawn[RESAMPLES * 0.025]!, high: drawn[RESAMPLES * 0.975 - 1]!, bySeed };
}

/** Three Markdown tables: the curves, what lies above plain PEFT's, and the final recipe. */
export function curvesTables({ curves, finals }: CurvesReport): string {
  return [
    markdown(
      ["removal", "kept, %", "variant", "dev, %", "held out, %", "seeds"],
      curves.map(({ removal, share, variant, score, seeds }) => [
        removal,
        percent(share, 0),
        variant,
        percent(score.dev),
        percent(score.heldOut),
        seeds.join(" "),
      ]),
    ),
    markdown(
      ["removal", "kept, %", "variant", "on dev", "on held out", "on all", "95 % interval", "on all, by seed"],
      curves.flatMap(({ removal, share, variant, change }) =>
        change === null
          ? []
          : [
              [
                removal,
                percent(share, 0),
                variant,
                signed(change.dev.mean),
                signed(change.heldOut.mean),
                ...changeCells(change.all),
              ],
            ],
      ),
    ),
    markdown(
      [
        "task",
        "variant",
        "removal",
        "weights",
        "kept, %",
        "parameters",
        "on dev: dense",
        "small",
        "change",
        "95 % interval",
        "on all: dense",
        "small",
        "change",
        "95 % interval",
        "by seed",
      ],
      finals.map(({ task, variant, removal, precision, kept, parameterShare, dev, dense, small, change }) => [
        task,
        variant,
        removal,
        precision,
        percent(kept, 0),
        `${parameterShare.toFixed(3)}×`,
        ...(dev === null
          ? ["", "", "", ""]
          : [percent(dev.dense), percent(dev.small), ...changeCells(dev.change).slice(0, 2)]),
        percent(dense),
        percent(small),
        ...changeCells(change),
      ]),
    ),
  ].join("\n\n");
}

const changeCells = ({ mean: change, low, high, bySeed }: Change) => [
  signed(change),
  `${signed(low)} to ${signed(high)}`,
  bySeed.map((value) => signed(value, 1)).join(" "),
];
