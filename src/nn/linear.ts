// The linear layer, with weights as checkpoints store them: `[out, in]`.
import { add, matmul, multiplyDims, reshape, type Shape, type Value } from "../graph/index.ts";
import type { Init, Scope } from "./scope.ts";

export interface LinearOptions {
  readonly bias?: boolean;
  /** How weight and bias begin when the checkpoint holds none. */
  readonly init?: Init;
}

/** `y = x · Wᵀ + b`: `[…, in]` → `[…, out]`; parameters `weight` `[out, in]` and `bias` `[out]`. */
export function linear(scope: Scope, x: Value, outFeatures: number, { bias = true, init }: LinearOptions = {}): Value {
  return scope.at(() => {
    const inFeatures = Number(x.shape.at(-1));
    const stored = scope.parameter("weight", [outFeatures, inFeatures], "linear", init);
    const weight = scope.hooks.weight?.(scope, stored, "linear") ?? stored;
    const input = scope.hooks.linearInput?.(scope, x) ?? x;
    // rows as one matrix: ONNX Runtime's Gemm adds the bias while it writes
    let y = matmul(flattenRows(input), weight, { transB: true });
    if (bias) y = add(y, scope.parameter("bias", [outFeatures], "linear", init ? { kind: "zeros" } : undefined));
    y = reshape(y, [...x.shape.slice(0, -1), outFeatures]);
    return scope.hooks.linear?.(scope, input, y) ?? y;
  });
}

/** `[…, D]` as `[rows, D]`. */
export function flattenRows(x: Value): Value {
  const rows = x.shape.slice(0, -1).reduce((size, dim) => multiplyDims(size, dim), 1 as Shape[number]);
  return reshape(x, [rows, x.shape.at(-1)!]);
}
