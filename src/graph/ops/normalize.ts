// Ops that normalise along an axis.
import { ShapeError } from "../../errors.ts";
import { normalizeAxis, printShape } from "../dim.ts";
import type { Value } from "../value.ts";

/** `eˣ / Σ eˣ` along `axis`. */
export function softmax(x: Value, axis = -1): Value {
  const at = normalizeAxis("softmax", axis, x.shape.length, x.graph.site);
  return x.graph.apply("softmax", [x], { axis: at }, [{ dtype: x.dtype, shape: x.shape }])[0]!;
}

/** `x − log Σ eˣ` along `axis`. */
export function logSoftmax(x: Value, axis = -1): Value {
  const at = normalizeAxis("logSoftmax", axis, x.shape.length, x.graph.site);
  return x.graph.apply("logSoftmax", [x], { axis: at }, [{ dtype: x.dtype, shape: x.shape }])[0]!;
}

export interface Normalized {
  readonly y: Value;
  /** `[…, 1]` */
  readonly mean: Value;
  /** `1 / √(variance + ε)`, `[…, 1]` */
  readonly invStd: Value;
}

/**
 * Layer normalisation over the last axis (Ba et al. 2016): `(x − mean) · invStd · γ + β`, γ and β `[D]`.
 * @throws {ShapeError} when γ or β is not as long as the last axis.
 */
export function layerNorm(x: Value, gamma: Value, beta: Value, { epsilon = 1e-5 } = {}): Normalized {
  const size = x.shape.at(-1);
  for (const factor of [gamma, beta]) {
    if (factor.shape.length !== 1 || factor.shape[0] !== size || factor.dtype !== x.dtype) {
      throw new ShapeError(
        "layerNorm",
        `γ and β of ${x.dtype}${printShape(x.shape.slice(-1))}`,
        [`${factor.dtype}${printShape(factor.shape)}`],
        x.graph.site,
      );
    }
  }
  const reduced = [...x.shape.slice(0, -1), 1];
  const [y, mean, invStd] = x.graph.apply("layerNorm", [x, gamma, beta], { epsilon }, [
    { dtype: x.dtype, shape: x.shape },
    { dtype: "float32", shape: reduced },
    { dtype: "float32", shape: reduced },
  ]);
  return { y: y!, mean: mean!, invStd: invStd! };
}
