// A task as a graph: model, method, head and tap composed, for training, scoring and measuring alike.

import { activationTap, type StackMasks, type Tap } from "../density/index.ts";
import { ConfigError, UnsupportedError } from "../errors.ts";
import { cast, equal, Graph, isOp, type Node, not, reachable, type Value } from "../graph/index.ts";
import type { EncoderDecoderModel, EncoderModel, Model } from "../models/index.ts";
import { compose, type DropoutNoise, type KeptColumns, type ParameterSpec, Scope } from "../nn/index.ts";
import type { Method } from "../peft/index.ts";
import type { HeadKind, LossOptions, LossTerm, ReadingHead, WritingHead } from "./head.ts";
import { IGNORED_LABEL } from "./model-batch.ts";
import { headRecord } from "./table.ts";

export interface TaskGraphOptions extends LossOptions {
  readonly model: Model;
  readonly method: Method;
  readonly head: HeadKind;
  /** Parameters to train besides the method's: parts of the head that the checkpoint lacks. */
  readonly alsoTrains?: ReadonlySet<string>;
  /** Which neurons are there, by sites of MLPs that others have left: dropout and density stay those of all. */
  readonly columns?: ReadonlyMap<string, KeptColumns>;
  /** With dropout as the model's config and the method say. */
  readonly training?: boolean;
  /** Compute the last block where the head reads it and nowhere else; not where its activations are measured. */
  readonly firstOnly?: boolean;
}

export interface TaskGraph {
  readonly graph: Graph;
  /** What a batch feeds, by input name; labels too. */
  readonly inputs: Readonly<Record<string, Value>>;
  /** As the head's record gives them: `logits` `[B, C]`, or `startLogits` and `endLogits` `[B, S]`, or `logits` `[B, T, V]`. */
  readonly outputs: Readonly<Record<string, Value>>;
  /** Their sums, each divided by its count, add up to the task loss. */
  readonly losses: readonly LossTerm[];
  readonly taps: readonly Tap[];
  /** Where each stack's positions count as attended. */
  readonly attended: StackMasks;
  readonly parameters: readonly ParameterSpec[];
  /** The trained ones among `parameters`, as values. */
  readonly trainable: readonly { readonly spec: ParameterSpec; readonly value: Value }[];
}

/**
 * Builds the forward pass once. Feeds: `tokenIds`, `attentionMask` `[B, S]`, for encoders `typeIds` `[B, S]`; labels as the
 * head's record has them; in training `dropoutSeed`, and with a teacher `teacherLogits`. A head that writes is fed `labels` `[B, T]` with −100
 * where there is none, which shifted right are the decoder's input too.
 * @throws {UnsupportedError} when the model cannot carry such a head.
 * @throws {ConfigError} when texts are to be distilled.
 */
export function buildTaskGraph(options: TaskGraphOptions): TaskGraph {
  const { model, method, head, alsoTrains, columns, training = false } = options;
  const record = headRecord(head);
  if (options.distillation && record.writes) throw noDistillation();
  const graph = new Graph();
  const tap = activationTap(columns);
  const noise: DropoutNoise | undefined = training
    ? { seed: graph.input("dropoutSeed", "uint32", []), ...(columns ? { columns } : {}) }
    : undefined;
  const root = Scope.root(graph, {
    hooks: compose(method.hooks, tap.hooks),
    trains: (parameter) => method.trains(parameter) || (alsoTrains?.has(parameter.name) ?? false),
    ...(noise ? { noise } : {}),
  });
  const task = record.writes
    ? writingTask(writerOf(model, head), root, record)
    : readingTask(readerOf(model, head), root, record, options);
  // what a hook has skipped is not part of the model: neither its parameters nor its activations
  const needed = new Set(reachable(Object.values(task.outputs)));
  const parameterOf = ({ name, shape, trainable }: ParameterSpec) => graph.parameter(name, shape, { trainable });
  const stored = storedNames(needed);
  const parameters = root.parameters.filter((spec) => needed.has(parameterOf(spec).node) || stored.has(spec.name));
  const taps = tap.taps.filter(({ activation }) => isReached(activation, needed));
  const trainable = parameters.filter((spec) => spec.trainable).map((spec) => ({ spec, value: parameterOf(spec) }));
  return { graph, ...task, taps, parameters, trainable };
}

type Task = Pick<TaskGraph, "inputs" | "outputs" | "losses" | "attended">;

function readingTask(
  model: EncoderModel,
  root: Scope,
  record: ReadingHead,
  { head, firstOnly = false, ...options }: Pick<TaskGraphOptions, "head" | "firstOnly"> & LossOptions,
): Task {
  const { graph } = root;
  const tokens = (name: string) => graph.input(name, "int64", ["B", "S"]);
  const text = { tokenIds: tokens("tokenIds"), attentionMask: tokens("attentionMask"), typeIds: tokens("typeIds") };
  const outputs = record.outputs(model, root, text, { head, firstOnly });
  const { labels, losses } = record.losses(outputs, head, options);
  return { inputs: { ...text, ...labels }, outputs, losses, attended: { encoder: text.attentionMask } };
}

function writingTask(model: EncoderDecoderModel, root: Scope, record: WritingHead): Task {
  const { graph } = root;
  const tokens = (name: string) => graph.input(name, "int64", ["B", "S"]);
  const text = { tokenIds: tokens("tokenIds"), attentionMask: tokens("attentionMask") };
  const labels = graph.input("labels", "int64", ["B", "T"]);
  const outputs = record.outputs(model, root, text, labels);
  return {
    inputs: { ...text, labels },
    outputs,
    losses: record.losses(outputs, labels),
    attended: { encoder: text.attentionMask, decoder: cast(not(equal(labels, IGNORED_LABEL)), "int64") },
  };
}

function readerOf(model: Model, head: HeadKind): EncoderModel {
  if (!model.writes) return model;
  throw unsupported(model, head, ["language-model"]);
}

function writerOf(model: Model, head: HeadKind): EncoderDecoderModel {
  if (model.writes) return model;
  throw unsupported(model, head, ["classification", "span"]);
}

function noDistillation(): ConfigError {
  const expected = "a task of labels, or of answers that an encoder points at";
  return new ConfigError([{ path: "--teacher", expected, got: "one that writes texts" }]);
}

const unsupported = ({ config }: Model, head: HeadKind, supported: readonly string[]) =>
  new UnsupportedError(`a ${head.kind} head on ${config.modelType}`, supported);

/** The matrices that are read in their stored form: a part of one bears its name and a dot. */
function storedNames(needed: ReadonlySet<Node>): ReadonlySet<string> {
  const matrices = [...needed].filter((node) => node.op === "dequantize").flatMap(({ inputs }) => inputs);
  return new Set(
    matrices.flatMap(({ node }) =>
      isOp(node, "parameter") ? [node.attributes.name.slice(0, node.attributes.name.lastIndexOf("."))] : [],
    ),
  );
}

/** Whether the outputs need a value; a reshape is passed over by one that follows it, so its source counts. */
function isReached({ node }: Value, needed: ReadonlySet<Node>): boolean {
  return needed.has(node) || (isOp(node, "reshape") && needed.has(node.inputs[0]!.node));
}
