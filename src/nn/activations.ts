// The activation functions that checkpoints name in `hidden_act`.
import { UnsupportedError } from "../errors.ts";
import { add, erf, exp, gelu, log, max, min, mul, relu, sigmoid, square, tanh, type Value } from "../graph/index.ts";

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);

/** `½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))`. */
const geluTanh = (x: Value): Value =>
  mul(mul(x, 0.5), add(tanh(mul(mul(x, add(mul(square(x), 0.044715), 1)), SQRT_2_OVER_PI)), 1));

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
  quick_gelu: (x) => mul(x, sigmoid(mul(x, 1.702))),
  relu,
  relu2: (x) => square(relu(x)),
  relu6: (x) => min(relu(x), 6),
  leaky_relu: (x) => max(x, mul(x, 0.01)),
  sigmoid,
  silu: (x) => mul(x, sigmoid(x)),
  swish: (x) => mul(x, sigmoid(x)),
  tanh,
  // log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|)
  mish: (x) => mul(x, tanh(add(relu(x), log(add(exp(min(x, mul(x, -1))), 1))))),
  hardswish: (x) => mul(x, mul(min(relu(add(x, 3)), 6), 1 / 6)),
  // ½ (1 + erf((x − µ) / (σ √2)))
  laplace: (x) => mul(add(erf(mul(add(x, -0.707107), 1 / (0.282095 * Math.SQRT2))), 1), 0.5),
  linear: (x) => x,
};

/**
 * The activation function called `name` in a model's config.
 * @throws {UnsupportedError} when there is none, listing those there are.
 */
export function activation(name: string): (x: Value) => Value {
  const found = ACTIVATIONS[name];
  if (!found) throw new UnsupportedError(`hidden_act ${name}`, Object.keys(ACTIVATIONS));
  return found;
}
