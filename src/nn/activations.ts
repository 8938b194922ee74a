// The activation functions that checkpoints name in `hidden_act`.

import { UnsupportedError } from "../errors.ts";
import {
  add,
  div,
  exp,
  gelu,
  geluTanh,
  max,
  min,
  mul,
  reciprocal,
  relu,
  square,
  tanh,
  type Value,
} from "../graph/index.ts";
import { entryOf } from "../tensor/index.ts";

/** `1 + e⁻ˣ`, the exponent cut off where 1 is long lost beside it and before it overflows. */
const onePlusExp = (x: Value): Value => add(exp(min(mul(x, -1), 80)), 1);

// ONNX Runtime's Sigmoid is off by 1e-7 absolute and 0 below −18: too coarse for an activation whose zeros are counted
const logistic = (x: Value): Value => reciprocal(onePlusExp(x));
const silu = (x: Value): Value => div(x, onePlusExp(x));

/** `x · tanh(log(1 + eˣ)) = x · n / (n + 2)` with `n = eˣ (eˣ + 2)`: no cancellation at negative x. */
function mish(x: Value): Value {
  const e = exp(min(x, 20));
  const n = mul(e, add(e, 2));
  return mul(x, div(n, add(n, 2)));
}

/** By transformers' names (`ACT2FN`). */
const ACTIVATIONS: Readonly<Record<string, (x: Value) => Value>> = {
  gelu,
  gelu_python: gelu,
  gelu_10: (x) => max(min(gelu(x), 10), -10),
  gelu_new: geluTanh,
  gelu_fast: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu_python_tanh: geluTanh,
  gelu_accurate: geluTanh,
  quick_gelu: (x) => div(x, onePlusExp(mul(x, 1.702))),
  relu,
  relu2: (x) => square(relu(x)),
  relu6: (x) => min(relu(x), 6),
  leaky_relu: (x) => max(x, mul(x, 0.01)),
  sigmoid: logistic,
  silu,
  swish: silu,
  tanh,
  mish,
  hardswish: (x) => mul(x, mul(min(relu(add(x, 3)), 6), 1 / 6)),
  linear: (x) => x,
};

/**
 * The activation function called `name` in a model's config.
 * @throws {UnsupportedError} when there is none, listing those there are.
 */
export function activation(name: string): (x: Value) => Value {
  const found = entryOf(ACTIVATIONS, name);
  if (!found) throw new UnsupportedError(`hidden_act ${name}`, Object.keys(ACTIVATIONS));
  return found;
}
