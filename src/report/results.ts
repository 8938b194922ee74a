// Results as JSON: our own contract, and the file names and keys of the transformers Trainer.
import type { Density, DensityReport, LayerDensity } from "../density/index.ts";
import { densityBy, headlineDefinition } from "../density/index.ts";
import type { Comparison, Profile } from "../jobs/index.ts";
import type { Evaluation } from "../tasks/index.ts";
import type { TrainEvent } from "../train/index.ts";

/** A JSON value; numbers that are not finite have become null. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The object of `deft eval --json`. */
export function evaluationJson(evaluation: Evaluation): Json {
  const { task, split, examples, loss, metrics, density, timing, notes } = evaluation;
  return toJson({
    task,
    split,
    examples,
    loss,
    metrics,
    density: reportJson(density),
    timing: { examplesPerSecond: timing.examplesPerSecond, totalMs: timing.totalMs },
    notes,
  });
}

/** The object of `deft compare --json`. */
export function comparisonJson({ task, metricName, rows, intervals }: Comparison): Json {
  return toJson({
    task,
    metric: metricName,
    rows: rows.map((row) => ({
      method: row.method,
      seed: row.seed,
      peft: evaluationJson(row.peft),
      deft: evaluationJson(row.deft),
      densityChange: row.densityChange,
      densityChanges: row.densityChanges,
      scoreChange: row.scoreChange,
    })),
    intervals,
  });
}

/** The object of `deft profile --json`. */
export function profileJson({ model, examples, tokens, density, timing }: Profile): Json {
  return toJson({ model, examples, tokens, density: reportJson(density), timing });
}

function reportJson({ encoder, decoder, generation, layers }: DensityReport) {
  return {
    encoder: densityJson(encoder),
    decoder: decoder && densityJson(decoder),
    generation: generation && densityJson(generation),
    layers: layers.map(layerJson),
  };
}

function densityJson({ paper, exact, thresholds, deadNeurons, rareNeurons, neurons }: Density) {
  return { paper, exact, thresholds, deadNeurons, rareNeurons, neurons };
}

function layerJson(density: LayerDensity) {
  const { stack, layer, site } = density;
  return { stack, layer, site, ...densityJson(density) };
}

/** Any plain value as JSON holds it: not-finite numbers become null, absent keys stay absent. */
export function toJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

/** `train_results.json`, `eval_results.json` and `all_results.json` with the Trainer's keys. */
export function trainerResults(
  events: readonly TrainEvent[],
  result: Evaluation | null,
): Readonly<Record<"train_results.json" | "eval_results.json" | "all_results.json", Json>> {
  const train = trainKeys(events);
  const evaluation = result === null ? {} : evalKeys(result);
  return {
    "train_results.json": toJson(train),
    "eval_results.json": toJson(evaluation),
    "all_results.json": toJson({ ...train, ...evaluation }),
  };
}

function trainKeys(events: readonly TrainEvent[]): Record<string, number> {
  const steps = events.filter((event) => event.type === "step");
  const start = events.findLast((event) => event.type === "start");
  const end = events.findLast((event) => event.type === "end");
  const last = steps.at(-1);
  if (last === undefined) return {};
  const seconds = (end?.durationMs ?? sum(steps.map((step) => step.stepMs))) / 1000;
  return {
    epoch: last.epoch,
    train_loss: sum(steps.map((step) => step.loss)) / steps.length,
    train_runtime: seconds,
    ...(start === undefined
      ? {}
      : {
          train_samples: start.trainExamples,
          train_samples_per_second: (steps.length * start.batchSize) / seconds,
        }),
    train_steps_per_second: steps.length / seconds,
  };
}

function evalKeys({ metrics, loss, examples, density, timing }: Evaluation): Record<string, number> {
  const headline = (of: Density) => densityBy(of, headlineDefinition(density));
  const layers = density.layers.filter((layer) => layer.stack === "encoder");
  return {
    ...Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value])),
    eval_loss: loss,
    eval_runtime: timing.totalMs / 1000,
    eval_samples: examples,
    eval_samples_per_second: timing.examplesPerSecond,
    eval_density: headline(density.encoder),
    eval_density_exact: density.encoder.exact,
    eval_density_paper: density.encoder.paper,
    ...Object.fromEntries(layers.map((layer) => [`eval_density_layer_${layer.layer}`, headline(layer)])),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
