// Invented records of compressed models and of a benchmark: shaped like real ones, measured nowhere.

import type { BenchReport, BenchRow } from "../../src/jobs/index.ts";
import type { CompressionReport } from "../../src/report/index.ts";
import type { Candidate, Compression } from "../../src/runs/index.ts";
import { START_TIME } from "./records.ts";

const NEURONS = 1536;
const SHARES = [0.75, 0.5, 0.375, 0.25, 0.15, 0.1, 0.05, 0];

/** A search over `numLayers` layers: each alone at every size, then a path of candidates with scores. */
export function sampleCandidates(numLayers: number): Candidate[] {
  const dense = Array.from({ length: numLayers }, () => NEURONS);
  const price = (layer: number) => 0.02 * (1 + ((layer * 5) % numLayers)) ** 1.4;
  const alone = dense.flatMap((_, layer) =>
    SHARES.map((share) => ({
      sizes: dense.with(layer, Math.round((share * NEURONS) / 16) * 16),
      divergence: price(layer) * (1 - share) ** 2.5 + 1e-5,
    })),
  );
  const path = Array.from({ length: 9 }, (_, at) => {
    const sizes = dense.map((of, layer) => Math.round((of * (1 - at / 9) * (1 - (0.3 * layer) / numLayers)) / 16) * 16);
    const lost = 0.002 * at ** 1.6 - (at === 3 ? 0.006 : 0);
    return { sizes: at === 0 ? dense : sizes, score: 0.869 - lost, lost: lost + 0.004, latency: 1 - 0.075 * at };
  });
  return [...alone, ...path];
}

/** A model under a score budget, every layer cut to the candidate at `taken` of the search's path. */
export function sampleCompression({ numLayers = 6, taken = 5, folder = "runs/small" } = {}): Compression {
  const candidates = sampleCandidates(numLayers);
  const { sizes, score, latency } = candidates.filter((of) => of.score !== undefined)[taken]!;
  const kept = sizes.reduce((sum, size) => sum + size, 0);
  const neurons = NEURONS * numLayers;
  return {
    schema: 1,
    createdAt: new Date(START_TIME).toISOString(),
    source: "runs/deft",
    folder,
    exactness: "calibrated",
    quantization: "int8",
    chosen: { rule: "score-budget", budget: 0.01, denseSearchScore: 0.869, latency },
    before: { neurons, mlps: numLayers, parameters: 22_713_986, metrics: { accuracy: 0.872 } },
    after: {
      neurons: kept,
      mlps: numLayers,
      parameters: 22_713_986 - 769 * (neurons - kept),
      metrics: { accuracy: 0.872 - (0.869 - score!) * 1.3 },
    },
    quantized: { accuracy: 0.872 - (0.869 - score!) * 1.3 - 0.003 },
    layers: sizes.map((size, layer) => ({ site: `bert.encoder.layer.${layer}.intermediate`, kept: size, of: NEURONS })),
    metricName: "accuracy",
    stated: { split: "dev", examples: 436 },
    calibration: { split: "train", examples: 512, tokens: 6581 },
    logitsDifference: 0.83,
    budget: { kind: "score", asked: 0.01, reached: 0.012, met: false, interval: { low: 0.001, high: 0.024 } },
    candidates,
    run: null,
    versions: { "deft-tune": "0.1.0", node: "v20.20.2", onnxruntime: "1.30.0" },
  };
}

/** The same as a report takes it, with gates that nearly follow what was measured. */
export function sampleCompressed(options: Parameters<typeof sampleCompression>[0] = {}): CompressionReport {
  const record = sampleCompression(options);
  const gates = record.layers.map((_, layer) => 0.15 + (0.8 * ((layer * 5 + (layer === 2 ? 2 : 0)) % 6)) / 6);
  return { name: record.folder.split("/").at(-1)!, record, gates };
}

/** The dense run and compressed models at batch 1 and 32, in float32 and int8. */
export function sampleBench(folders: readonly string[] = ["runs/deft", "runs/small"]): BenchReport {
  const rows = [1, 32].flatMap((batch) =>
    folders.flatMap((run, at) =>
      (["fp32", "int8"] as const).map((precision, small): BenchRow => {
        const ratio = (1 - 0.3 * at) * (1 - 0.35 * small) + (batch === 1 ? 0.05 * at : 0);
        return {
          run,
          engine: "onnxruntime",
          precision,
          phase: "encode",
          batch,
          tokens: 900 * batch,
          latencyMs: { p50: 4.1 * batch ** 0.8 * ratio, p95: 5.2 * batch ** 0.8 * ratio },
          processorMs: 7.9 * batch ** 0.8 * ratio,
          tokensPerSecond: 5000 / ratio,
          loadMs: 210,
          peakRssBytes: (240 - 40 * at - 60 * small) * 2 ** 20,
          fileBytes: ((90 - 15 * at) * 2 ** 20) / (small === 0 ? 1 : 3.9),
          ratioToFirst: ratio,
          processorRatioToFirst: ratio,
          countedRounds: 7,
          isReliable: true,
          estimate: null,
        };
      }),
    ),
  );
  return {
    device: "node 20 onnxruntime 1.30.0 cpu",
    threads: 2,
    texts: { split: "dev", count: 436, meanTokens: 25.2 },
    newTokens: null,
    foreignLoad: 0.004,
    rounds: [1, 32].map((batch) => ({
      batch,
      tried: 7,
      quiet: 7,
      counted: 7,
      foreignLoad: 0.004,
      isReliable: true,
    })),
    rows,
    absent: [],
  };
}
