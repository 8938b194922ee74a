// What one optimiser step computes: losses, gradients, clipping and AdamW in the graph, in one program or, accumulating, in two.
import { backward, cheapToRecompute } from "../autodiff/index.ts";
import { densityLoss, numVirtualTokens } from "../density/index.ts";
import { add, mul, reduceSum, type Value } from "../graph/index.ts";
import { buildClassifier, type Classifier, type ClassifierOptions } from "../infer/index.ts";
import type { ParameterSpec } from "../nn/index.ts";
import { adamw, clipByGlobalNorm, globalNorm, isDecayed } from "../optim/index.ts";
import { isHead } from "../peft/index.ts";
import { sizeOf } from "../tensor/index.ts";

export interface StepOptions extends ClassifierOptions {
  /** Null: no density loss in the graph at all. */
  readonly density: { readonly positions: "attended" | "all" } | null;
  readonly weightDecay: number;
  /** The model's own biases learn at this many times the rate: Adam's steps are as long as the rate, whatever the gradient. */
  readonly biasRate?: number;
  /** Global norm to clip to; null: no clipping. */
  readonly maxGradNorm: number | null;
  /** Compute cheap forward results again in the backward pass instead of keeping them; by default in large models. */
  readonly recompute?: boolean;
}

/** The outputs of each program, by name. */
export interface StepGraph {
  readonly parameters: readonly ParameterSpec[];
  readonly trainable: readonly ParameterSpec[];
  /** Virtual tokens before the text of each example; they are positions too. */
  readonly numVirtualTokens: number;
  /** Everything at once: `loss`, `taskLoss`, `densityLoss`, `gradNorm`, `next.P`, `next.m.P`, `next.v.P`. */
  readonly step: Readonly<Record<string, Value>>;
  /** One micro-batch: the losses, and `next.grad.P` = `grad.P` + its gradient. */
  readonly gradient: Readonly<Record<string, Value>>;
  /** From summed gradients `grad.P`: `gradNorm` and the updates. */
  readonly update: Readonly<Record<string, Value>>;
}

/** Scalars fed at every run, float32. */
export const SCALAR_FEEDS = [
  "exampleScale",
  "tokenScale",
  "epsilon",
  "densityWeight",
  "learningRate",
  "correction1",
  "correction2",
] as const;
export type ScalarFeed = (typeof SCALAR_FEEDS)[number];

/**
 * Builds the step. `exampleScale` is one over the examples of the whole step and `tokenScale` one over its counted
 * positions, so that micro-batches add up to exactly the large batch's loss.
 */
export function buildStep(options: StepOptions): StepGraph {
  const classifier = buildClassifier({ ...options, training: options.training ?? true });
  const { graph, inputs, taps, trainable } = classifier;
  const losses = stepLosses(classifier, options.density);
  const gradients = backward(
    losses["loss"]!,
    trainable.map(({ value }) => value),
    (options.recompute ?? isLarge(classifier)) ? { recompute: cheapToRecompute } : {},
  );
  const summed = trainable.map(({ spec }) => graph.input(`grad.${spec.name}`, "float32", spec.shape));
  const gradient: Record<string, Value> = { ...losses };
  trainable.forEach(({ spec }, i) => {
    gradient[`next.grad.${spec.name}`] = add(summed[i]!, gradients[i]!);
  });
  return {
    parameters: classifier.parameters,
    trainable: trainable.map(({ spec }) => spec),
    numVirtualTokens: Math.max(0, ...taps.map((tap) => numVirtualTokens(tap, inputs.attentionMask))),
    step: { ...losses, ...updates(classifier, gradients, options) },
    gradient,
    update: updates(classifier, summed, options),
  };
}

function stepLosses(
  { graph, inputs, losses, taps }: Classifier,
  density: StepOptions["density"],
): Record<string, Value> {
  const scalar = (name: ScalarFeed) => graph.input(name, "float32", []);
  const taskLoss = mul(reduceSum(losses), scalar("exampleScale"));
  if (!density) return { loss: taskLoss, taskLoss };
  const sparse = densityLoss(taps, {
    epsilon: scalar("epsilon"),
    positions: density.positions,
    attentionMask: inputs.attentionMask,
    scale: scalar("tokenScale"),
  });
  return { loss: add(taskLoss, mul(sparse, scalar("densityWeight"))), taskLoss, densityLoss: sparse };
}

function updates(
  { graph, trainable }: Classifier,
  gradients: readonly Value[],
  { weightDecay, maxGradNorm, biasRate = 1 }: StepOptions,
): Record<string, Value> {
  const scalar = (name: ScalarFeed) => graph.input(name, "float32", []);
  const gradNorm = graph.at("clip", () => globalNorm(gradients));
  const clipped =
    maxGradNorm === null ? gradients : graph.at("clip", () => clipByGlobalNorm(gradients, gradNorm, maxGradNorm));
  const outputs: Record<string, Value> = { gradNorm };
  trainable.forEach(({ spec, value }, i) => {
    const { name, shape } = spec;
    const state = { m: graph.input(`m.${name}`, "float32", shape), v: graph.input(`v.${name}`, "float32", shape) };
    const next = adamw(value, clipped[i]!, state, {
      learningRate: isModelBias(name) ? mul(scalar("learningRate"), biasRate) : scalar("learningRate"),
      correction1: scalar("correction1"),
      correction2: scalar("correction2"),
      weightDecay: isDecayed(name) ? weightDecay : 0,
    });
    outputs[`next.${name}`] = next.parameter;
    outputs[`next.m.${name}`] = next.m;
    outputs[`next.v.${name}`] = next.v;
  });
  return outputs;
}

/** A bias of the model itself: not the head's, nor an adapter's. */
function isModelBias(name: string): boolean {
  return name.endsWith(".bias") && !isHead(name) && !/\.adapter_(down|up)\.bias$/.test(name);
}

/** From here on recomputation costs no time that could be measured (RoBERTa-large); at 125 M parameters it costs a tenth. */
const LARGE_PARAMETERS = 200e6;

function isLarge({ parameters }: Classifier): boolean {
  return parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0) >= LARGE_PARAMETERS;
}
