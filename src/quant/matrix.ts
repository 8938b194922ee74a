// One matrix in few bits: its stored parts by name, and the numbers they stand for.
import { CheckpointError } from "../errors.ts";
import { type StoredFormat, storedShapes } from "../graph/index.ts";
import { float32, type Tensor, tensor } from "../tensor/index.ts";
import { int4Codes, int4Values, int8Codes, int8Values } from "./integer.ts";
import { nestScales, unnestScales } from "./nested.ts";
import { nf4Codes, nf4Scales, nf4Values } from "./nf4.ts";

/** How one matrix `[N, K]` is stored. */
export interface MatrixLayout {
  readonly format: StoredFormat;
  readonly shape: readonly [number, number];
  /** NF4: the scales are themselves in 8 bits. */
  readonly nested: boolean;
}

/**
 * A matrix's tensors by part: `codes`; and `scales` float32 (int8, int4), or `absmax` float32 (nf4), or for nested
 * scales `absmax` uint8, `nested_absmax` float32 `[⌈blocks / 256⌉]` and `nested_offset` float32 `[]`.
 */
export type MatrixParts = ReadonlyMap<string, Tensor>;

/**
 * A float32 matrix in few bits; NF4 with nested scales.
 * @throws {CheckpointError} when a number is not finite: one would spoil its whole block.
 */
export function quantizeMatrix(name: string, matrix: Tensor, format: StoredFormat): MatrixParts {
  const shape = matrix.shape as readonly [number, number];
  const values = matrix.data as Float32Array;
  const stored = storedShapes(format, shape);
  if (format === "nf4") {
    const scales = nf4Scales(values);
    checkFinite(name, scales);
    const { codes, absmax, offset } = nestScales(scales);
    return new Map<string, Tensor>([
      ["codes", tensor("uint8", stored.codes, nf4Codes(values, scales))],
      ["absmax", tensor("uint8", [codes.length], codes)],
      ["nested_absmax", float32([absmax.length], absmax)],
      ["nested_offset", float32([], [offset])],
    ]);
  }
  const { codes, scales } = format === "int8" ? int8Codes(values, shape[0]) : int4Codes(values, shape[0]);
  checkFinite(name, scales);
  return new Map<string, Tensor>([
    ["codes", tensor(stored.codesDtype, stored.codes, codes)],
    ["scales", float32(stored.scales, scales)],
  ]);
}

/** The float32 matrix that stored parts stand for: the same numbers as the graph's. */
export function restoreMatrix({ format, shape, nested }: MatrixLayout, parts: MatrixParts): Tensor {
  const data = (part: string) => parts.get(part)!.data;
  const codes = data("codes");
  const [rows, columns] = shape;
  switch (format) {
    case "nf4": {
      const scales = nested
        ? unnestScales({
            codes: data("absmax") as Uint8Array,
            absmax: data("nested_absmax") as Float32Array,
            offset: Number(data("nested_offset")[0]),
          })
        : (data("absmax") as Float32Array);
      return float32(shape, nf4Values(codes as Uint8Array, scales, rows * columns));
    }
    case "int8":
      return float32(shape, int8Values({ codes: codes as Int8Array, scales: data("scales") as Float32Array }));
    case "int4": {
      const stored = { codes: codes as Uint8Array, scales: data("scales") as Float32Array };
      return float32(shape, int4Values(stored, rows, columns));
    }
  }
}

/** Shapes and dtypes of a matrix's parts. */
export function partTypes({
  format,
  shape,
  nested,
}: MatrixLayout): ReadonlyMap<string, Pick<Tensor, "dtype" | "shape">> {
  const { codes, codesDtype, scales } = storedShapes(format, shape);
  const types: [string, Pick<Tensor, "dtype" | "shape">][] = [["codes", { dtype: codesDtype, shape: codes }]];
  if (!nested) types.push([format === "nf4" ? "absmax" : "scales", { dtype: "float32", shape: scales }]);
  else {
    types.push(["absmax", { dtype: "uint8", shape: scales }]);
    types.push(["nested_absmax", { dtype: "float32", shape: [Math.ceil(scales[0]! / 256)] }]);
    types.push(["nested_offset", { dtype: "float32", shape: [] }]);
  }
  return new Map(types);
}

function checkFinite(name: string, scales: Float32Array): void {
  const bad = scales.find((scale) => !Number.isFinite(scale));
  if (bad === undefined) return;
  throw new CheckpointError("weights", [{ name, expected: "finite numbers to quantise", got: String(bad) }], {
    hint: "The checkpoint is damaged, or its training diverged.",
  });
}
