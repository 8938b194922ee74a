// Invented records for tests of reports: shaped like a real run, measured nowhere.
import type { Density, DensityReport } from "../../src/density/index.ts";
import { type Comparison, comparisonRow } from "../../src/jobs/index.ts";
import type { RunReport } from "../../src/report/index.ts";
import type { RunRecord } from "../../src/runs/index.ts";
import { resolveSettings } from "../../src/settings/index.ts";
import type { Evaluation } from "../../src/tasks/index.ts";
import type { TrainEvent } from "../../src/train/index.ts";

export const START_TIME = Date.UTC(2026, 0, 2, 3, 4, 5);

/** A report whose layers have `active` of their activations above 0.01, on average. */
export function sampleDensity(active: number, numLayers = 6): DensityReport {
  const density = (of: number): Density => ({
    paper: Math.min(1, 0.93 + 0.02 * of),
    exact: Math.min(1, 0.88 + 0.1 * of),
    thresholds: {
      "0.0001": Math.min(1, of * 1.35 + 0.05),
      "0.001": Math.min(1, of * 1.22),
      "0.01": of,
      "0.05": of * 0.62,
      "0.1": of * 0.38,
    },
    deadNeurons: Math.round((1 - of) * 90),
    rareNeurons: Math.round((1 - of) * 240),
    neurons: 1536,
  });
  const layers = Array.from({ length: numLayers }, (_, layer) => {
    const of = active * (0.75 + (0.5 * ((layer * 3) % numLayers)) / numLayers);
    return { stack: "encoder" as const, layer, site: `bert.encoder.layer.${layer}.intermediate`, ...density(of) };
  });
  return { encoder: { ...density(active), neurons: 1536 * numLayers }, layers };
}

export function sampleEvaluation(accuracy: number, active: number): Evaluation {
  return {
    task: "sst2",
    split: "dev",
    examples: 872,
    loss: 0.34,
    metrics: { accuracy },
    density: sampleDensity(active),
    timing: { examplesPerSecond: 210, totalMs: 4150 },
  };
}

/** Events of a run of `totalSteps` steps, with the density loss when `weight` is above 0. */
export function sampleEvents({ weight = 1, totalSteps = 400, evalSteps = 100 } = {}): TrainEvent[] {
  const events: TrainEvent[] = [
    {
      type: "start",
      time: START_TIME,
      task: "sst2",
      model: "sentence-transformers/all-MiniLM-L6-v2",
      method: "lora",
      totalSteps,
      epochs: 2,
      batchSize: 32,
      trainExamples: 6400,
      evalExamples: 872,
      trainableParameters: 222_338,
      totalParameters: 22_935_000,
      fromStep: 0,
      seed: 1,
      backend: "cpu",
      threads: 2,
    },
  ];
  for (let step = 1; step <= totalSteps; step++) {
    const share = step / totalSteps;
    const time = START_TIME + step * 120;
    const noise = 0.5 + 0.5 * Math.sin(step * 12.9898) * Math.cos(step * 4.1);
    const taskLoss = 0.28 + 0.42 * Math.exp(-6 * share) + 0.12 * noise;
    const densityLoss = weight === 0 ? 0 : 0.78 - 0.5 * share ** 0.7 + 0.02 * noise;
    const densityWeight = weight * Math.min(1, share * 4);
    events.push({
      type: "step",
      time,
      step,
      epoch: share * 2,
      loss: taskLoss + densityWeight * densityLoss,
      taskLoss,
      densityLoss,
      densityWeight,
      epsilon: 1e-2 * 0.1 ** share,
      learningRate: 3e-4 * Math.min(share / 0.06, (1 - share) / 0.94),
      gradNorm: 1 + noise,
      tokensPerSecond: 5200,
      stepMs: 118,
      rssBytes: 480 * 2 ** 20,
    });
    if (step % evalSteps === 0) {
      const { metrics, density } = sampleEvaluation(0.84 + 0.05 * share, weight === 0 ? 0.62 : 0.62 - 0.35 * share);
      events.push({
        type: "eval",
        time,
        step,
        epoch: share * 2,
        split: "dev",
        examples: 872,
        loss: 0.35,
        metrics,
        density,
        durationMs: 4150,
        best: true,
      });
    }
  }
  events.push({
    type: "end",
    time: START_TIME + totalSteps * 120,
    step: totalSteps,
    reason: "finished",
    bestStep: totalSteps,
    bestMetric: 0.89,
    metricName: "accuracy",
    durationMs: totalSteps * 120,
  });
  return events;
}

export function sampleRecord(
  flags: Readonly<Record<string, unknown>> = {},
  result: Evaluation | null = null,
): RunRecord {
  return {
    schema: 1,
    createdAt: new Date(START_TIME).toISOString(),
    settings: resolveSettings({
      flags: { model: "sentence-transformers/all-MiniLM-L6-v2", task: "sst2", data: "data/SST-2", ...flags },
    }),
    versions: { "deft-tune": "0.1.0", node: "20.20.2", onnxruntime: "1.30.0" },
    fingerprints: { base: "ab".repeat(32), train: "cd".repeat(32), eval: "ef".repeat(32) },
    metricName: "accuracy",
    labels: ["negative", "positive"],
    result,
  };
}

export function sampleRun(name: string, weight: number): RunReport {
  const result = sampleEvaluation(weight === 0 ? 0.893 : 0.889, weight === 0 ? 0.62 : 0.27);
  return {
    name,
    record: sampleRecord({ "density-weight": weight, output: `runs/${name}` }, result),
    events: sampleEvents({ weight }),
  };
}

export function sampleComparison(): Comparison {
  const rows = ["lora", "adapter"].flatMap((method, m) =>
    [1, 2, 3].map((seed) =>
      comparisonRow(
        {
          method,
          seed,
          peft: sampleEvaluation(0.893 + 0.002 * seed, 0.62 - 0.03 * m),
          deft: sampleEvaluation(0.889 + 0.003 * seed - 0.01 * m, 0.27 + 0.02 * seed + 0.1 * m),
        },
        "accuracy",
      ),
    ),
  );
  return { task: "sst2", metricName: "accuracy", rows };
}
