// Task losses; each is a weighted sum over examples, so that micro-batches add up to exactly the large batch.
import {
  abs,
  add,
  and,
  cast,
  type Dim,
  equal,
  exp,
  gather,
  iota,
  less,
  lessEqual,
  log,
  logSoftmax,
  max,
  min,
  mul,
  multiplyDims,
  neg,
  reduceMean,
  reduceSum,
  relu,
  reshape,
  softmax,
  square,
  sub,
  type Value,
} from "../graph/index.ts";
import { float32 } from "../tensor/index.ts";

/** `−log softmax(logits)[label]` of each example: logits `[B, C]`, labels `[B]` int64 → `[B]`. */
export function crossEntropy(logits: Value, labels: Value): Value {
  const [batch, numLabels] = logits.shape;
  const oneHot = cast(equal(reshape(labels, [batch!, 1]), iota(logits.graph, numLabels!)), logits.dtype);
  return neg(reduceSum(mul(logSoftmax(logits), oneHot), { axes: [-1] }));
}

/**
 * The same for many classes, `[N, C]` and `[N]` → `[N]`, without a table of zeros and ones as large as the logits; a label
 * that is no class, as −100, gives 0.
 */
export function sparseCrossEntropy(logits: Value, labels: Value): Value {
  const { graph } = logits;
  const [rows, classes] = logits.shape as readonly [Dim, number];
  const isClass = and(lessEqual(graph.scalar(0, "int64"), labels), less(labels, classes));
  const place = add(mul(iota(graph, rows), classes), min(max(labels, 0), classes - 1));
  const chosen = gather(reshape(logSoftmax(logits), [multiplyDims(rows, classes)]), place);
  return neg(mul(chosen, cast(isClass, logits.dtype)));
}

/**
 * `mean over C of −p·y·log σ(x) − (1 − y)·log σ(−x)` of each example: logits and labels `[B, C]` float32 → `[B]`. `positiveWeights` are p, a
 * number for each class (torch's `pos_weight`); null: 1.
 */
export function binaryCrossEntropy(
  logits: Value,
  labels: Value,
  positiveWeights: readonly number[] | null = null,
): Value {
  const small = () => log(add(exp(neg(abs(logits))), 1));
  // max(x, 0) − x·y + log(1 + e^−|x|): no large exponent
  if (positiveWeights === null) return reduceMean(sub(add(relu(logits), small()), mul(logits, labels)), { axes: [-1] });
  // (1 − y)·x + (1 + (p − 1)·y)·(max(−x, 0) + log(1 + e^−|x|))
  const more = float32(
    [positiveWeights.length],
    positiveWeights.map((weight) => Math.fround(weight) - 1),
  );
  const surprise = mul(add(mul(labels, logits.graph.constant(more)), 1), add(relu(neg(logits)), small()));
  return reduceMean(add(mul(sub(logits.graph.scalar(1), labels), logits), surprise), { axes: [-1] });
}

/**
 * `KL(teacher ‖ student) = Σ_c p_c · (log p_c − log softmax(logits)_c)` of each example, p the softmax of `teacherLogits`: both `[B, C]` → `[B]`.
 * @see Hinton et al. 2015, Distilling the Knowledge in a Neural Network, at temperature 1; torch `kl_div`.
 */
export function teacherDivergence(logits: Value, teacherLogits: Value): Value {
  const apart = sub(logSoftmax(teacherLogits), logSoftmax(logits));
  return reduceSum(mul(softmax(teacherLogits), apart), { axes: [-1] });
}

/** `(prediction − label)²` of each example: logits `[B, 1]`, labels `[B]` float32 → `[B]`. */
export function squaredError(logits: Value, labels: Value): Value {
  return square(sub(reshape(logits, labels.shape), labels));
}
