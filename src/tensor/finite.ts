// Numbers that are none: NaN and the infinite ones.
import type { TypedArray } from "./dtype.ts";

/** The place of the first NaN or infinite number from `start` on, before `end`; −1 where all are finite. Whole numbers always are. */
export function firstNotFinite(data: TypedArray, start = 0, end = data.length): number {
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return -1;
  // x − x is NaN for these alone, and a sum without a branch is fast
  let sum = 0;
  for (let i = start; i < end; i++) {
    const value = data[i]!;
    sum += value - value;
  }
  if (sum === 0) return -1;
  for (let i = start; i < end; i++) if (!Number.isFinite(data[i]!)) return i;
  return -1;
}
