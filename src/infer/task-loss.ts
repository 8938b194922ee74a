// The loss of each head, as sums over examples with what they are divided by: micro-batches add up to the large batch.
import { InternalError } from "../errors.ts";
import { max, mul, reduceSum, reshape, type Value } from "../graph/index.ts";
import { binaryCrossEntropy, crossEntropy, flattenRows, sparseCrossEntropy, squaredError } from "../nn/index.ts";
import type { SequenceHead } from "./head.ts";
import type { LossScale } from "./model-batch.ts";

/** One part of the task loss: the sum of `values` over the examples, over what `scale` counts. */
export interface LossTerm {
  readonly scale: LossScale;
  /** `[B]` float32 */
  readonly values: Value;
}

/** Labels that a head is fed, by input name, and its loss. */
export interface TaskLoss {
  readonly labels: Readonly<Record<string, Value>>;
  readonly losses: readonly LossTerm[];
}

/** The loss over logits `[B, C]`: `labels` `[B]` int64, `[B]` float32 for regression, `[B, C]` float32 of 0 and 1 for several. */
export function sequenceLosses(head: SequenceHead, logits: Value): TaskLoss {
  const { graph } = logits;
  const of = (labels: Value, values: Value): TaskLoss => ({
    labels: { labels },
    losses: [{ scale: "exampleScale", values }],
  });
  switch (head.kind) {
    case "classification": {
      const labels = graph.input("labels", "int64", ["B"]);
      return of(labels, crossEntropy(logits, labels));
    }
    case "multi-label": {
      const labels = graph.input("labels", "float32", ["B", head.numLabels]);
      return of(labels, binaryCrossEntropy(logits, labels));
    }
    case "regression": {
      const labels = graph.input("labels", "float32", ["B"]);
      return of(labels, squaredError(logits, labels));
    }
    default:
      throw new InternalError(`no loss for ${JSON.stringify(head)}`);
  }
}

/**
 * Half the cross entropy of the start and half that of the end, over logits `[B, S]`. A position from S up counts
 * nowhere: its example's answer lies outside the text.
 * @see transformers `BertForQuestionAnswering`
 */
export function spanLosses(startLogits: Value, endLogits: Value): TaskLoss {
  const { graph } = startLogits;
  const startPositions = graph.input("startPositions", "int64", ["B"]);
  const endPositions = graph.input("endPositions", "int64", ["B"]);
  // a label that no logit stands for gives a loss of 0
  const half = (logits: Value, positions: Value) => mul(crossEntropy(logits, max(positions, 0)), 0.5);
  return {
    labels: { startPositions, endPositions },
    losses: [
      { scale: "startScale", values: half(startLogits, startPositions) },
      { scale: "endScale", values: half(endLogits, endPositions) },
    ],
  };
}

/** Cross entropy of each label token, added up over a row: logits `[B, T, V]`, labels `[B, T]` int64, −100 where none counts. */
export function tokenLosses(logits: Value, labels: Value): readonly LossTerm[] {
  const rows = flattenRows(logits);
  const perToken = reshape(sparseCrossEntropy(rows, reshape(labels, [rows.shape[0]!])), labels.shape);
  return [{ scale: "labelTokenScale", values: reduceSum(perToken, { axes: [-1] }) }];
}
