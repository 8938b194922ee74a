// The searches under a budget: candidates by masks, latencies by models really made smaller.
import {
  applyPlan,
  keepNeurons,
  neuronImportance,
  type SearchOptions,
  type SearchStep,
  type Sizes,
  search,
} from "../compress/index.ts";
import { ConfigError } from "../errors.ts";
import { type CompressData, subset } from "./compress-data.ts";
import { SearchMemory } from "./compress-memory.ts";
import type { CompressRule } from "./compress-options.ts";
import type { Choice, RuleContext } from "./compress-rules.ts";
import { divergenceOf, lostScore, metricsOf, openMasked } from "./compress-scoring.ts";
import { compilePlain } from "./frozen-model.ts";
import { interleaved, latencyBatches, medianRatio } from "./latency.ts";

/** The search of a rule; yields its steps. @throws {ConfigError} with the floor when a latency budget is out of reach. */
export async function* bySearch(
  context: RuleContext,
  rule: Extract<CompressRule, { kind: "score" | "latency" | "neurons" }>,
): AsyncGenerator<SearchStep, Choice> {
  const { facts, frozen, backend, data } = context;
  const memory = await SearchMemory.open(context.files, context.searchFile, context.searchKey);
  const rankings = facts.map((of) => rank(neuronImportance(of)));
  const keptOf = (sizes: Sizes) =>
    sizes.map((size, i) =>
      size === facts[i]!.site.neurons ? null : rankings[i]!.slice(0, size).sort((a, b) => a - b),
    );
  const layersOf = (sizes: Sizes) =>
    keptOf(sizes).map((kept, i) => keepNeurons(facts[i]!, kept ?? all(facts[i]!.site.neurons), "mean"));
  const masked = await openMasked(backend, frozen, facts);
  const dense = await masked.logits(
    data.search,
    facts.map(() => null),
  );
  const denseProgram = await compilePlain(backend, frozen);
  const measure = (sizes: Sizes) =>
    memory.measured(sizes, async () => {
      const logits = await masked.logits(data.search, keptOf(sizes));
      const { lost, standardError } = lostScore(dense, logits, data.search, data.task);
      // of many candidates some are lucky: the error keeps a search from paying with luck
      return { score: metricsOf(logits, data.search, data.task)[data.task.mainMetric]!, lost: lost + standardError };
    });
  const sample = subset(data.search, all(Math.min(DIVERGENCE_EXAMPLES, data.search.count)));
  const denseSample = await masked.logits(sample, keptOf(facts.map(({ site }) => site.neurons)));
  const diverge = (sizes: Sizes) =>
    memory.one("divergence", sizes, async () =>
      divergenceOf(await masked.logits(sample, keptOf(sizes)), denseSample, sample.count),
    );
  const latency = (sizes: Sizes) =>
    memory.one("latency", sizes, async () => {
      const smaller = await compilePlain(
        backend,
        applyPlan(
          frozen,
          facts.map(({ site }) => site),
          layersOf(sizes),
        ),
      );
      try {
        return await latencyShare(denseProgram, smaller, data);
      } finally {
        await smaller.dispose();
      }
    });
  try {
    const neurons = facts.map(({ site }) => site.neurons);
    const budgetOf = (): SearchOptions["budget"] => {
      if (rule.kind === "score") return { kind: "score", drop: rule.budget };
      if (rule.kind === "latency") return { kind: "latency", ratio: rule.budget, latency };
      return { kind: "neurons", keep: Math.max(1, Math.round(rule.budget * neurons.reduce((a, b) => a + b, 0))) };
    };
    const steps = search({ neurons, diverge, measure, budget: budgetOf() });
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
            searchExamples: data.search.count,
            searchTrainExamples: data.searchTrain,
            // the score that may have been lost on them, with one standard error
            searchLost: measured.lost,
            searchScore: measured.score,
            denseSearchScore: next.value.dense.score,
            ...(share === null ? {} : { latency: share }),
          },
          candidates: memory.candidates,
        };
      }
      yield next.value;
      context.signal?.throwIfAborted();
    }
  } finally {
    await masked.dispose();
    await denseProgram.dispose();
  }
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

/** The larger share of the dense model's time, at batch 1 and batch 32, on texts of the search split. */
async function latencyShare(
  dense: Parameters<typeof interleaved>[0][number],
  smaller: Parameters<typeof interleaved>[0][number],
  { search: examples }: CompressData,
): Promise<number> {
  const shares: number[] = [];
  for (const [batchSize, rounds] of [
    [1, 25],
    [32, 7],
  ] as const) {
    const feeds = latencyBatches(examples, batchSize, rounds);
    const [first, second] = await interleaved([dense, smaller], feeds, 3);
    shares.push(medianRatio(second!, first!));
  }
  return Math.max(...shares);
}

/** Examples of the search that divergence is measured on. */
const DIVERGENCE_EXAMPLES = 256;

const all = (size: number) => Array.from({ length: size }, (_, f) => f);
const rank = (scores: Float64Array) => all(scores.length).sort((a, b) => scores[b]! - scores[a]! || a - b);
