// The loss of each head, as sums over examples with what they are divided by: micro-batches add up to the large batch.
import { InternalError } from "../errors.ts";
import { add, type Graph, max, mul, reduceSum, reshape, select, sigmoid, type Value } from "../graph/index.ts";
import {
  binaryCrossEntropy,
  crossEntropy,
  flattenRows,
  sparseCrossEntropy,
  squaredError,
  teacherDivergence,
} from "../nn/index.ts";
import { numLogits, type SequenceHead } from "./head.ts";
import type { LossScale } from "./model-batch.ts";

/** One part of the task loss: the sum of `values` over the examples, over what `scale` counts. */
export interface LossTerm {
  readonly scale: LossScale;
  /** `[B]` float32 */
  readonly values: Value;
}

/** What is learned from a teacher's logits, beside the labels. */
export interface Distillation {
  /** Share of the loss that asks for the teacher's answers, in [0, 1]; the labels have the rest. */
  readonly weight: number;
}

/** Labels that a head is fed, by input name, and its loss. */
export interface TaskLoss {
  readonly labels: Readonly<Record<string, Value>>;
  readonly losses: readonly LossTerm[];
}

/**
 * The loss over logits `[B, C]`: `labels` `[B]` int64, `[B]` float32 for regression, `[B, C]` float32 of 0 and 1 for several. With a
 * teacher `(1 − weight) · that + weight · the distance from its answers`, fed as `teacherLogits` `[B, C]` float32.
 */
export function sequenceLosses(head: SequenceHead, logits: Value, distillation: Distillation | null = null): TaskLoss {
  const { graph } = logits;
  const labels = labelInput(graph, head);
  const of = (values: Value, teacher: Readonly<Record<string, Value>>): TaskLoss => ({
    labels: { labels, ...teacher },
    losses: [{ scale: "exampleScale", values }],
  });
  const hard = labelLoss(head, logits, labels);
  if (distillation === null || distillation.weight === 0) return of(hard, {});
  const teacherLogits = graph.input("teacherLogits", "float32", ["B", numLogits(head)]);
  const soft = mul(teacherLoss(head, logits, teacherLogits), distillation.weight);
  return of(add(mul(hard, 1 - distillation.weight), soft), { teacherLogits });
}

function labelInput(graph: Graph, head: SequenceHead): Value {
  if (head.kind === "classification") return graph.input("labels", "int64", ["B"]);
  return graph.input("labels", "float32", head.kind === "regression" ? ["B"] : ["B", head.numLabels]);
}

function labelLoss(head: SequenceHead, logits: Value, labels: Value): Value {
  switch (head.kind) {
    case "classification":
      return crossEntropy(logits, labels);
    case "multi-label":
      return binaryCrossEntropy(logits, labels);
    case "regression":
      return squaredError(logits, labels);
    default:
      throw new InternalError(`no loss for ${JSON.stringify(head)}`);
  }
}

/** How far each example's answer is from the teacher's: `[B, C]` twice → `[B]`. */
function teacherLoss(head: SequenceHead, logits: Value, teacherLogits: Value): Value {
  switch (head.kind) {
    case "classification":
      return teacherDivergence(logits, teacherLogits);
    case "multi-label":
      return binaryCrossEntropy(logits, sigmoid(teacherLogits));
    case "regression":
      return squaredError(logits, reshape(teacherLogits, [logits.shape[0]!]));
    default:
      throw new InternalError(`no teacher's loss for ${JSON.stringify(head)}`);
  }
}

/**
 * Half the cross entropy of the start and half that of the end, over logits `[B, S]`. A position from S up counts
 * nowhere: its example's answer lies outside the text. With a teacher `(1 − weight) · that`, and `weight` times the mean
 * over all examples of half of either's KL(teacher ‖ student) over the positions; its logits are fed as `teacherLogits` `[B, S, 2]` float32.
 * @see transformers `BertForQuestionAnswering`
 */
export function spanLosses(startLogits: Value, endLogits: Value, distillation: Distillation | null = null): TaskLoss {
  const { graph } = startLogits;
  const startPositions = graph.input("startPositions", "int64", ["B"]);
  const endPositions = graph.input("endPositions", "int64", ["B"]);
  const weight = distillation?.weight ?? 0;
  // a label that no logit stands for gives a loss of 0
  const half = (logits: Value, positions: Value) => mul(crossEntropy(logits, max(positions, 0)), (1 - weight) / 2);
  const losses: LossTerm[] = [
    { scale: "startScale", values: half(startLogits, startPositions) },
    { scale: "endScale", values: half(endLogits, endPositions) },
  ];
  if (weight === 0) return { labels: { startPositions, endPositions }, losses };
  const teacherLogits = graph.input("teacherLogits", "float32", [...startLogits.shape, 2]);
  const apart = (logits: Value, which: 0 | 1) => teacherDivergence(logits, select(teacherLogits, 2, which));
  const soft = mul(add(apart(startLogits, 0), apart(endLogits, 1)), weight / 2);
  return {
    labels: { startPositions, endPositions, teacherLogits },
    losses: [...losses, { scale: "exampleScale", values: soft }],
  };
}

/** Cross entropy of each label token, added up over a row: logits `[B, T, V]`, labels `[B, T]` int64, −100 where none counts. */
export function tokenLosses(logits: Value, labels: Value): readonly LossTerm[] {
  const rows = flattenRows(logits);
  const perToken = reshape(sparseCrossEntropy(rows, reshape(labels, [rows.shape[0]!])), labels.shape);
  return [{ scale: "labelTokenScale", values: reduceSum(perToken, { axes: [-1] }) }];
}
