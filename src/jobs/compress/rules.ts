// Which neurons go: the explicit rules, training's masks, and the searches under a measured budget.

import { ConfigError } from "../../errors.ts";
import type { MergedModel } from "../../load/index.ts";
import { type MlpSite, type NeuronRows, neuronRows, partOf } from "../../models/index.ts";
import {
  hasAdapter,
  keepNeurons,
  type LayerFacts,
  neuronsToKeep,
  provenInactive,
  type SearchStep,
  sizeOfShare,
} from "../../prune/index.ts";
import type { Candidate } from "../../runs/index.ts";
import { inTurn } from "../../tensor/index.ts";
import type { CompressOptions, CompressRule, LayerName } from "./options.ts";
import type { Choice, RuleContext } from "./rule-context.ts";
import { openMasked } from "./scoring.ts";
import { bySearch } from "./searching.ts";

/** Second moments of all layers, while a batch's are added to them. */
const MOMENTS_BYTES = 8;
const MOST_MOMENTS_BYTES = 6e9;

/** What makes up for neurons: as asked for, or a refit where that fills no zeros of a pruned base. */
export function compensationFor(
  { opened }: Pick<MergedModel, "opened">,
  { compensation }: Pick<CompressOptions, "compensation">,
): "refit" | "mean" {
  return compensation ?? (opened.base.pruning === null ? "refit" : "mean");
}

/**
 * Whether the rule may leave some neurons of an MLP and fit its output again.
 * @throws {ConfigError} when what every two neurons do together does not fit into memory.
 */
export function needsMoments(
  sites: readonly Pick<MlpSite, "neurons">[],
  rule: CompressRule,
  compensation: "refit" | "mean",
): boolean {
  if (compensation !== "refit" || rule.kind === "silent") return false;
  if (rule.kind === "explicit" && rule.keepNeurons === null && rule.threshold === null) return false;
  const bytes = MOMENTS_BYTES * sites.reduce((sum, { neurons }) => sum + neurons ** 2, 0);
  if (bytes <= MOST_MOMENTS_BYTES) return true;
  const got = `${(bytes / 1e9).toFixed(0)} GB for what every two neurons of ${sites.length} MLPs do together`;
  const expected = `mean, for a model that needs more than ${MOST_MOMENTS_BYTES / 1e9} GB`;
  throw new ConfigError([{ path: "--compensation", expected, got }], {
    hint: "--compensation mean keeps what removed neurons gave on average, and needs no more than the model.",
  });
}

/** Layers by rule; yields the steps of a search. @throws {ConfigError} for layers there are not, or budgets out of reach. */
export async function* chooseLayers(
  context: RuleContext,
  rule: Exclude<CompressRule, { kind: "plan" }>,
): AsyncGenerator<SearchStep, Choice> {
  switch (rule.kind) {
    case "silent":
      return byProvenInactive(context);
    case "explicit":
      return byExplicit(context, rule);
    default:
      return yield* bySearch(context, rule);
  }
}

/** Removes what says nothing whatever the input, and nothing else. */
async function byProvenInactive({ frozen, facts, mayKeepAll }: RuleContext): Promise<Choice> {
  const silent = await silentNeurons(frozen, facts);
  if (!mayKeepAll && silent.every((of) => of.every((is) => is === 0))) {
    throw new ConfigError(
      [{ path: "deft compress", expected: "a rule, or neurons that training switched off", got: "neither" }],
      { hint: "Give --score-budget, --latency-budget, --keep-neurons, --threshold, --skip, --count or --plan." },
    );
  }
  return {
    layers: await inTurn(facts, (of, layer) => keepNeurons(of, indicesWhere(silent[layer]!, 0), "none")),
    exactness: "exact",
    chosen: { rule: "silent", masked: frozen.masks.size > 0 },
    candidates: [],
  };
}

async function byExplicit(context: RuleContext, rule: Extract<CompressRule, { kind: "explicit" }>): Promise<Choice> {
  const { facts, frozen } = context;
  const named = skippedLayers(
    facts.map(({ site }) => site),
    rule.skip,
  );
  const closed = closedGates(context, rule);
  const skipped = new Set([...named, ...closed]);
  // gates are shown beside what is measured, so it is measured for them too
  const missed = rule.count > 0 || rule.gateThreshold !== null ? await layerAblation(context) : [];
  const order =
    rule.countBy === "gates" ? gatesOf(context, "--count-by gates") : missed.map(({ divergence }) => divergence!);
  for (const layer of leastMissed(order, rule.count, skipped)) skipped.add(layer);
  if (skipped.size >= facts.length) throw nothingLeft(rule.count > 0 ? "--count" : "--gate-threshold", facts.length);
  const silent = await silentNeurons(frozen, facts);
  const layers = await inTurn(facts, async (of, layer) => {
    const kept = skipped.has(layer) ? [] : await keptBy(of, rule);
    return keepNeurons(of, kept, "refit");
  });
  const isExact = layers.every(({ kept }, layer) => kept === null || isSilentOutside(kept, silent[layer]!));
  const { kind: _, ...numbers } = rule;
  return {
    layers: isExact
      ? await inTurn(layers, ({ kept, neurons }, i) => keepNeurons(facts[i]!, kept ?? all(neurons), "none"))
      : layers,
    exactness: isExact ? "exact" : "calibrated",
    chosen: {
      rule: "explicit",
      ...numbers,
      ...(frozen.gates.size === 0 ? {} : { gates: gatesOf(context, "gates") }),
    },
    candidates: missed,
  };
}

/** @throws {ConfigError} for layers there are not, and when all of them are named. Known before anything is measured. */
export function checkRule(sites: readonly MlpSite[], rule: CompressRule): void {
  if (rule.kind !== "explicit") return;
  if (new Set(skippedLayers(sites, rule.skip)).size >= sites.length) throw nothingLeft("--skip", sites.length);
}

const nothingLeft = (path: string, count: number) =>
  new ConfigError([{ path, expected: "an MLP left in at least one layer", got: `all ${count} of them to remove` }]);

/**
 * Places in `sites` of the layers that were named: by number alone where there is one stack.
 * @throws {ConfigError} naming those there are not.
 */
function skippedLayers(sites: readonly MlpSite[], names: readonly LayerName[]): number[] {
  const stacks = [...new Set(sites.map(({ stack }) => stack))];
  const places = names.map((name) => {
    const path = typeof name === "string" ? name : stacks.length === 1 ? `${stacks[0]}.${name}` : null;
    return sites.findIndex(({ stack, layer }) => `${stack}.${layer}` === path);
  });
  const bad = names.filter((_, i) => places[i]! < 0);
  if (bad.length === 0) return places;
  const last = (stack: string) => sites.filter((site) => site.stack === stack).length - 1;
  const expected =
    stacks.length === 1
      ? `layers 0 to ${sites.length - 1}`
      : `layers ${stacks.map((stack) => `${stack}.0 to ${stack}.${last(stack)}`).join(", ")}`;
  throw new ConfigError([{ path: "--skip", expected, got: bad.join(", ") }]);
}

/** Layers whose learned gate is below the threshold. */
function closedGates(context: RuleContext, { gateThreshold }: Extract<CompressRule, { kind: "explicit" }>): number[] {
  if (gateThreshold === null) return [];
  const gates = gatesOf(context, "--gate-threshold");
  return [...gates.keys()].filter((layer) => gates[layer]! < gateThreshold);
}

/** Every layer's gate. @throws {ConfigError} for a run without gates, naming the flag that needs them. */
function gatesOf({ facts, frozen }: RuleContext, path: string): number[] {
  if (frozen.gates.size === 0)
    throw new ConfigError([{ path, expected: "a run trained with --ada", got: "one without gates" }]);
  return facts.map(({ site }) => frozen.gates.get(site.sublayer) ?? 1);
}

async function keptBy(
  of: LayerFacts,
  { threshold, keepNeurons: share }: Extract<CompressRule, { kind: "explicit" }>,
): Promise<number[]> {
  const { neurons } = of.site;
  const { statistics } = of;
  const above = all(neurons).filter(
    (f) => threshold === null || statistics === null || statistics.peak[f]! > threshold,
  );
  if (share === null) return above;
  const best = new Set(await neuronsToKeep(of, sizeOfShare(neurons, share)));
  return above.filter((f) => best.has(f));
}

/** How far what the model says moves on the search's examples when one layer's MLP alone is taken away, for each layer. */
async function layerAblation({ facts, frozen, backend, data }: RuleContext): Promise<Candidate[]> {
  const masked = await openMasked(backend, frozen, facts, data);
  try {
    const missed: Candidate[] = [];
    for (const layer of facts.keys()) {
      const kept = facts.map((_, i) => (i === layer ? [] : null));
      const sizes = facts.map(({ site }, i) => (i === layer ? 0 : site.neurons));
      missed.push({ sizes, divergence: await masked.divergence(data.search, kept) });
    }
    return missed;
  } finally {
    await masked.dispose();
  }
}

/** The `count` layers that are missed least by an order, a number for each, those already skipped left out. */
function leastMissed(missed: readonly number[], count: number, skipped: ReadonlySet<number>): number[] {
  return [...missed.keys()]
    .filter((layer) => !skipped.has(layer))
    .sort((a, b) => missed[a]! - missed[b]!)
    .slice(0, count);
}

/** Neurons that give nothing whatever the input, by mask or by proof: `[F]` of 0 and 1 for each layer. */
async function silentNeurons(
  { weights, masks, model }: MergedModel,
  facts: readonly LayerFacts[],
): Promise<Uint8Array[]> {
  const read = async (name: string) => ((await weights.get(name)?.read())?.data as Float32Array | undefined) ?? null;
  return Promise.all(
    facts.map(async ({ site, outWeight }) => {
      if (site.neurons === 0) return new Uint8Array(0);
      const columns = new Float64Array(site.neurons);
      for (let at = 0; at < outWeight.length; at++) columns[at % site.neurons]! += Math.abs(outWeight[at]!);
      const [gain, shift] = [(await read(`${site.norm}.weight`))!, await read(`${site.norm}.bias`)];
      const boundsOf = async (rows: NeuronRows) => {
        const bias = await read(`${rows.path}.bias`);
        const weight = partOf((await read(`${rows.path}.weight`))!, rows);
        return { gain, shift, weight, bias: bias && partOf(bias, rows) };
      };
      const [into, factor] = neuronRows(site);
      const grounds = { bounds: await boundsOf(into!), factor: factor === undefined ? null : await boundsOf(factor) };
      const silent = provenInactive(site, model.config.hiddenAct, grounds, columns);
      const mask = masks.get(site.activation);
      const all = mask === undefined ? silent : silent.map((is, f) => Number(is === 1 || mask[f] === 0));
      // an adapter behind an MLP says something of its own, and goes with the last neuron
      if (hasAdapter(weights, site) && all.every((is) => is === 1)) all[0] = 0;
      return all;
    }),
  );
}

const all = (size: number) => Array.from({ length: size }, (_, f) => f);
const indicesWhere = (mask: ArrayLike<number>, value: number) => all(mask.length).filter((f) => mask[f] === value);

function isSilentOutside(kept: readonly number[], silent: Uint8Array): boolean {
  const has = new Set(kept);
  return silent.every((is, f) => is === 1 || has.has(f));
}
