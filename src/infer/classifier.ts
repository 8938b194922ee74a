// A sequence classifier as a graph: model, method and tap composed, for training, scoring and measuring alike.

import { activationTap, type Tap } from "../density/index.ts";
import { InternalError } from "../errors.ts";
import { Graph, isOp, type Node, reachable, type Value } from "../graph/index.ts";
import { type EncoderInputs, type EncoderModel, encoderLogits } from "../models/index.ts";
import {
  binaryCrossEntropy,
  compose,
  crossEntropy,
  type DropoutNoise,
  type ParameterSpec,
  Scope,
  squaredError,
} from "../nn/index.ts";
import type { Method } from "../peft/index.ts";

/** Classification over classes, of which one or several hold, or regression to one number. */
export type HeadKind =
  | { readonly kind: "classification"; readonly numLabels: number }
  | { readonly kind: "multi-label"; readonly numLabels: number }
  | { readonly kind: "regression" };

export interface ClassifierOptions {
  readonly model: EncoderModel;
  readonly method: Method;
  readonly head: HeadKind;
  /** Parameters to train besides the method's: parts of the head that the checkpoint lacks. */
  readonly alsoTrains?: ReadonlySet<string>;
  /** With dropout as the model's config and the method say. */
  readonly training?: boolean;
}

export interface Classifier {
  readonly graph: Graph;
  readonly inputs: EncoderInputs;
  /** `[B]` int64, `[B]` float32 for regression, or `[B, C]` float32 of 0 and 1 for several labels. */
  readonly labels: Value;
  /** `[B, C]` */
  readonly logits: Value;
  /** Task loss of each example, `[B]`. */
  readonly losses: Value;
  readonly taps: readonly Tap[];
  readonly parameters: readonly ParameterSpec[];
  /** The trained ones among `parameters`, as values. */
  readonly trainable: readonly { readonly spec: ParameterSpec; readonly value: Value }[];
}

/** Number of logits of a head. */
export function numLogits(head: HeadKind): number {
  return head.kind === "regression" ? 1 : head.numLabels;
}

/** Builds the forward pass once. Feeds: `tokenIds`, `attentionMask`, `typeIds` `[B, S]`, `labels` `[B]`, in training `dropoutSeed`. */
export function buildClassifier({ model, method, head, alsoTrains, training = false }: ClassifierOptions): Classifier {
  const graph = new Graph();
  const inputs: EncoderInputs = {
    tokenIds: graph.input("tokenIds", "int64", ["B", "S"]),
    attentionMask: graph.input("attentionMask", "int64", ["B", "S"]),
    typeIds: graph.input("typeIds", "int64", ["B", "S"]),
  };
  const tap = activationTap();
  const noise: DropoutNoise | undefined = training ? { seed: graph.input("dropoutSeed", "uint32", []) } : undefined;
  const root = Scope.root(graph, {
    hooks: compose(method.hooks, tap.hooks),
    trains: (name) => method.trains(name) || (alsoTrains?.has(name) ?? false),
    ...(noise ? { noise } : {}),
  });
  const logits = encoderLogits(model, root, inputs, numLogits(head));
  const { labels, losses } = taskLosses(head, logits);
  // what a hook has skipped is not part of the model: neither its parameters nor its activations
  const needed = new Set(reachable([logits]));
  const parameterOf = ({ name, shape, trainable }: ParameterSpec) => graph.parameter(name, shape, { trainable });
  const parameters = root.parameters.filter((spec) => needed.has(parameterOf(spec).node));
  const taps = tap.taps.filter(({ activation }) => isReached(activation, needed));
  const trainable = parameters.filter((spec) => spec.trainable).map((spec) => ({ spec, value: parameterOf(spec) }));
  return { graph, inputs, labels, logits, losses, taps, parameters, trainable };
}

/** Whether the logits need a value; a reshape is passed over by one that follows it, so its source counts. */
function isReached({ node }: Value, needed: ReadonlySet<Node>): boolean {
  return needed.has(node) || (isOp(node, "reshape") && needed.has(node.inputs[0]!.node));
}

function taskLosses(head: HeadKind, logits: Value): Pick<Classifier, "labels" | "losses"> {
  const { graph } = logits;
  switch (head.kind) {
    case "classification": {
      const labels = graph.input("labels", "int64", ["B"]);
      return { labels, losses: crossEntropy(logits, labels) };
    }
    case "multi-label": {
      const labels = graph.input("labels", "float32", ["B", head.numLabels]);
      return { labels, losses: binaryCrossEntropy(logits, labels) };
    }
    case "regression": {
      const labels = graph.input("labels", "float32", ["B"]);
      return { labels, losses: squaredError(logits, labels) };
    }
    default:
      throw new InternalError(`no loss for ${JSON.stringify(head)}`);
  }
}
