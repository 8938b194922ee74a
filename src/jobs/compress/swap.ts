// A ReLU in place of every MLP's activation, without labels: each MLP is fitted again, layer after layer, to what the model gave before.
import { ConfigError, type ConfigIssue } from "../../errors.ts";
import { scoreDrop } from "../../evaluate/index.ts";
import type { BaseModel, MergedModel } from "../../load/index.ts";
import { anyModel, type MlpSite } from "../../models/index.ts";
import { applyPlan, type LayerPlan, type PlainModel, unchanged } from "../../prune/index.ts";
import type { Backend } from "../../runtime/index.ts";
import type { TaskScore } from "../../tasks/index.ts";
import type { CompressData } from "./data.ts";
import { type Texts, walkMlps } from "./mlp-data.ts";
import { swappedLayer } from "./mlp-fit.ts";
import { plainScore } from "./scoring.ts";

/** What is asked of a swap: a share of activations that may be non-zero, a drop in score, or nothing but the ReLU. */
export interface ActivationRequest {
  readonly name: "relu";
  readonly density: number | null;
  readonly scoreBudget: number | null;
  /** Steps that each MLP is trained alone, once its output was fitted. */
  readonly fitSteps: number;
}

/** What every MLP is to have. */
export type SwapTarget = Omit<ActivationRequest, "scoreBudget">;

/** The layers of a model with its new activation. */
export interface Swap {
  readonly layers: readonly LayerPlan[];
  /** Mean over layers of the share of non-zero activations on the calibration tokens. */
  readonly density: number;
  /** Score lost on the search's examples, with one standard error; null where it was not asked for. */
  readonly searchLost: number | null;
}

export interface SwapContext {
  readonly frozen: MergedModel;
  readonly data: CompressData;
  readonly backend: Backend;
  readonly signal: AbortSignal | undefined;
}

/** Densities that a search under a budget of score tries in turn, as shares of what the ReLU alone leaves. */
const TRIED = [0.5, 0.25, 0.15, 0.1, 0.05, 0.025] as const;

/** @throws {ConfigError} naming what of a model has no place for another activation. */
export function checkSwap({ opened: { base, method }, beside }: MergedModel): void {
  const issues = baseIssues(base, "base");
  if (beside !== undefined)
    issues.push({ path: "--activation", expected: "a method that can be merged", got: method.settings.kind });
  if (issues.length > 0) throw new ConfigError(issues);
}

/** What of a base has no place for another activation; `what` it is called. */
export function baseIssues(
  { name, quantization, pruning }: Pick<BaseModel, "name" | "quantization" | "pruning">,
  what: "base" | "model",
): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const refuse = (expected: string, got: string) => issues.push({ path: "--activation", expected, got });
  if (quantization !== null) refuse(`a ${what} in float`, `${name} in ${quantization.format}`);
  if (pruning !== null) refuse(`a ${what} without zeros to keep, which a fit would fill`, name);
  return issues;
}

/** Swaps as it was asked for; yields a line for each layer and candidate. Errors as `Backend.compile`. */
export async function* swapActivation(
  context: SwapContext,
  { scoreBudget, ...target }: ActivationRequest,
): AsyncGenerator<string, Swap> {
  if (scoreBudget === null) return yield* swapTo(textsOf(context), target);
  const { backend, frozen, data } = context;
  const dense = await plainScore(backend, frozen, frozen, data, data.search);
  const natural = yield* measuredSwap(context, dense, { ...target, density: null });
  if (natural.searchLost! > scoreBudget) return natural;
  let best = natural;
  for (const share of TRIED) {
    const tried = yield* measuredSwap(context, dense, { ...target, density: share * natural.density });
    if (tried.searchLost! > scoreBudget) break;
    best = tried;
  }
  return best;
}

async function* measuredSwap(context: SwapContext, dense: TaskScore, target: SwapTarget): AsyncGenerator<string, Swap> {
  const { frozen, data, backend } = context;
  const swap = yield* swapTo(textsOf(context), target);
  const swapped = applyPlan(frozen, frozen.model.mlps, swap.layers, target.name);
  const said = await plainScore(backend, frozen, swapped, data, data.search);
  const { lost, standardError } = scoreDrop(dense, said);
  const searchLost = lost + standardError;
  const points = (100 * searchLost).toFixed(2);
  yield `${(100 * swap.density).toFixed(1)} % of the activations: ${points} points may be lost on the search's examples`;
  return { ...swap, searchLost };
}

/** What an activation is swapped in, and the texts that outputs are fitted on. */
export interface SwapTexts extends Texts {
  readonly plain: PlainModel;
  readonly sites: readonly MlpSite[];
  readonly backend: Backend;
  readonly signal: AbortSignal | undefined;
}

const textsOf = ({ frozen, data, backend, signal }: SwapContext): SwapTexts => ({
  plain: frozen,
  sites: frozen.model.mlps,
  head: data.head,
  examples: data.calibration,
  backend,
  signal,
});

/** Swaps to a density, or with null to the activation alone; yields a line for each layer. Errors as `Backend.compile`. */
export async function* swapTo(
  texts: SwapTexts,
  { name, density, fitSteps: steps }: SwapTarget,
): AsyncGenerator<string, Swap> {
  const { plain, sites, backend, signal } = texts;
  const layers = [...unchanged(sites)];
  const active: number[] = [];
  const walk = walkMlps(backend, plain, texts);
  for (const [i, site] of sites.entries()) {
    signal?.throwIfAborted();
    if (site.neurons === 0) continue;
    const changed = applyPlan(plain, sites, layers, name);
    const of = await walk.next(changed, site);
    const swapped = await swappedLayer(backend, plain, site, of, { density, steps, signal });
    layers[i] = swapped.plan;
    active.push(swapped.active);
    yield `${site.activation}: ${(100 * swapped.active).toFixed(1)} % of its activations are not zero`;
  }
  return { layers, density: active.reduce((sum, of) => sum + of, 0) / active.length, searchLost: null };
}

/** What a plan says of how a swap was chosen, beside the rule that removed neurons of what it left; `silent` removed what says nothing. */
export function swapChosen(
  { name, density: asked, scoreBudget, fitSteps }: ActivationRequest,
  { density, searchLost }: Swap,
  { rule, ...chosen }: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return {
    ...chosen,
    rule: rule === "silent" ? "activation" : rule,
    activation: name,
    ...(asked === null ? {} : { densityBudget: asked }),
    ...(scoreBudget === null ? {} : { budget: scoreBudget, searchLost }),
    ...(fitSteps === 0 ? {} : { fitSteps }),
    calibrationDensity: density,
  };
}

/** The model with its new activation, as every later step takes it. */
export function swappedModel(frozen: MergedModel, { layers }: Swap, name: string): MergedModel {
  const { config, weights } = applyPlan(frozen, frozen.model.mlps, layers, name);
  return { ...frozen, config, weights, model: anyModel(config, undefined, weights) };
}
