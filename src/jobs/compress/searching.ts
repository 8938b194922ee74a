// The searches under a budget: candidates by masks, latencies by models really made smaller.

import type { EncodedExamples } from "../../data/index.ts";
import { ConfigError } from "../../errors.ts";
import { scoreDrop } from "../../evaluate/index.ts";
import { mlpSites } from "../../models/index.ts";
import {
  applyPlan,
  keepNeurons,
  neuronsToKeep,
  type SearchOptions,
  type SearchStep,
  type Sizes,
  search,
} from "../../prune/index.ts";
import { readingHead } from "../../tasks/index.ts";
import { exampleCount, examplesFrom, sampleCount } from "./examples.ts";
import { meanTargetTokens, openLatency } from "./latency-budget.ts";
import type { CompressRule } from "./options.ts";
import type { Choice, RuleContext } from "./rules.ts";
import { noneSwitched, openMasked } from "./scoring.ts";
import { SearchLog } from "./search-log.ts";

/** The search of a rule; yields its steps. @throws {ConfigError} with the floor when a latency budget is out of reach. */
export async function* bySearch(
  context: RuleContext,
  rule: Extract<CompressRule, { kind: "score" | "latency" | "neurons" }>,
): AsyncGenerator<SearchStep, Choice> {
  const { facts, frozen, backend, data } = context;
  const memory = await SearchLog.open(context.files, context.searchFile, context.searchKey);
  const rankings = facts.map((of) => neuronsToKeep(of, of.site.neurons));
  const keptOf = (sizes: Sizes) =>
    sizes.map((size, i) =>
      size === facts[i]!.site.neurons ? null : rankings[i]!.slice(0, size).sort((a, b) => a - b),
    );
  const layersOf = (sizes: Sizes) =>
    keptOf(sizes).map((kept, i) => keepNeurons(facts[i]!, kept ?? all(facts[i]!.site.neurons), "refit"));
  const masked = await openMasked(backend, frozen, facts, data);
  const dense = await masked.said(data.search, noneSwitched(facts));
  const timing = rule.kind === "latency" ? await openLatency(backend, frozen, data.search) : null;
  const measure = (sizes: Sizes) =>
    memory.measured(sizes, async () => {
      const said = await masked.said(data.search, keptOf(sizes));
      const { lost, standardError } = scoreDrop(dense, said);
      // of many candidates some are lucky: the error keeps a search from paying with luck
      return { score: said.score, lost: lost + standardError };
    });
  const sample = examplesFrom(data.search, 0, sampleCount(data.search, DIVERGENCE_SAMPLE));
  const diverge = (sizes: Sizes) => memory.divergence(sizes, () => masked.divergence(sample, keptOf(sizes)));
  const latency = (sizes: Sizes) =>
    memory.latency(sizes, () =>
      timing!.share(
        applyPlan(
          frozen,
          facts.map(({ site }) => site),
          layersOf(sizes),
        ),
      ),
    );
  try {
    const neurons = facts.map(({ site }) => site.neurons);
    const budgetOf = (): SearchOptions["budget"] => {
      if (rule.kind === "score") return { kind: "score", drop: rule.budget };
      if (rule.kind === "latency") return { kind: "latency", ratio: rule.budget, latency };
      return { kind: "neurons", keep: Math.max(1, Math.round(rule.budget * neurons.reduce((a, b) => a + b, 0))) };
    };
    const steps = search({ neurons, diverge, measure, budget: budgetOf(), alike: alikeLayers(frozen) });
    for (let next = await steps.next(); ; next = await steps.next()) {
      if (next.done) {
        const { sizes, met, measured, latency: share } = next.value;
        if (!met && rule.kind === "latency") throw outOfReach(rule.budget, share!);
        return {
          layers: layersOf(sizes),
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
            denseSearchScore: next.value.dense.score,
            ...(share === null ? {} : { latency: share, ...latencyFacts(memory, sizes, data.search) }),
          },
          candidates: memory.candidates,
        };
      }
      yield next.value;
      context.signal?.throwIfAborted();
    }
  } finally {
    await masked.dispose();
    await timing?.dispose();
  }
}

/** Layers whose neurons take alike long: a classifier's last block computes one position, and a decoder runs token by token. */
function alikeLayers({ model, opened: { head } }: RuleContext["frozen"]): number[][] {
  const sites = mlpSites(model);
  const layers = all(sites.length);
  if (model.architecture === "encoder-decoder")
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
function latencyFacts(memory: SearchLog, sizes: Sizes, examples: EncodedExamples): Record<string, unknown> {
  const parts = memory.candidates.find((one) => one.sizes.join() === sizes.join())?.latencyParts;
  return parts === undefined ? {} : { latencyParts: parts, textTokens: meanTargetTokens(examples) };
}

/** Examples of the search that divergence is measured on. */
const DIVERGENCE_SAMPLE = { least: 16, most: 128, tokens: 8192 } as const;

const all = (size: number) => Array.from({ length: size }, (_, f) => f);
