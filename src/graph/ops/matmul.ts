// Matrix products over the last two axes, leading axes broadcast.
import { ShapeError } from "../../errors.ts";
import { broadcastShapes, printShape } from "../dim.ts";
import type { Value } from "../value.ts";

/**
 * `alpha · op(a) · op(b)`: `[…, M, K] · [K, N]` or `[…, M, K] · […, K, N]`, op = transpose of the last two axes where asked.
 * @throws {ShapeError} when inner sizes differ, or a rank is below 2.
 */
export function matmul(a: Value, b: Value, { transA = false, transB = false, alpha = 1 } = {}): Value {
  const site = a.graph.site;
  if (a.dtype !== b.dtype) throw new ShapeError("matmul", "two values of one dtype", [a.dtype, b.dtype], site);
  if (a.shape.length < 2 || b.shape.length < 2) {
    throw new ShapeError("matmul", "two values of rank 2 or more", [printShape(a.shape), printShape(b.shape)], site);
  }
  const [m, k] = lastTwo(a, transA);
  const [inner, n] = lastTwo(b, transB);
  if (k !== inner)
    throw new ShapeError("matmul", "inner sizes to match", [printShape(a.shape), printShape(b.shape)], site);
  const batch = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2), site);
  return a.graph.apply("matmul", [a, b], { transA, transB, alpha }, [{ dtype: a.dtype, shape: [...batch, m, n] }])[0]!;
}

function lastTwo(x: Value, transposed: boolean) {
  const rows = x.shape[x.shape.length - 2]!;
  const columns = x.shape[x.shape.length - 1]!;
  return transposed ? ([columns, rows] as const) : ([rows, columns] as const);
}
