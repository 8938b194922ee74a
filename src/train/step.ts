// What one optimiser step computes: losses, gradients, clipping and AdamW in the graph, in one program or, accumulating, in two.
import { type BackwardOptions, backward, cheapToRecompute, lightToRecompute } from "../autodiff/index.ts";
import {
  type AddedTap,
  activeShare,
  addedByMlps,
  addedSum,
  type DensityLossOptions,
  densityLoss,
  isGate,
  meanGate,
  numVirtualTokens,
  type StackName,
  squaredSensitivity,
} from "../density/index.ts";
import { ConfigError } from "../errors.ts";
import { add, mul, reduceSum, reshape, sigmoid, type Value } from "../graph/index.ts";
import { compose, type ParameterSpec } from "../nn/index.ts";
import { adamw, clipByGlobalNorm, globalNorm, isDecayed } from "../optim/index.ts";
import { isAdded } from "../peft/index.ts";
import { neuronMoments } from "../prune/index.ts";
import { buildTaskGraph, type LossTerm, type TaskGraph, type TaskGraphOptions } from "../tasks/index.ts";
import { elementCount } from "../tensor/index.ts";
import { type GateSite, layerWeightName, READING } from "./gate-importance.ts";

export interface StepOptions extends TaskGraphOptions {
  /** Null: no density loss in the graph at all. */
  readonly density: Pick<DensityLossOptions, "positions" | "loss"> | null;
  /** Gates of the MLPs; absent or null where there are none. */
  readonly gates?: GateOptions | null;
  /** Give the energy and the mean of every neuron, for gradual removal. */
  readonly neuronEnergies?: boolean;
  /** Give the share of |a| > 0.01 too, as `density`. */
  readonly activeShare?: boolean;
  readonly weightDecay: number;
  /** The model's own biases learn at this many times the rate: Adam's steps are as long as the rate, whatever the gradient. */
  readonly biasRate?: number;
  /** Global norm to clip to; null: no clipping. */
  readonly maxGradNorm: number | null;
  /** Compute all cheap forward results again in the backward pass, or none; by default all in large models, and in others those of one light pass. */
  readonly recompute?: boolean;
}

/** How gates are found: trained at a price μ and a rate in multiples of the learning rate, or read off the gradient. */
export type GateOptions =
  | { readonly kind: "sigmoid"; readonly weight: number; readonly rate: number }
  | { readonly kind: "importance" };

/** The outputs of each program, by name. */
export interface StepGraph {
  readonly parameters: readonly ParameterSpec[];
  readonly trainable: readonly ParameterSpec[];
  /** Fed as the trained ones are, and no step's result. */
  readonly buffers: readonly ParameterSpec[];
  /** What the terms of the task loss are divided by: the scalar of each, and what it counts. */
  readonly lossScales: readonly Pick<LossTerm, "scale" | "count">[];
  /** MLPs whose gates are read off the gradient, in order; none where gates are trained or absent. */
  readonly gates: readonly GateSite[];
  /** What their sublayers add, of whose gradient they are read off. */
  readonly sensitive: readonly AddedTap[];
  /** The stack of each activation that is measured, by its site. */
  readonly stacks: ReadonlyMap<string, StackName>;
  /** Virtual tokens before each example's text, of every stack with MLPs; they are positions too. */
  readonly numVirtualTokens: StackTokens;
  /** Everything at once: `loss`, `taskLoss`, `densityLoss`, `density`, `energy.SITE`, `sensitivity.SITE`, `added.SITE`, `addedCount.SITE`, `gradNorm`, `next.P`, `next.m.P`, `next.v.P`. */
  readonly step: Readonly<Record<string, Value>>;
  /** One micro-batch: the losses, what is measured, and `next.grad.P` = `grad.P` + its gradient. */
  readonly gradient: Readonly<Record<string, Value>>;
  /** From summed gradients `grad.P`: `gradNorm` and the updates. */
  readonly update: Readonly<Record<string, Value>>;
}

/** Virtual tokens by stack. */
export type StackTokens = Readonly<Partial<Record<StackName, number>>>;

/** The scalar that divides a stack's density loss by its counted positions. */
export function densityScale(stack: StackName): string {
  return stack === "decoder" ? "decoderTokenScale" : "tokenScale";
}

/** The scalar that weighs a micro-batch in means over a stack's positions. */
export function shareName(stack: StackName): string {
  return `${stack}Share`;
}

/**
 * Builds the step. Each scale is one over what it counts in the whole step (`stepScales`), so that micro-batches add up
 * to exactly the large batch's loss.
 * @throws {ConfigError} when the method trains nothing of this model. Errors as `buildTaskGraph`.
 */
export function buildStep(options: StepOptions): StepGraph {
  const tap = addedByMlps();
  const method = isMeasured(options)
    ? { ...options.method, hooks: compose(options.method.hooks, tap.hooks) }
    : options.method;
  const task = buildTaskGraph({ ...options, method, training: options.training ?? true });
  const { graph, losses: terms, attended, taps } = task;
  const trainable = learned(task);
  if (trainable.length === 0) throw nothingToTrain(options);
  const losses = stepLosses(task, options);
  const measured = {
    ...addedSums(tap.taps, task),
    ...(options.neuronEnergies ? neuronMoments(taps, attended) : {}),
    ...(options.activeShare
      ? { density: activeShare(taps, attended, (stack) => graph.input(shareName(stack), "float32", [])) }
      : {}),
  };
  const both = backward(
    losses["loss"]!,
    [...trainable.map(({ value }) => value), ...tap.taps.map(({ added }) => added)],
    recomputed(options, task),
  );
  const gradients = both.slice(0, trainable.length);
  const sensitivities = Object.fromEntries(
    tap.taps.map((of, i) => [`${READING.squares}${of.site}`, squaredSensitivity(of, both[trainable.length + i]!)]),
  );
  const summed = trainable.map(({ spec }) => graph.input(`grad.${spec.name}`, "float32", spec.shape));
  const gradient: Record<string, Value> = { ...losses, ...measured, ...sensitivities };
  trainable.forEach(({ spec }, i) => {
    gradient[`next.grad.${spec.name}`] = add(summed[i]!, gradients[i]!);
  });
  return {
    parameters: task.parameters,
    trainable: trainable.map(({ spec }) => spec),
    buffers: task.trainable.flatMap(({ spec }) => (spec.buffer ? [spec] : [])),
    lossScales: terms.map(({ scale, count }) => ({ scale, count })),
    gates: tap.taps.map(({ site, added }, i) => ({ site, stack: taps[i]!.stack, width: Number(added.shape.at(-1)) })),
    sensitive: tap.taps,
    stacks: new Map(taps.map(({ site, stack }) => [site, stack])),
    numVirtualTokens: Object.fromEntries(taps.map((tap) => [tap.stack, numVirtualTokens(tap, attended)])),
    step: { ...losses, ...measured, ...sensitivities, ...updates(task, gradients, options) },
    gradient,
    update: updates(task, summed, options),
  };
}

function stepLosses(
  { graph, attended, losses, taps, trainable }: TaskGraph,
  { density, gates: found }: Pick<StepOptions, "density" | "gates">,
): Record<string, Value> {
  const scalar = (name: string) => graph.input(name, "float32", []);
  const taskLoss = losses
    .map(({ scale, values }) => mul(reduceSum(values), scalar(scale)))
    .reduce((sum, term) => add(sum, term));
  const price = found?.kind === "sigmoid" ? found : null;
  const gates =
    found?.kind === "importance"
      ? taps.map((_, place) => reshape(scalar(layerWeightName(place)), [1]))
      : trainable.flatMap(({ spec, value }) => (isGate(spec.name) ? [sigmoid(value)] : []));
  const priced = price
    ? add(taskLoss, mul(mul(meanGate(taps, gates), price.weight), scalar(shareName("encoder"))))
    : taskLoss;
  if (!density) return { loss: priced, taskLoss };
  const sparse = densityLoss(taps, {
    epsilon: scalar("epsilon"),
    ...density,
    ...(found ? { gates } : {}),
    attended,
    scale: (stack) => scalar(densityScale(stack)),
  });
  return { loss: add(priced, mul(sparse, scalar("densityWeight"))), taskLoss, densityLoss: sparse };
}

function addedSums(added: readonly AddedTap[], { taps, attended }: TaskGraph): Record<string, Value> {
  const results = added.flatMap((of, i) => {
    const { sum, count } = addedSum(of, taps[i]!, attended);
    return [[`${READING.sum}${of.site}`, sum] as const, [`${READING.count}${of.site}`, count] as const];
  });
  return Object.fromEntries(results);
}

const isMeasured = ({ gates }: Pick<StepOptions, "gates">) => gates?.kind === "importance";

function nothingToTrain({ model, method }: StepOptions): ConfigError {
  const got = `${method.settings.kind}, for which ${model.config.modelType} has nothing to train`;
  return new ConfigError([{ path: "method", expected: "a method that trains a part of the model", got }], {
    hint: "A head that is the embeddings too is trained with --method full alone; LoRA and adapters add parameters of their own.",
  });
}

/** What gradients change: all that is fed but the buffers. */
function learned({ trainable }: TaskGraph): TaskGraph["trainable"] {
  return trainable.filter(({ spec }) => !spec.buffer);
}

function updates(
  task: TaskGraph,
  gradients: readonly Value[],
  { weightDecay, maxGradNorm, biasRate = 1, gates }: StepOptions,
): Record<string, Value> {
  const { graph } = task;
  const scalar = (name: string) => graph.input(name, "float32", []);
  const gradNorm = graph.at("clip", () => globalNorm(gradients));
  const clipped =
    maxGradNorm === null ? gradients : graph.at("clip", () => clipByGlobalNorm(gradients, gradNorm, maxGradNorm));
  const outputs: Record<string, Value> = { gradNorm };
  const gateRate = gates?.kind === "sigmoid" ? gates.rate : 1;
  const rate = (spec: ParameterSpec) => {
    const multiple = isGate(spec.name) ? gateRate : isModelBias(spec) ? biasRate : 1;
    return multiple === 1 ? scalar("learningRate") : mul(scalar("learningRate"), multiple);
  };
  learned(task).forEach(({ spec, value }, i) => {
    const { name, shape } = spec;
    const state = { m: graph.input(`m.${name}`, "float32", shape), v: graph.input(`v.${name}`, "float32", shape) };
    const next = adamw(value, clipped[i]!, state, {
      learningRate: rate(spec),
      correction1: scalar("correction1"),
      correction2: scalar("correction2"),
      weightDecay: isDecayed(name) && !isGate(name) ? weightDecay : 0,
    });
    outputs[`next.${name}`] = next.parameter;
    outputs[`next.m.${name}`] = next.m;
    outputs[`next.v.${name}`] = next.v;
  });
  return outputs;
}

/** A bias of the model itself: not the head's, nor one that a method added. */
function isModelBias({ name, part }: ParameterSpec): boolean {
  return name.endsWith(".bias") && part?.kind !== "head" && !isAdded(name);
}

/** From here on recomputation costs no time that could be measured (RoBERTa-large); at 125 M parameters it costs a tenth. */
const LARGE_PARAMETERS = 200e6;

/** Unless it is asked for or against, a large model computes all that is cheap again, any other what is light. */
function recomputed({ recompute }: Pick<StepOptions, "recompute">, task: TaskGraph): BackwardOptions {
  if (recompute === false) return {};
  return { recompute: recompute === true || isLarge(task) ? cheapToRecompute : lightToRecompute };
}

function isLarge({ parameters }: TaskGraph): boolean {
  return parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0) >= LARGE_PARAMETERS;
}
