// Quantised checkpoints as tensors by name: NF4 as bitsandbytes writes it, int8 and int4 as codes beside their scales.
import { CheckpointError, type CheckpointIssue } from "../errors.ts";
import { NF4_LEVELS, type StoredFormat } from "../graph/index.ts";
import {
  elementCount,
  float32,
  memoryWeight,
  parseBoundedJson,
  type Tensor,
  tensor,
  type Weight,
  type Weights,
} from "../tensor/index.ts";
import { type MatrixLayout, type MatrixParts, partTypes, quantizeMatrix, restoreMatrix } from "./matrix.ts";
import { NESTED_BLOCK, NESTED_LEVELS } from "./nested.ts";

/** A checkpoint whose matrices are stored in few bits. */
export interface QuantizedWeights {
  /** Quantised matrices as float32, restored when they are read, with the parts they are stored in; the rest as it is. */
  readonly weights: Weights;
  /** How each quantised matrix is stored, by parameter name. */
  readonly layouts: ReadonlyMap<string, MatrixLayout>;
}

const NF4_STATE = "quant_state.bitsandbytes__nf4";
/** Room for bitsandbytes' JSON: its length must be known before the numbers in it are. */
const STATE_BYTES = 256;

/**
 * The checkpoint with the matrices `names` in few bits, under the names they have in files. Nothing is read yet: each
 * matrix is read when one of its tensors is, so that a model larger than memory can be converted.
 *
 * NF4: bitsandbytes' own layout (`<name>` uint8 `[⌈n / 2⌉, 1]`, `.absmax`, `.nested_absmax`, maps and `.quant_state…`),
 * which transformers loads. int8 and int4: codes under `<name>`, `.scales`, and for int4 `.shape`.
 */
export function quantizedCheckpoint(weights: Weights, names: ReadonlySet<string>, format: StoredFormat): Weights {
  const made = new Map<string, Weight>();
  for (const [name, weight] of weights) {
    if (!names.has(name)) made.set(name, weight);
    else for (const [key, part] of storedParts(name, weight, format)) made.set(key, part);
  }
  return made;
}

function storedParts(name: string, source: Weight, format: StoredFormat): [string, Weight][] {
  const shape = source.shape as readonly [number, number];
  const quantize = async () => quantizeMatrix(name, await source.read(), format);
  // everything but the codes is small: kept from the first pass, which the order in the file asks for first
  let small: Promise<MatrixParts> | undefined;
  const rest = () => {
    small ??= quantize().then((parts) => new Map([...parts].filter(([part]) => part !== "codes")));
    return small;
  };
  const lazy = (part: string, { dtype, shape: dims }: Pick<Tensor, "dtype" | "shape">, read: () => Promise<Tensor>) =>
    [part === "codes" ? name : `${name}.${part}`, { dtype, shape: dims, read }] as [string, Weight];
  const layout: MatrixLayout = { format, shape, nested: format === "nf4" };
  const parts = [...partTypes(layout)].flatMap(([part, type]) => {
    if (part === "nested_offset") return [];
    const dims = part === "codes" && format === "nf4" ? [...type.shape, 1] : type.shape;
    const read = async () => ({ ...(part === "codes" ? await quantize() : await rest()).get(part)!, shape: dims });
    return [lazy(part, { dtype: type.dtype, shape: dims }, read)];
  });
  if (format === "int8") return parts;
  if (format === "int4") {
    const whole = tensor(
      "int64",
      [2],
      BigInt64Array.from(shape, (size) => BigInt(size)),
    );
    return [...parts, [`${name}.shape`, memoryWeight(whole)]];
  }
  const state = async () => stateTensor(shape, Number((await rest()).get("nested_offset")!.data[0]));
  return [
    ...parts,
    [`${name}.quant_map`, memoryWeight(float32([16], NF4_LEVELS))],
    [`${name}.nested_quant_map`, memoryWeight(float32([256], NESTED_LEVELS))],
    lazy(NF4_STATE, { dtype: "uint8", shape: [STATE_BYTES] }, state),
  ];
}

function stateTensor(shape: readonly number[], offset: number): Tensor {
  const state = {
    quant_type: "nf4",
    blocksize: 64,
    dtype: "float32",
    shape,
    nested_blocksize: NESTED_BLOCK,
    nested_dtype: "float32",
    nested_offset: offset,
  };
  const text = JSON.stringify(state).padEnd(STATE_BYTES, " ");
  return tensor("uint8", [STATE_BYTES], new TextEncoder().encode(text));
}

/**
 * Opens stored weights that `quantizedCheckpoint` or bitsandbytes (NF4) made; null when no matrix is quantised.
 * @throws {CheckpointError} listing every matrix whose parts are missing, misshapen or of a kind that is not read.
 */
export async function openQuantized(stored: Weights, file: string): Promise<QuantizedWeights | null> {
  const issues: CheckpointIssue[] = [];
  const layouts = new Map<string, MatrixLayout>();
  const weights = new Map(stored);
  for (const [name, codes] of stored) {
    if (!name.endsWith(".weight") || (codes.dtype !== "uint8" && codes.dtype !== "int8")) continue;
    const found = await layoutOf(name, codes, stored, issues);
    if (found === null) continue;
    for (const part of [...STORED_WITH, NF4_STATE]) weights.delete(`${name}.${part}`);
    const parts = partWeights(name, found, stored, issues);
    weights.set(name, { dtype: "float32", shape: found.shape, parts, read: () => readMatrix(found, parts) });
    layouts.set(name, found);
  }
  if (issues.length > 0) {
    throw new CheckpointError(file, issues, {
      hint: "Quantise the float checkpoint again, with deft or with bitsandbytes as NF4 in blocks of 64.",
    });
  }
  return layouts.size === 0 ? null : { weights, layouts };
}

const STORED_WITH = ["absmax", "nested_absmax", "quant_map", "nested_quant_map", "scales", "shape"] as const;

/** A layout as its file has it; NF4's offset is in the JSON beside the codes. */
interface StoredLayout extends MatrixLayout {
  readonly offset: number;
}

async function layoutOf(
  name: string,
  codes: Weight,
  stored: Weights,
  issues: CheckpointIssue[],
): Promise<StoredLayout | null> {
  const refuse = (got: string) => {
    issues.push({ name, expected: "a float matrix, NF4, or deft's int8 or int4", got });
    return null;
  };
  if (stored.has(`${name}.quant_state.bitsandbytes__fp4`)) return refuse("bitsandbytes FP4");
  if (stored.has(name.replace(/weight$/, "SCB"))) return refuse("bitsandbytes LLM.int8()");
  const state = stored.get(`${name}.${NF4_STATE}`);
  if (state) return nf4Layout(name, state, stored, issues);
  if (!stored.has(`${name}.scales`)) return null;
  if (codes.dtype === "int8") return { format: "int8", shape: pairOf(codes.shape), nested: false, offset: 0 };
  const shape = await stored.get(`${name}.shape`)?.read();
  if (shape?.data.length !== 2) return refuse("int4 codes without a shape");
  return { format: "int4", shape: pairOf(Array.from(shape.data, Number)), nested: false, offset: 0 };
}

async function nf4Layout(
  name: string,
  state: Weight,
  stored: Weights,
  issues: CheckpointIssue[],
): Promise<StoredLayout | null> {
  const json = parsed(new TextDecoder().decode((await state.read()).data as Uint8Array));
  const nested = stored.has(`${name}.nested_absmax`);
  const before = issues.length;
  const need = (key: string, expected: unknown, got: unknown) => {
    if (got !== expected) issues.push({ name: `${name}, ${key}`, expected: String(expected), got: String(got) });
  };
  need("quant_type", "nf4", json.quant_type);
  need("blocksize", 64, json.blocksize);
  if (nested) need("nested_blocksize", NESTED_BLOCK, json.nested_blocksize);
  if (nested && typeof json.nested_offset !== "number") need("nested_offset", "a number", json.nested_offset);
  const isMatrix = Array.isArray(json.shape) && json.shape.length === 2;
  if (!isMatrix) need("shape", "[out, in]", JSON.stringify(json.shape));
  await needLevels(`${name}.quant_map`, NF4_LEVELS, stored, issues);
  if (nested) await needLevels(`${name}.nested_quant_map`, NESTED_LEVELS, stored, issues);
  if (issues.length > before) return null;
  return { format: "nf4", shape: pairOf(json.shape as number[]), nested, offset: Number(json.nested_offset ?? 0) };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = parseBoundedJson(text);
    return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

async function needLevels(
  name: string,
  levels: Float32Array,
  stored: Weights,
  issues: CheckpointIssue[],
): Promise<void> {
  const map = await stored.get(name)?.read();
  const same = map?.data.length === levels.length && levels.every((level, i) => level === Number(map.data[i]));
  if (!same) issues.push({ name, expected: "the standard levels", got: map ? "others" : "nothing" });
}

function partWeights(
  name: string,
  layout: StoredLayout,
  stored: Weights,
  issues: CheckpointIssue[],
): ReadonlyMap<string, Weight> {
  const parts = new Map<string, Weight>();
  for (const [part, { dtype, shape }] of partTypes(layout)) {
    if (part === "nested_offset") {
      parts.set(part, memoryWeight(float32([], [layout.offset])));
      continue;
    }
    const key = part === "codes" ? name : `${name}.${part}`;
    const weight = stored.get(key);
    // bitsandbytes' codes are a column
    const isColumn = layout.format === "nf4" && part === "codes" && weight?.shape[1] === 1;
    const dims = isColumn ? weight.shape.slice(0, 1) : weight?.shape;
    if (weight?.dtype !== dtype || elementCount(dims ?? []) !== elementCount(shape) || dims?.length !== shape.length) {
      const got = weight ? `${weight.dtype}[${weight.shape.join(", ")}]` : "nothing";
      issues.push({ name: key, expected: `${dtype}[${shape.join(", ")}]`, got });
      continue;
    }
    parts.set(part, { ...weight, shape, read: async () => ({ ...(await weight.read()), shape }) });
  }
  return parts;
}

async function readMatrix(layout: MatrixLayout, parts: ReadonlyMap<string, Weight>): Promise<Tensor> {
  const read = await Promise.all(Array.from(parts, async ([part, weight]) => [part, await weight.read()] as const));
  return restoreMatrix(layout, new Map(read));
}

const pairOf = (shape: readonly number[]): readonly [number, number] => [shape[0] ?? 0, shape[1] ?? 0];
