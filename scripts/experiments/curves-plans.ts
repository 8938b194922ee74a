// What the curves are made of: runs, and models compressed from them, each with the flags that make it.
import type { MetricName } from "../../src/tasks/index.ts";
import type { CurveSizes, CurveTask } from "./curves-data.ts";

/**
 * `cut`: after training, outputs fitted again, not a step more; `post hoc`: the same with a recovery; `gradual`: while training;
 * `budget`: as many as a search under a budget of one point of score takes.
 */
export type Removal = "none" | "cut" | "post hoc" | "gradual" | "budget";

/** A model on a curve. */
export interface Point {
  readonly task: CurveTask;
  readonly variant: string;
  readonly removal: Removal;
  /** Share of MLP neurons kept; under a budget 1, what was asked for. */
  readonly share: number;
  readonly seed: number;
}

export interface TaskRecipe {
  readonly metric: MetricName;
  readonly sizes: CurveSizes;
  /** Of the final recipe; the curves are of one. */
  readonly epochs: string;
  /** Steps of the final recipe's recovery: as many as its run had, or two thirds. */
  readonly recoverySteps: string;
}

export const TASKS: Readonly<Record<CurveTask, TaskRecipe>> = {
  sst2: {
    metric: "accuracy",
    sizes: { train: 24_000, chosenBy: 2000, heldOut: 2000 },
    epochs: "1",
    recoverySteps: "1500",
  },
  cola: {
    metric: "matthews_correlation",
    sizes: { train: 6400, chosenBy: 1000, heldOut: 1000 },
    epochs: "3",
    recoverySteps: "800",
  },
  stsb: {
    metric: "pearson",
    sizes: { train: 4200, chosenBy: 500, heldOut: 1000 },
    epochs: "3",
    recoverySteps: "526",
  },
};

export const SEEDS = [1, 2, 3] as const;
export const SHARES = [0.5, 0.25, 0.15] as const;

/** What the final recipe keeps: few enough for 1.8 times the speed, of which attention takes its part. */
const FINAL_SHARE = 0.15;
/** What an earlier recipe kept, with neurons going while training. */
const GRADUAL_SHARE = 0.3;

/** Sentences that the curves train on, the first of those of the final recipe. */
const CURVE_EXAMPLES = "6400";

/** Neurons go between these shares of the steps; loss and cool-down are set by them. */
const REMOVAL = ["--removal-start", "0.2", "--removal-end", "0.6"];
/** Earlier: what has to be learned again needs steps more than the removal does. */
const FINAL_REMOVAL = ["--removal-start", "0.05", "--removal-end", "0.4"];

interface Variant {
  readonly flags: readonly string[];
  /** Flags where neurons go while training, if others. */
  readonly gradual?: readonly string[];
  /** Its weight is found beside a run of plain PEFT. */
  readonly isReferred?: boolean;
  /** As many epochs as the task's final recipe has, and its removal. */
  readonly isFinal?: boolean;
}

/** The loss ends before the run does, so that the task has the last steps for itself. */
const LOSS = ["--density-weight", "0.2", "--density-cooldown-ratio", "0.3"];
/** With neurons going it acts before and while they go, and not on those that stay. */
const LOSS_WHILE_GOING = [
  "--density-weight",
  "0.15",
  "--density-warmup-ratio",
  "0.1",
  "--density-cooldown-ratio",
  "0.6",
];
const NEURONS = ["--density-loss", "neurons"];

/** `plain` is PEFT; the rest have a loss or gates besides. */
export const VARIANTS: Readonly<Record<string, Variant>> = {
  plain: { flags: ["--density-weight", "0"] },
  neurons: { flags: [...NEURONS, ...LOSS], gradual: [...NEURONS, ...LOSS_WHILE_GOING] },
  activations: { flags: LOSS, gradual: LOSS_WHILE_GOING },
  ada: {
    flags: ["--ada", "--gates", "sigmoid", ...NEURONS, ...LOSS],
    gradual: ["--ada", "--gates", "sigmoid", ...NEURONS, ...LOSS_WHILE_GOING],
  },
  final: { flags: ["--density-weight", "0"], isFinal: true },
  auto: { flags: [...NEURONS, "--density-weight", "auto"], isReferred: true },
};

export function nameOf({ task, variant, removal, share, seed }: Point): string {
  const asked = Math.round(removal === "budget" ? share : 100 * share);
  const how = removal === "none" ? "dense" : `${removal.replace(" ", "")}${asked}`;
  return [task, variant, how, seed].join("-");
}

/** The run that a point's model is, or is compressed from. */
export function runOf(point: Point): Point {
  return point.removal === "none" || point.removal === "gradual" ? point : { ...point, removal: "none", share: 1 };
}

/** The run of plain PEFT that a run's weight is found beside. */
export function referenceOf(run: Point): Point | null {
  return VARIANTS[run.variant]!.isReferred ? { ...run, variant: "plain" } : null;
}

/** `deft train`'s flags of a run, but for model, data, reference and output. */
export function trainFlags({ task, variant, removal, share, seed }: Point): string[] {
  const { flags, gradual = flags, isFinal = false } = VARIANTS[variant]!;
  return [
    "--task",
    task,
    "--method",
    "lora",
    "--targets",
    "all-linear",
    "--learning-rate",
    "1e-3",
    "--epochs",
    isFinal ? TASKS[task].epochs : "1",
    ...(isFinal ? [] : ["--limit-train", CURVE_EXAMPLES]),
    "--batch-size",
    "16",
    "--seed",
    String(seed),
    ...(removal === "gradual"
      ? [...gradual, "--keep-neurons", String(share), ...(isFinal ? FINAL_REMOVAL : REMOVAL)]
      : flags),
  ];
}

/** The whole smaller model learns, from the labels and from the dense one. */
const RECOVERY = ["--recovery-method", "full", "--recovery-rate", "1e-4", "--recovery-steps"];

/** `deft compress`'s flags: neurons that training has masked go by themselves, and exactly. */
export function compressFlags({ task, variant, removal, share }: Point): string[] {
  if (removal === "budget") return ["--score-budget", String(share)];
  const keep = ["--keep-neurons", String(share)];
  if (removal === "cut") return keep;
  if (removal !== "post hoc") return [];
  return VARIANTS[variant]!.isFinal
    ? [...keep, "--keep-scope", "global", ...RECOVERY, TASKS[task].recoverySteps]
    : [...keep, ...RECOVERY, "100"];
}

/** The curves: SST-2, three kinds of removal, seed by seed so that an interrupted experiment has whole seeds. */
export function curvePoints(variants: readonly string[]): Point[] {
  return SEEDS.flatMap((seed) =>
    variants.flatMap((variant): Point[] => {
      const point = (removal: Removal, share: number): Point => ({ task: "sst2", variant, removal, share, seed });
      return [
        point("none", 1),
        ...SHARES.map((share) => point("cut", share)),
        ...SHARES.map((share) => point("post hoc", share)),
        ...SHARES.map((share) => point("gradual", share)),
      ];
    }),
  );
}

/** The final recipe: the dense run and the small model of each task and seed; of SST-2 also all neurons, trained on as the small one is. */
export function finalPoints(): Point[] {
  return SEEDS.flatMap((seed) =>
    (Object.keys(TASKS) as CurveTask[]).flatMap((task): Point[] => [
      { task, variant: "final", removal: "none", share: 1, seed },
      { task, variant: "final", removal: "post hoc", share: FINAL_SHARE, seed },
      ...(task === "sst2"
        ? ([
            { task, variant: "final", removal: "post hoc", share: 1, seed },
            { task, variant: "final", removal: "gradual", share: GRADUAL_SHARE, seed },
          ] as const)
        : []),
    ]),
  );
}

/** What a budget of one point comes to on examples that the search did not see. */
export function budgetPoints(): Point[] {
  return SEEDS.map((seed) => ({ task: "sst2", variant: "plain", removal: "budget", share: 1, seed }));
}
