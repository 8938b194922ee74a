// Task losses; each is a weighted sum over examples, so that micro-batches add up to exactly the large batch.
import {
  abs,
  add,
  cast,
  equal,
  exp,
  iota,
  log,
  logSoftmax,
  mul,
  neg,
  reduceMean,
  reduceSum,
  relu,
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

/** `mean over C of −y·log σ(x) − (1 − y)·log σ(−x)` of each example: logits and labels `[B, C]` float32 → `[B]`. */
export function binaryCrossEntropy(logits: Value, labels: Value): Value {
  // max(x, 0) − x·y + log(1 + e^−|x|): no large exponent
  const softplus = add(relu(logits), log(add(exp(neg(abs(logits))), 1)));
  return reduceMean(sub(softplus, mul(logits, labels)), { axes: [-1] });
}

/** `(prediction − label)²` of each example: logits `[B, 1]`, labels `[B]` float32 → `[B]`. */
export function squaredError(logits: Value, labels: Value): Value {
  return square(sub(reshape(logits, labels.shape), labels));
}
