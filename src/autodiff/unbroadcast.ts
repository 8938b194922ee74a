// The transpose of broadcasting: a cotangent summed back to the shape of what was broadcast.
import { reduceSum, reshape, type Shape, sameShape, type Value } from "../graph/index.ts";

/**
 * `dy` summed over the axes along which a value of `shape` was repeated.
 * Axes where `dy` is itself smaller than `shape` stay small: such a cotangent stands for its repetition.
 */
export function unbroadcast(dy: Value, shape: Shape): Value {
  if (sameShape(dy.shape, shape)) return dy;
  const lead = dy.shape.length - shape.length;
  // axes that were added in front, and axes of size 1 that were stretched
  const axes = dy.shape.flatMap((dim, i) => (i < lead || (shape[i - lead] === 1 && dim !== 1) ? [i] : []));
  const summed = axes.length > 0 ? reduceSum(dy, { axes, keepDims: true }) : dy;
  return lead > 0 ? reshape(summed, summed.shape.slice(lead)) : summed;
}
