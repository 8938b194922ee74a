// What files of a run's folder must hold for a reader of them; what is more, or written by a later version, stays.
import * as z from "zod";

/** A number; null is how JSON has NaN. */
const number = z.number().nullable();
const text = z.string();
const numbers = z.record(text, number);

const DENSITY = z.looseObject({
  paper: number,
  exact: number,
  thresholds: numbers,
  deadNeurons: number,
  rareNeurons: number,
  neurons: number,
});

const REPORT = z.looseObject({
  encoder: DENSITY,
  decoder: DENSITY.optional(),
  generation: DENSITY.optional(),
  layers: z.array(
    DENSITY.extend({ stack: z.enum(["encoder", "decoder", "generation"]), layer: z.number(), site: text }),
  ),
});

const EVALUATION = z.looseObject({
  task: text,
  split: text,
  examples: z.number(),
  loss: number,
  metrics: numbers,
  density: REPORT,
  timing: z.looseObject({ examplesPerSecond: number, totalMs: number }),
  notes: z.array(text).optional(),
});

/** `run.json` but for its settings, which the table of settings checks. */
export const RUN_RECORD = z.looseObject({
  createdAt: text,
  settings: z.looseObject({}),
  versions: z.record(text, text),
  fingerprints: z.record(text, text),
  metricName: text,
  labels: z.array(text),
  classWeights: numbers.optional(),
  architecture: z.enum(["encoder", "encoder-decoder"]).optional(),
  trainedFormat: z.enum(["peft", "adapters", "tensors"]).optional(),
  result: EVALUATION.nullable(),
  before: EVALUATION.optional(),
});

const SIZE = z.looseObject({ neurons: z.number(), mlps: z.number(), parameters: z.number(), metrics: numbers });

const ACTIVATION = z.looseObject({
  name: text,
  density: z.looseObject({ encoder: z.number(), decoder: z.number().optional() }),
});

/** `compression.json`. */
export const COMPRESSION_RECORD = z.looseObject({
  createdAt: text,
  source: text,
  folder: text,
  exactness: text,
  quantization: text,
  chosen: z.looseObject({}),
  before: SIZE,
  after: SIZE,
  quantized: numbers.optional(),
  activation: z.looseObject({ before: ACTIVATION, after: ACTIVATION }).optional(),
  layers: z.array(z.looseObject({ site: text, kept: z.number(), of: z.number() })),
  metricName: text,
  stated: z.looseObject({ split: text, examples: z.number() }),
  calibration: z.looseObject({ split: text, examples: z.number(), tokens: z.number() }),
  logitsDifference: z.number(),
  budget: z.looseObject({ kind: text, asked: z.number(), reached: number, met: z.boolean() }).nullable(),
  candidates: z.array(z.looseObject({ sizes: z.array(z.number()) })),
  run: z.looseObject({ settings: z.looseObject({}), labels: z.array(text), metricName: text }).nullable(),
  versions: z.record(text, text),
});

/** A line of `predictions.jsonl`. */
export const OUTCOME = z.looseObject({
  line: z.number(),
  prediction: z.union([text, number]),
  target: z.union([text, number, z.array(text)]),
  score: number,
  probability: number.optional(),
  loss: number.optional(),
  metric: number.optional(),
  text: text.optional(),
  pair: text.optional(),
});

const at = { time: z.number(), step: z.number() };

/** Events of a training run, by type; other types are other jobs' or later versions'. */
export const EVENTS: Readonly<Record<string, z.ZodType>> = {
  start: z.looseObject({
    time: z.number(),
    task: text,
    model: text,
    method: text,
    totalSteps: z.number(),
    epochs: number,
    batchSize: z.number(),
    trainExamples: z.number(),
    evalExamples: z.number(),
    trainableParameters: z.number(),
    totalParameters: z.number(),
    fromStep: z.number(),
    seed: z.number(),
    backend: text,
    threads: z.number(),
  }),
  teacher: z.looseObject({ teacher: text, done: z.number(), examples: z.number() }),
  step: z.looseObject({
    ...at,
    loss: number,
    taskLoss: number,
    densityLoss: number,
    densityWeight: number,
    epsilon: number,
    learningRate: number,
    gradNorm: number,
    epoch: z.number(),
    tokensPerSecond: number,
    stepMs: number,
    rssBytes: number,
    gates: z.array(z.number()).optional(),
  }),
  eval: z.looseObject({
    ...at,
    epoch: z.number(),
    durationMs: number,
    split: text,
    loss: number,
    metrics: numbers,
    density: REPORT,
    best: z.boolean(),
  }),
  checkpoint: z.looseObject({ ...at, folder: text }),
  warning: z.looseObject({ ...at, code: text, message: text }),
  end: z.looseObject({
    ...at,
    reason: text,
    bestStep: number,
    bestMetric: number,
    metricName: text,
    durationMs: number,
  }),
};
