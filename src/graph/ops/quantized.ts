// Matrices stored in few bits, as the numbers they stand for.
import { ShapeError } from "../../errors.ts";
import { printShape } from "../dim.ts";
import type { StoredFormat, Value } from "../value.ts";

/** The sixteen numbers that NF4 codes stand for, times their scale. @see Dettmers et al. 2023 (QLoRA), appendix E; bitsandbytes `get_4bit_type("nf4")`. */
export const NF4_LEVELS: Float32Array = Float32Array.of(
  -1,
  -0.6961928009986877,
  -0.5250730514526367,
  -0.39491748809814453,
  -0.28444138169288635,
  -0.18477343022823334,
  -0.09105003625154495,
  0,
  0.07958029955625534,
  0.16093020141124725,
  0.24611230194568634,
  0.33791524171829224,
  0.44070982933044434,
  0.5626170039176941,
  0.7229568362236023,
  1,
);

/**
 * The matrix `[N, K]` float32 that codes and float32 scales stand for.
 * - `nf4`: uint8 `[⌈N·K / 2⌉]`, the first of a pair in the high bits; scales `[⌈N·K / 64⌉]` over the flat matrix.
 * - `int4`: uint8 `[N, ⌈K / 32⌉, 16]`, the first in the low bits, 8 standing for 0; scales `[N, ⌈K / 32⌉]`.
 * - `int8`: int8 `[N, K]`; scales `[N]`.
 *
 * With `isCoarse`, products with an int4 matrix may also round what they multiply to eight bits: much faster for one row, where
 * matrices are packed (`CompileOptions.mapWeights`).
 * @throws {ShapeError} when codes or scales have another shape or dtype.
 */
export function dequantize(
  codes: Value,
  scales: Value,
  format: StoredFormat,
  shape: readonly [number, number],
  { isCoarse = false }: { readonly isCoarse?: boolean } = {},
): Value {
  const wanted = storedShapes(format, shape);
  const fits =
    codes.dtype === wanted.codesDtype &&
    scales.dtype === "float32" &&
    printShape(codes.shape) === printShape(wanted.codes) &&
    printShape(scales.shape) === printShape(wanted.scales);
  if (!fits) {
    throw new ShapeError(
      "dequantize",
      `${format} of ${printShape(shape)}: codes ${wanted.codesDtype}${printShape(wanted.codes)}, scales float32${printShape(wanted.scales)}`,
      [codes, scales].map((value) => `${value.dtype}${printShape(value.shape)}`),
      codes.graph.site,
    );
  }
  return codes.graph.apply("dequantize", [codes, scales], { format, shape, ...(isCoarse ? { isCoarse } : {}) }, [
    { dtype: "float32", shape },
  ])[0]!;
}

/** Shapes of codes and scales, and the dtype of the codes, of a matrix `[N, K]`. */
export function storedShapes(
  format: StoredFormat,
  [n, k]: readonly [number, number],
): { readonly codes: readonly number[]; readonly codesDtype: "uint8" | "int8"; readonly scales: readonly number[] } {
  switch (format) {
    case "nf4":
      return { codes: [Math.ceil((n * k) / 2)], codesDtype: "uint8", scales: [Math.ceil((n * k) / 64)] };
    case "int4":
      return { codes: [n, Math.ceil(k / 32), 16], codesDtype: "uint8", scales: [n, Math.ceil(k / 32)] };
    case "int8":
      return { codes: [n, k], codesDtype: "int8", scales: [n] };
  }
}
