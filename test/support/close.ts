// Comparing numbers within tolerances that are named by their reason, in this one place.
import { expect } from "vitest";
import type { Numbers } from "./numbers.ts";

/** `|actual − expected| ≤ absolute + relative·|expected| + ofLargest·max|expected|`. */
export interface Tolerance {
  readonly absolute?: number;
  readonly relative?: number;
  readonly ofLargest?: number;
}

export const TOLERANCES = {
  /** Moves, comparisons, integers: the same bits. */
  exact: {},
  /** A few roundings of float32. */
  f32Elementwise: { absolute: 1e-6, relative: 2e-6 },
  /** MLAS approximates erf, exp and tanh by polynomials; measured below 5e-7 in [-4, 4]. */
  f32Approximation: { absolute: 2e-6, relative: 5e-6 },
  /** Sums of float32 products in another order. */
  f32Gemm: { absolute: 1e-6, relative: 1e-6, ofLargest: 2e-6 },
  /** Several approximations and sums in a row. */
  f32Composition: { absolute: 5e-6, relative: 1e-5, ofLargest: 5e-6 },
  /** A gradient: several float32 ops in a row, cancellation included, against central differences in float64. */
  f32Gradient: { absolute: 5e-6, relative: 2e-5, ofLargest: 2e-5 },
  /** float16 keeps 11 bits. */
  f16Rounding: { absolute: 1e-3, relative: 1e-3 },
} as const satisfies Record<string, Tolerance>;

export type ToleranceName = keyof typeof TOLERANCES;

/** Null when all are close, else one line about the worst. */
export function difference(actual: Numbers, expected: Numbers, name: ToleranceName): string | null {
  if (actual.shape.join() !== expected.shape.join()) {
    return `expected shape [${expected.shape.join(", ")}], got [${actual.shape.join(", ")}]`;
  }
  const { absolute = 0, relative = 0, ofLargest = 0 }: Tolerance = TOLERANCES[name];
  const largest = expected.data.reduce((max, v) => (Number.isFinite(v) ? Math.max(max, Math.abs(v)) : max), 0);
  let worst: string | null = null;
  let excess = 0;
  expected.data.forEach((want, i) => {
    const got = actual.data[i]!;
    if (Object.is(got, want) || got === want) return;
    const over = Math.abs(got - want) - (absolute + relative * Math.abs(want) + ofLargest * largest);
    // a NaN on one side only compares false everywhere, so ask for "not close" instead of "far"
    if (over <= 0 || (worst !== null && over <= excess)) return;
    excess = Number.isNaN(over) ? Number.POSITIVE_INFINITY : over;
    worst = `expected ${want} within ${name}, got ${got} at ${i} of ${expected.data.length}`;
  });
  return worst;
}

interface CloseMatchers<R> {
  /** All elements and the shape agree within a named tolerance. */
  toBeAllClose(expected: Numbers, tolerance: ToleranceName): R;
}

declare module "vitest" {
  // biome-ignore lint/suspicious/noExplicitAny: vitest declares its own parameter so
  interface Matchers<T = any> extends CloseMatchers<T> {}
}

expect.extend({
  toBeAllClose(actual: Numbers, expected: Numbers, tolerance: ToleranceName) {
    const found = difference(actual, expected, tolerance);
    return { pass: found === null, message: () => found ?? `expected a difference beyond ${tolerance}` };
  },
});
