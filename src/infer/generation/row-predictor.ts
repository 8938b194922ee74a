// Which neurons of an MLP will be active, told before its first matrix is read: by a copy of that matrix in four bits.
import { add, dequantize, matmul, relu, storedShapes, sub, type Value } from "../../graph/index.ts";
import type { MlpSite } from "../../models/index.ts";
import { type Activated, flattenRows } from "../../nn/index.ts";
import { quantizeMatrix } from "../../quant/index.ts";
import type { Tensor, Weight } from "../../tensor/index.ts";

const FORMAT = "int4";
/** Columns that share a scale: a matrix must have whole blocks for ONNX Runtime's kernel. */
const BLOCK = 32;
type Part = "codes" | "scales";
const PARTS: readonly Part[] = ["codes", "scales"];

const nameOf = (into: string, part: Part): string => `${into}.predictor.${part}`;

/** Why a matrix with rows of this many numbers predicts nothing; null: it can. */
export function unpredictable(hidden: number): string | null {
  return hidden % BLOCK === 0 ? null : `its rows of ${hidden} numbers are no whole blocks of ${BLOCK}`;
}

/**
 * The pre-activations `[N, F]` of an MLP with `neurons`, nearly: matrix in four bits, input in eight. It reads a sixth of
 * the bytes.
 */
export function predictedPreActivation(input: Value, { into, isBiased }: Activated, neurons: number): Value {
  const rows = flattenRows(input);
  const shape = [neurons, Number(input.shape.at(-1))] as const;
  const stored = storedShapes(FORMAT, shape);
  return into.at(() => {
    const codes = into.graph.parameter(nameOf(into.path, "codes"), stored.codes, { dtype: stored.codesDtype });
    const scales = into.graph.parameter(nameOf(into.path, "scales"), stored.scales);
    const matrix = dequantize(codes, scales, FORMAT, shape, { isCoarse: true });
    const z = matmul(rows, matrix, { transB: true });
    return isBiased ? add(z, into.parameter("bias", [neurons], "linear")) : z;
  });
}

/** Above 0 where a predicted pre-activation lies above the floor, else 0. */
export function aboveFloor(predicted: Value, floor: number): Value {
  return relu(floor === 0 ? predicted : sub(predicted, floor));
}

/** What predicts for one MLP, made from its own first matrix when it is read. */
export function predictorWeights({ into: [into] }: MlpSite, matrix: Weight): (readonly [string, Weight])[] {
  const shape = matrix.shape as readonly [number, number];
  const stored = storedShapes(FORMAT, shape);
  const read = (part: Part) => async (): Promise<Tensor> =>
    quantizeMatrix(`${into}.weight`, await matrix.read(), FORMAT).get(part)!;
  return PARTS.map((part) => {
    const dtype = part === "codes" ? stored.codesDtype : "float32";
    return [nameOf(into!, part), { dtype, shape: stored[part], read: read(part) }] as const;
  });
}
