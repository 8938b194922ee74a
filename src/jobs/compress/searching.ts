// The searches under a budget: candidates by masks, latencies by models really made smaller.

import type { EncodedExamples } from "../../data/index.ts";
import { ConfigError } from "../../errors.ts";
import { scoreDrop } from "../../evaluate/index.ts";
import {
  applyPlan,
  keepNeurons,
  neuronsToKeep,
  type SearchOptions,
  type SearchResult,
  type SearchStep,
  type Sizes,
  search,
} from "../../prune/index.ts";
import { readingHead } from "../../tasks/index.ts";
import { inTurn } from "../../tensor/index.ts";
import { drawn, exampleCount, sampleCount } from "./examples.ts";
import { meanTargetTokens, openLatency } from "./latency-budget.ts";
import type { CompressRule } from "./options.ts";
import type { Choice, RuleContext } from "./rule-context.ts";
import { noneSwitched, openMasked } from "./scoring.ts";
import { SearchLog } from "./search-log.ts";

/** The rules that search. */
type SearchRule = Extract<CompressRule, { kind: "score" | "latency" | "neurons" }>;

/** The search of a rule; yields its steps. @throws {ConfigError} with the floor when a latency budget is out of reach. */
export async function* bySearch(context: RuleContext, rule: SearchRule): AsyncGenerator<SearchStep, Choice> {
  const { facts, frozen } = context;
  const log = await SearchLog.open(context.files, context.searchFile, context.searchKey);
  const measures = await openMeasures(context, rule, log);
  try {
    const neurons = facts.map(({ site }) => site.neurons);
    const budget = budgetOf(rule, neurons, measures.latency);
    const { diverge, measure } = measures;
    const steps = search({ neurons, diverge, measure, budget, alike: alikeLayers(frozen) });
    for (let next = await steps.next(); ; next = await steps.next()) {
      if (next.done) return chosenBy(context, rule, log, await measures.layersOf(next.value.sizes), next.value);
      yield next.value;
      context.signal?.throwIfAborted();
    }
  } finally {
    await measures.dispose();
  }
}

function budgetOf(
  rule: SearchRule,
  neurons: Sizes,
  latency: (sizes: Sizes) => Promise<number>,
): SearchOptions["budget"] {
  if (rule.kind === "score") return { kind: "score", drop: rule.budget };
  if (rule.kind === "latency") return { kind: "latency", ratio: rule.budget, latency };
  return { kind: "neurons", keep: Math.max(1, Math.round(rule.budget * neurons.reduce((a, b) => a + b, 0))) };
}

/** What a search measures, kept in its log: by a model whose neurons are masked, and latencies of models really made smaller. */
async function openMeasures({ facts, frozen, backend, data }: RuleContext, rule: SearchRule, log: SearchLog) {
  const rankings = await inTurn(facts, (of) => neuronsToKeep(of, of.site.neurons));
  const keptOf = (sizes: Sizes) =>
    sizes.map((size, i) =>
      size === facts[i]!.site.neurons ? null : rankings[i]!.slice(0, size).sort((a, b) => a - b),
    );
  const layersOf = (sizes: Sizes) =>
    inTurn(keptOf(sizes), (kept, i) => keepNeurons(facts[i]!, kept ?? all(facts[i]!.site.neurons), "refit"));
  const sites = facts.map(({ site }) => site);
  const masked = await openMasked(backend, frozen, facts, data);
  const dense = await masked.said(data.search, noneSwitched(facts));
  const timing = rule.kind === "latency" ? await openLatency(backend, frozen, data.search) : null;
  const sample = drawn(data.search, sampleCount(data.search, DIVERGENCE_SAMPLE));
  return {
    layersOf,
    measure: (sizes: Sizes) =>
      log.measured(sizes, async () => {
        const said = await masked.said(data.search, keptOf(sizes));
        const { lost, standardError } = scoreDrop(dense, said);
        // of many candidates some are lucky: the error keeps a search from paying with luck
        return { score: said.score, lost: lost + standardError };
      }),
    diverge: (sizes: Sizes) => log.divergence(sizes, () => masked.divergence(sample, keptOf(sizes))),
    latency: (sizes: Sizes) =>
      log.latency(sizes, async () => timing!.share(applyPlan(frozen, sites, await layersOf(sizes)))),
    async dispose() {
      await masked.dispose();
      await timing?.dispose();
    },
  };
}

/** What a search's end says. @throws {ConfigError} with the floor when a latency budget is out of reach. */
function chosenBy(
  { data }: RuleContext,
  rule: SearchRule,
  log: SearchLog,
  layers: Choice["layers"],
  { sizes, met, measured, dense, latency: share }: SearchResult,
): Choice {
  if (!met && rule.kind === "latency") throw outOfReach(rule.budget, share!);
  return {
    layers,
    exactness: "calibrated",
    chosen: {
      ...(rule.kind === "neurons"
        ? { rule: "keep-neurons", keepNeurons: rule.budget, scope: "global" }
        : { rule: `${rule.kind}-budget`, budget: rule.budget }),
      searchExamples: exampleCount(data.search),
      searchTrainExamples: data.searchTrain,
      // the score that may have been lost on them, with one standard error
      searchLost: measured.lost,
      searchScore: measured.score,
      denseSearchScore: dense.score,
      ...(share === null ? {} : { latency: share, ...latencyFacts(log, sizes, data.search) }),
    },
    candidates: log.candidates,
  };
}

/** Layers whose neurons take alike long: a classifier's last block computes one position, and a decoder runs token by token. */
function alikeLayers({ model, opened: { head } }: RuleContext["frozen"]): number[][] {
  const sites = model.mlps;
  const layers = all(sites.length);
  if (model.writes)
    return (["encoder", "decoder"] as const).map((stack) => layers.filter((i) => sites[i]!.stack === stack));
  return readingHead(head).readsFirstOnly ? [layers.slice(0, -1), layers.slice(-1)] : [layers];
}

function outOfReach(asked: number, floor: number): ConfigError {
  return new ConfigError(
    [
      {
        path: "--latency-budget",
        expected: `at least ${floor.toFixed(2)}x, which is what all but one MLP removed takes here`,
        got: `${asked}x, out of reach by ${(floor - asked).toFixed(2)}x`,
      },
    ],
    { hint: "Attention and embeddings stay: add --quantize int8, or fine-tune a model with fewer layers." },
  );
}

/** For models that write: the shares of reading and of a token, and how many tokens a text was taken to have. */
function latencyFacts(log: SearchLog, sizes: Sizes, examples: EncodedExamples): Record<string, unknown> {
  const parts = log.candidates.find((one) => one.sizes.join() === sizes.join())?.latencyParts;
  return parts === undefined ? {} : { latencyParts: parts, textTokens: meanTargetTokens(examples) };
}

/** Examples of the search that divergence is measured on. */
const DIVERGENCE_SAMPLE = { least: 16, most: 128, tokens: 8192 } as const;

const all = (size: number) => Array.from({ length: size }, (_, f) => f);
