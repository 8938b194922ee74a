// The plan: what is removed from a model and how that was chosen, as JSON that travels with the result.
import * as z from "zod";
import { ConfigError, type ConfigIssue } from "../../errors.ts";
import { isSameFingerprint } from "../../hub/index.ts";
import type { MlpSite } from "../../models/index.ts";

/** What becomes of one MLP: `h = gate · (W_kept a_kept + b) + constant`; without neurons `h = constant`. */
export interface LayerPlan {
  /** The activation's site, as density reports name it. */
  readonly site: string;
  /** Neurons the layer had; indices count in it. */
  readonly neurons: number;
  /** Indices of the neurons kept, ascending; null: all; empty: the MLP is removed. */
  readonly kept: readonly number[] | null;
  /** Factor of the MLP's output, folded into its weights. */
  readonly gate: number;
  /** What stands for the removed neurons, added to the output: `[D]`; null: nothing. */
  readonly constant: readonly number[] | null;
  /** Largest magnitude of a removed neuron on the calibration data; null where it was not measured. */
  readonly threshold: number | null;
  /** `W_kept` `[D, kept]` fitted again to give what all neurons gave; absent: its columns as they were. */
  readonly out?: Float32Array;
  /** What the activation reads, `[kept, D]`, trained anew for another activation; absent: its rows as they were. */
  readonly into?: Float32Array;
  /** Subtracted from the bias of what the activation reads, `[kept]`: for another activation; absent: nothing. */
  readonly shift?: Float32Array;
}

/** A layer as plan.json has it: whether there is an `out`, an `into` and a `shift`, which lie beside it. */
export type StoredLayerPlan = Omit<LayerPlan, "out" | "into" | "shift"> & {
  readonly refitted?: boolean;
  readonly trained?: boolean;
  readonly shifted?: boolean;
};

/** How outputs differ from the model before: not beyond float rounding, or by a stated change in score. */
export type Exactness = "exact" | "calibrated";

/** Weights of the exported model. */
export const QUANTIZATIONS = ["none", "int8", "q4", "qdq"] as const;
export type WeightQuantization = (typeof QUANTIZATIONS)[number];

/** A model's compression, portable between machines; made for one base and adapter. */
export interface Plan {
  readonly schema: 1;
  readonly base: { readonly model: string; readonly fingerprint: string };
  /** Null: the base alone. */
  readonly adapter: { readonly fingerprint: string } | null;
  readonly layers: readonly LayerPlan[];
  /** The activation of all MLPs, by transformers' name, where it is another than the base's. */
  readonly activation?: string;
  readonly quantization: WeightQuantization;
  readonly exactness: Exactness;
  /** The rule and its numbers, for people and reports. */
  readonly chosen: Readonly<Record<string, unknown>>;
}

/** A plan as its JSON alone says it. */
export type StoredPlan = Omit<Plan, "layers"> & { readonly layers: readonly StoredLayerPlan[] };

/** Who a plan is for. */
export type PlanTarget = Pick<Plan, "base" | "adapter"> & {
  readonly sites: readonly MlpSite[];
  readonly hiddenSize: number;
};

const finite = z.number();
const LAYER = z.strictObject({
  site: z.string().min(1),
  neurons: z.int().min(0),
  kept: z.array(z.int().min(0)).nullable(),
  gate: finite,
  constant: z.array(finite).nullable(),
  threshold: z.number().min(0).nullable(),
  refitted: z.boolean().optional(),
  trained: z.boolean().optional(),
  shifted: z.boolean().optional(),
});
const PLAN = z.strictObject({
  schema: z.literal(1),
  base: z.strictObject({ model: z.string(), fingerprint: z.string().min(1) }),
  adapter: z.strictObject({ fingerprint: z.string().min(1) }).nullable(),
  layers: z.array(LAYER).min(1),
  activation: z.string().min(1).optional(),
  quantization: z.enum(QUANTIZATIONS),
  exactness: z.enum(["exact", "calibrated"]),
  chosen: z.record(z.string(), z.unknown()),
});

/**
 * A plan from its JSON, checked against the model it is to be applied to.
 * @throws {ConfigError} listing every mistake: shape, other base or adapter, sites, indices, sizes.
 */
export function parsePlan(json: unknown, target: PlanTarget, file = "plan.json"): StoredPlan {
  const parsed = PLAN.safeParse(json);
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.map(({ path, message }) => ({
        path: [file, ...path].join("."),
        expected: "a plan as deft compress writes it",
        got: message.replace(/^Invalid input: /, ""),
      })),
    );
  }
  const plan = parsed.data as StoredPlan;
  const issues = planIssues(plan, target, file);
  if (issues.length > 0) throw new ConfigError(issues, { hint: "Make a new plan for this model: deft compress RUN." });
  return plan;
}

function planIssues(plan: StoredPlan, { base, adapter, sites, hiddenSize }: PlanTarget, file: string): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const short = (print: string | undefined) => (print === undefined ? "none" : `${print.slice(0, 12)}…`);
  if (!isSameFingerprint(plan.base.fingerprint, base.fingerprint)) {
    const [expected, got] = [base, plan.base].map((of) => `${of.model} (${short(of.fingerprint)})`) as [string, string];
    issues.push({ path: `${file}.base`, expected: `a plan for ${expected}`, got: `one for ${got}` });
  }
  if (!isSameFingerprint(plan.adapter?.fingerprint, adapter?.fingerprint)) {
    issues.push({
      path: `${file}.adapter`,
      expected: `a plan for the adapter ${short(adapter?.fingerprint)}`,
      got: `one for ${short(plan.adapter?.fingerprint)}`,
    });
  }
  if (plan.layers.length !== sites.length)
    issues.push({ path: `${file}.layers`, expected: `${sites.length} layers`, got: String(plan.layers.length) });
  plan.layers.slice(0, sites.length).forEach((layer, i) => {
    for (const { path, ...rest } of layerIssues(layer, sites[i]!, hiddenSize))
      issues.push({ path: `${file}.layers.${i}.${path}`, ...rest });
  });
  return issues;
}

function layerIssues(layer: StoredLayerPlan, site: MlpSite, hiddenSize: number): ConfigIssue[] {
  const { kept, constant } = layer;
  const issues: ConfigIssue[] = [];
  const need = (path: string, fits: boolean, expected: string, got: string) => {
    if (!fits) issues.push({ path, expected, got });
  };
  need("site", layer.site === site.activation, site.activation, layer.site);
  need("neurons", layer.neurons === site.neurons, String(site.neurons), String(layer.neurons));
  const wrong = kept?.find((index, i) => index >= site.neurons || (i > 0 && index <= kept[i - 1]!));
  need("kept", wrong === undefined, `ascending indices below ${site.neurons}`, String(wrong));
  need("constant", (constant?.length ?? hiddenSize) === hiddenSize, `${hiddenSize} numbers`, String(constant?.length));
  return issues;
}

/** The plan that changes nothing at these sites. */
export function unchanged(sites: readonly MlpSite[]): LayerPlan[] {
  return sites.map(({ activation, neurons }) => ({
    site: activation,
    neurons,
    kept: null,
    gate: 1,
    constant: null,
    threshold: null,
  }));
}

/** How many neurons a layer keeps. */
export function keptCount({ kept, neurons }: LayerPlan): number {
  return kept === null ? neurons : kept.length;
}
