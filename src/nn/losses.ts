// Task losses; each is a weighted sum over examples, so that micro-batches add up to exactly the large batch.
import {
  cast,
  equal,
  iota,
  logSoftmax,
  mul,
  neg,
  reduceSum,
  reshape,
  square,
  sub,
  type Value,
} from "../graph/index.ts";

/** `−log softmax(logits)[label]` of each example: logits `[B, C]`, labels `[B]` int64 → `[B]`. */
export function crossEntropy(logits: Value, labels: Value): Value {
  const [batch, numLabels] = logits.shape;
  const oneHot = cast(equal(reshape(labels, [batch!, 1]), iota(logits.graph, numLabels!)), logits.dtype);
  return neg(reduceSum(mul(logSoftmax(logits), oneHot), { axes: [-1] }));
}

/** `(prediction − label)²` of each example: logits `[B, 1]`, labels `[B]` float32 → `[B]`. */
export function squaredError(logits: Value, labels: Value): Value {
  return square(sub(reshape(logits, labels.shape), labels));
}
