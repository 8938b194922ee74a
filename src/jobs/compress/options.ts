// What `deft compress` is told: rules, budgets and sizes, checked together.
import * as z from "zod";
import { ConfigError, type ConfigIssue } from "../../errors.ts";
import type { Compensation, WeightQuantization } from "../../prune/index.ts";
import { DEPLOYED_FORMS, lossDefaults, weightForm } from "../../settings/index.ts";
import { RECOVERY_METHODS, type RecoveryRequest } from "./recovery.ts";
import type { ActivationRequest } from "./swap.ts";

/** A layer: its number, or where a model has two stacks the stack and the number there. */
export type LayerName = number | `encoder.${number}` | `decoder.${number}`;

/** Which order MLPs are removed in. */
export type CountBy = "ablation" | "gates";

/** How what is removed is chosen. */
export type CompressRule =
  | {
      readonly kind: "explicit";
      /** Share of each layer's neurons that stay; null: all. */
      readonly keepNeurons: number | null;
      /** Neurons that never exceed this on the calibration data go; null: none. */
      readonly threshold: number | null;
      /** Layers whose MLP goes. */
      readonly skip: readonly LayerName[];
      /** MLPs whose learned gate is below this go; null: none. */
      readonly gateThreshold: number | null;
      /** How many more MLPs go, the least missed first. */
      readonly count: number;
      /** What says which are missed least: a measurement, which is the default, or the gates of training. */
      readonly countBy?: CountBy;
    }
  /** As much as a drop of this much in score allows; a fraction. */
  | { readonly kind: "score"; readonly budget: number }
  /** This share of all neurons, each layer as many as the logits ask for. */
  | { readonly kind: "neurons"; readonly budget: number }
  /** As little as latency at this share of the dense model's asks for. */
  | { readonly kind: "latency"; readonly budget: number }
  /** Without a rule: what training's masks or a proof says is silent; exact. */
  | { readonly kind: "silent" }
  | { readonly kind: "plan"; readonly file: string };

export interface CompressOptions {
  readonly output: string;
  readonly rule: CompressRule;
  readonly quantization: WeightQuantization;
  /** What makes up for neurons that go, where they were not silent; null: a refit, but on a pruned base, whose zeros it would fill. */
  readonly compensation: Exclude<Compensation, "none"> | null;
  /** Training examples that statistics are taken from; null: 512, of long texts fewer. */
  readonly calibrationExamples: number | null;
  /** Fine-tuning after removal; null: none. */
  readonly recovery: RecoveryRequest | null;
  /** Score that decoding by the rows of active neurons may cost, a fraction; null: whole matrices. */
  readonly decodingBudget: number | null;
  /** Another activation of all MLPs, before anything is removed; null: their own. */
  readonly activation: ActivationRequest | null;
}

const text = z.string().min(1);
const layers = z.preprocess(
  (value) =>
    typeof value === "string" || typeof value === "number"
      ? String(value)
          .split(",")
          .map((name) => (/^\s*\d+\s*$/.test(name) ? Number(name) : name.trim()))
      : value,
  z.array(z.union([z.int().min(0), z.custom<LayerName>(isLayerPath)])).min(1),
);
const latency = z.preprocess(
  (value) => (typeof value === "string" ? Number(value.replace(/x$/, "")) : value),
  z.number().gt(0).lt(1),
);
const SHAPE = {
  output: text,
  plan: text,
  "keep-neurons": z.number().gt(0).max(1),
  "keep-scope": z.enum(["layer", "global"]),
  threshold: z.number().min(0),
  skip: layers,
  "gate-threshold": z.number().gt(0).max(1),
  count: z.int().min(1),
  "count-by": z.enum(["ablation", "gates"]),
  "score-budget": z.number().min(0).max(100),
  "latency-budget": latency,
  quantize: z.unknown().transform((word, context): WeightQuantization => {
    const form = weightForm(word, DEPLOYED_FORMS);
    if (form !== undefined) return form === "int4" ? "q4" : form;
    context.addIssue({ code: "custom" });
    return z.NEVER;
  }),
  compensation: z.enum(["refit", "mean"]),
  "calibration-examples": z.int(),
  "recovery-steps": z.int().min(0),
  "recovery-method": z.enum(RECOVERY_METHODS),
  "recovery-rate": z.number().positive(),
  "recovery-distillation": z.number().min(0).max(1),
  "decoding-budget": z.number().min(0).max(100),
  activation: z.enum(["relu"]),
  "density-budget": z.number().gt(0).lt(1),
  "fit-steps": z.int().min(0),
};
const EXPECTED: Readonly<Record<keyof typeof SHAPE, string>> = {
  output: "a folder for the compressed model",
  plan: "a plan's file",
  "keep-neurons": "a share above 0, at most 1",
  "keep-scope": "layer or global",
  threshold: "a magnitude ≥ 0",
  skip: "layers such as 3,7, of an encoder–decoder encoder.3,decoder.7",
  "gate-threshold": "a gate above 0, at most 1",
  count: "a whole number ≥ 1",
  "count-by": "ablation or gates",
  "score-budget": "points from 0 to 100 (1 means 0.01)",
  "latency-budget": "a share of the dense model's latency below 1, such as 0.5x",
  quantize: `one of ${DEPLOYED_FORMS.join(", ")}`,
  compensation: "refit or mean",
  "calibration-examples": "a whole number ≥ 1",
  "recovery-steps": "a whole number ≥ 0",
  "recovery-method": "lora or full",
  "recovery-rate": "a learning rate above 0",
  "recovery-distillation": "the dense model's share of the loss, from 0 to 1",
  "decoding-budget": "points from 0 to 100 (1 means 0.01)",
  activation: "relu",
  "density-budget": "a share of activations above 0 and below 1, such as 0.05",
  "fit-steps": "a whole number ≥ 0",
};

function isLayerPath(value: unknown): boolean {
  return typeof value === "string" && /^(encoder|decoder)\.\d+$/.test(value);
}

/** Names of the flags that are compress's own; the others lie over the run's settings. */
export const COMPRESS_KEYS = Object.keys(SHAPE) as (keyof typeof SHAPE)[];

type Given = { readonly [K in keyof typeof SHAPE]?: z.infer<(typeof SHAPE)[K]> | undefined };

/**
 * Options from flags by name.
 * @throws {ConfigError} with every mistake: values, rules that exclude each other, no rule at all.
 */
export function compressOptions(flags: Readonly<Record<string, unknown>>): CompressOptions {
  const parsed = z.object(SHAPE).partial().safeParse(flags);
  const issues: ConfigIssue[] = [];
  if (!parsed.success) {
    for (const key of new Set(parsed.error.issues.map(({ path }) => path[0] as keyof typeof SHAPE)))
      issues.push({ path: `--${key}`, expected: EXPECTED[key], got: JSON.stringify(flags[key]) });
  }
  const given: Given = parsed.success ? parsed.data : {};
  if (flags.output === undefined) issues.push({ path: "--output", expected: EXPECTED.output, got: "nothing" });
  if (parsed.success && (given["calibration-examples"] ?? 1) < 1)
    issues.push({
      path: "--calibration-examples",
      expected: "at least one example to take statistics from",
      got: String(given["calibration-examples"]),
    });
  if (parsed.success) issues.push(...exclusive(given), ...unrecovered(given), ...swapIssues(given));
  if (issues.length > 0) throw new ConfigError(issues, { hint: "`deft compress --help` lists every rule." });
  return {
    output: given.output!,
    rule: ruleOf(given),
    quantization: given.quantize ?? "none",
    compensation: given.compensation ?? null,
    calibrationExamples: given["calibration-examples"] ?? null,
    recovery: recoveryOf(given),
    decodingBudget: given["decoding-budget"] === undefined ? null : given["decoding-budget"] / 100,
    activation: activationOf(given),
  };
}

const ALONE = ["score-budget", "latency-budget", "plan"] as const;
const EXPLICIT = ["keep-neurons", "threshold", "skip", "gate-threshold", "count"] as const;

function exclusive(given: Given): ConfigIssue[] {
  const isShared = given["keep-scope"] === "global";
  if (given["keep-scope"] !== undefined && given["keep-neurons"] === undefined)
    return [
      { path: "--keep-scope", expected: "--keep-neurons, without which it means nothing", got: "no --keep-neurons" },
    ];
  if (given["count-by"] !== undefined && given.count === undefined)
    return [{ path: "--count-by", expected: "--count, without which it means nothing", got: "no --count" }];
  // the budget of score of a swap is no rule of removal
  const isRule = (key: (typeof ALONE)[number]) => key !== "score-budget" || given.activation === undefined;
  const alone = [
    ...ALONE.filter((key) => given[key] !== undefined && isRule(key)),
    ...(isShared ? ["keep-scope global"] : []),
  ];
  const others = EXPLICIT.filter((key) => given[key] !== undefined && !(isShared && key === "keep-neurons"));
  if (alone.length === 0 || alone.length + others.length === 1) return [];
  const got = [...alone, ...others].map((key) => `--${key}`).join(" and ");
  return [{ path: `--${alone[0]}`, expected: "no other rule beside it", got }];
}

const RECOVERY = ["recovery-method", "recovery-rate", "recovery-distillation"] as const;

/** What says how to recover, where nothing is to be recovered. */
function unrecovered(given: Given): ConfigIssue[] {
  if ((given["recovery-steps"] ?? 0) > 0) return [];
  return RECOVERY.filter((key) => given[key] !== undefined).map((key) => ({
    path: `--${key}`,
    expected: "--recovery-steps N, without which it means nothing",
    got: "no --recovery-steps",
  }));
}

function recoveryOf(given: Given): RecoveryRequest | null {
  const steps = given["recovery-steps"] ?? 0;
  if (steps === 0) return null;
  return {
    steps,
    method: given["recovery-method"] ?? null,
    rate: given["recovery-rate"] ?? null,
    distillation: given["recovery-distillation"] ?? null,
  };
}

/** A budget of score is the swap's where there is one, and no rule of removal. */
function activationOf(given: Given): ActivationRequest | null {
  if (given.activation === undefined) return null;
  const { "score-budget": score } = given;
  const scoreBudget = score === undefined ? null : score / 100;
  const fitSteps = given["fit-steps"] ?? lossDefaults("activations", given.activation)["fit-steps"]!;
  return { name: given.activation, density: given["density-budget"] ?? null, scoreBudget, fitSteps };
}

/** What is said of another activation, where there is none or where it does not go together. */
function swapIssues(given: Given): ConfigIssue[] {
  const { activation, "density-budget": density, "score-budget": score } = given;
  if (activation === undefined)
    return (["density-budget", "fit-steps"] as const)
      .filter((key) => given[key] !== undefined)
      .map((key) => ({
        path: `--${key}`,
        expected: "--activation relu, without which it means nothing",
        got: "no --activation",
      }));
  const issues: ConfigIssue[] = [];
  if (density !== undefined && score !== undefined)
    issues.push({ path: "--density-budget", expected: "no --score-budget beside it", got: "both" });
  if (given.plan !== undefined)
    issues.push({ path: "--plan", expected: "no --activation beside it, as a plan has its own", got: "both" });
  return issues;
}

function ruleOf(given: Given): CompressRule {
  if (given.plan !== undefined) return { kind: "plan", file: given.plan };
  if (given["score-budget"] !== undefined && given.activation === undefined)
    return { kind: "score", budget: given["score-budget"] / 100 };
  if (given["latency-budget"] !== undefined) return { kind: "latency", budget: given["latency-budget"] };
  if (given["keep-scope"] === "global") return { kind: "neurons", budget: given["keep-neurons"]! };
  if (EXPLICIT.every((key) => given[key] === undefined)) return { kind: "silent" };
  return {
    kind: "explicit",
    keepNeurons: given["keep-neurons"] ?? null,
    threshold: given.threshold ?? null,
    skip: given.skip ?? [],
    gateThreshold: given["gate-threshold"] ?? null,
    count: given.count ?? 0,
    ...(given["count-by"] === undefined ? {} : { countBy: given["count-by"] }),
  };
}
