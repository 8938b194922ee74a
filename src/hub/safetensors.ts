// Bytes to `Weights` and back in the safetensors format; offsets are kept so that a runtime can map the file itself.
// Format: https://github.com/huggingface/safetensors#format
import { CheckpointError, type CheckpointIssue, FileError, shownValue } from "../errors.ts";
import {
  DEEPEST_JSON,
  type DType,
  elementBytes,
  type Files,
  jsonDepth,
  type Tensor,
  type Weight,
  type Weights,
} from "../tensor/index.ts";
import { joinBytes, tensorBytes } from "./bytes.ts";
import { issueList } from "./issues.ts";
import { fileWeight, resolvedFile } from "./span.ts";

/** Largest header a reader accepts, in bytes; the same limit as the Rust library's. */
export const MAX_HEADER_BYTES = 100_000_000;

/** One stored tensor: its type and where its bytes lie, counted from the start of the file. */
export interface SafetensorsEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** A checked header: entries by tensor name in file order, and the text metadata. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

// in the Rust library's order, which is also the order tensors are laid out in: widest first, so all are aligned
const STORED = [
  ["U64", "uint64"],
  ["I64", "int64"],
  ["F64", "float64"],
  ["F32", "float32"],
  ["U32", "uint32"],
  ["I32", "int32"],
  ["BF16", "bfloat16"],
  ["F16", "float16"],
  ["U16", "uint16"],
  ["I16", "int16"],
  ["I8", "int8"],
  ["U8", "uint8"],
  ["BOOL", "bool"],
] as const satisfies readonly (readonly [string, DType])[];

const DTYPE_OF: ReadonlyMap<string, DType> = new Map(STORED);
const STORED_AS: ReadonlyMap<DType, string> = new Map(STORED.map(([stored, dtype]) => [dtype, stored]));
const LAYOUT_RANK: ReadonlyMap<DType, number> = new Map(STORED.map(([, dtype], rank) => [dtype, rank]));

/**
 * Reads and checks the first `8 + header length` bytes of a safetensors file of `fileBytes` bytes: legal JSON, known
 * dtypes, sizes that agree with shapes, no overlap, no hole, and a file exactly as long as the header says.
 * @throws {CheckpointError} listing every fault found; nothing else, whatever the bytes.
 */
export function parseSafetensorsHeader(file: string, bytes: Uint8Array, fileBytes: number): SafetensorsHeader {
  const length = headerLength(file, bytes, fileBytes);
  if (bytes.length < 8 + length) throw damaged(file, "header", `${8 + length} bytes`, `${bytes.length}`);
  const json = headerJson(file, bytes.subarray(8, 8 + length));
  const issues: CheckpointIssue[] = [];
  const tensors = new Map<string, SafetensorsEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(json)) {
    if (name === "__metadata__") metadata = textMetadata(value, issues);
    else {
      const entry = headerEntry(name, value, 8 + length, issues);
      if (entry) tensors.set(name, entry);
    }
  }
  if (issues.length === 0) checkLayout(tensors, 8 + length, fileBytes, issues);
  if (issues.length > 0) throw new CheckpointError(file, issueList(issues), { hint: DAMAGED_HINT });
  return { tensors, metadata };
}

const DAMAGED_HINT = "The file is damaged or was not copied whole; fetch it again.";

function damaged(file: string, name: string, expected: string, got: string): CheckpointError {
  return new CheckpointError(file, [{ name, expected, got }], { hint: DAMAGED_HINT });
}

function headerLength(file: string, bytes: Uint8Array, fileBytes: number): number {
  if (fileBytes < 8 || bytes.length < 8) {
    throw damaged(file, "file size", "at least 8 bytes (the header's length)", `${Math.min(fileBytes, bytes.length)}`);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) throw damaged(file, "header length", `at most ${MAX_HEADER_BYTES} bytes`, `${length}`);
  if (8 + Number(length) > fileBytes) {
    throw damaged(file, "file size", `at least ${8 + Number(length)} bytes (the header)`, `${fileBytes} bytes`);
  }
  return Number(length);
}

function headerJson(file: string, bytes: Uint8Array): object {
  let json: unknown;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    json = JSON.parse(text);
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new CheckpointError(file, [{ name: "header", expected: "JSON in UTF-8", got }], {
      hint: DAMAGED_HINT,
      cause,
    });
  }
  if (jsonDepth(text) > DEEPEST_JSON)
    throw damaged(file, "header", "names with dtype, shape and offsets", "nested JSON");
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw damaged(file, "header", "a JSON object", Array.isArray(json) ? "a list" : shownValue(json));
  }
  return json;
}

function textMetadata(value: unknown, issues: CheckpointIssue[]): Record<string, string> {
  const isText =
    typeof value === "object" && value !== null && Object.values(value).every((text) => typeof text === "string");
  if (!isText) issues.push({ name: "__metadata__", expected: "text values by name", got: brief(value) });
  return isText ? ({ ...value } as Record<string, string>) : {};
}

function headerEntry(
  name: string,
  value: unknown,
  dataStart: number,
  issues: CheckpointIssue[],
): SafetensorsEntry | undefined {
  const { dtype: stored, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const dtype = typeof stored === "string" ? DTYPE_OF.get(stored) : undefined;
  const known = [...DTYPE_OF.keys()].join(", ");
  const before = issues.length;
  if (dtype === undefined) issues.push({ name, expected: `a dtype of ${known}`, got: brief(stored) });
  if (!isCounts(shape)) issues.push({ name, expected: "a shape of whole numbers", got: brief(shape) });
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    issues.push({ name, expected: "data_offsets [begin, end]", got: brief(offsets) });
  }
  if (issues.length > before || dtype === undefined) return undefined;
  const dims = shape as readonly number[];
  const [begin, end] = offsets as [number, number];
  const byteLength = dims.reduce((size, dim) => size * dim, elementBytes(dtype));
  if (byteLength !== end - begin) {
    issues.push({
      name,
      expected: `${byteLength} bytes for ${String(stored)} [${dims.join(", ")}]`,
      got: `${end - begin}`,
    });
    return undefined;
  }
  return { dtype, shape: dims, byteOffset: dataStart + begin, byteLength };
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function brief(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function checkLayout(
  tensors: ReadonlyMap<string, SafetensorsEntry>,
  dataStart: number,
  fileBytes: number,
  issues: CheckpointIssue[],
): void {
  const ordered = [...tensors].sort(([, a], [, b]) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  let position = dataStart;
  for (const [name, { byteOffset, byteLength }] of ordered) {
    if (byteOffset !== position) {
      const fault = byteOffset < position ? "an overlap" : "a hole";
      issues.push({ name, expected: `data from byte ${position}`, got: `${byteOffset} (${fault})` });
    }
    position = Math.max(position, byteOffset + byteLength);
  }
  if (position !== fileBytes) {
    const fault = fileBytes < position ? "truncated" : "bytes nobody owns";
    issues.push({ name: "file size", expected: `${position} bytes`, got: `${fileBytes} bytes (${fault})` });
  }
}

/** A safetensors file opened but not read: its tensors, its text metadata and its checked header. */
export interface SafetensorsFile {
  readonly weights: Weights;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * The tensors of a safetensors file by name; only the header is read. Each weight's `span` names the real file behind
 * symbolic links, and `read` fetches just its own bytes.
 * @throws {FileError} when the file is missing or may not be read.
 * @throws {CheckpointError} when the header is damaged or the file cut short.
 */
export async function openSafetensors(files: Files, path: string): Promise<Weights> {
  return (await openSafetensorsFile(files, path)).weights;
}

/** As `openSafetensors`, with the file's text metadata. */
export async function openSafetensorsFile(files: Files, path: string): Promise<SafetensorsFile> {
  const stat = await files.stat(path);
  if (stat === null) throw new FileError(path, "expected a safetensors file, got nothing there");
  if (stat.isFolder) throw new FileError(path, "expected a safetensors file, got a folder");
  const length = headerLength(path, await files.readRange(path, 0, Math.min(8, stat.sizeBytes)), stat.sizeBytes);
  const bytes = await files.readRange(path, 0, 8 + length);
  const { tensors, metadata } = parseSafetensorsHeader(path, bytes, stat.sizeBytes);
  const place = await resolvedFile(files, path);
  const weights = new Map<string, Weight>();
  for (const [name, { dtype, shape, byteOffset, byteLength }] of tensors) {
    weights.set(name, fileWeight(files, dtype, shape, { ...place, byteOffset, byteLength }));
  }
  return { weights, metadata };
}

/**
 * A safetensors file as chunks, one a tensor after the header: laid out widest type first and then by name, so the same
 * tensors always give the same bytes. `metadata` is added to `{"format": "pt"}`. Shapes and dtypes are used at once,
 * the numbers only when their chunk is due.
 */
export async function* writeSafetensors(
  weights: Weights,
  metadata: Readonly<Record<string, string>> = {},
): AsyncGenerator<Uint8Array> {
  const ordered = layoutOrder(weights);
  yield headerBytes(ordered, metadata);
  for (const [, weight] of ordered) yield tensorBytes(await weight.read());
}

/** A whole safetensors file in memory; the same bytes as `writeSafetensors` gives. */
export function safetensorsBytes(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const ordered = layoutOrder(tensors);
  return joinBytes([headerBytes(ordered, metadata), ...ordered.map(([, tensor]) => tensorBytes(tensor))]);
}

interface Typed {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

function layoutOrder<T extends Typed>(tensors: ReadonlyMap<string, T>): [string, T][] {
  return [...tensors].sort(
    ([nameA, a], [nameB, b]) =>
      LAYOUT_RANK.get(a.dtype)! - LAYOUT_RANK.get(b.dtype)! || (nameA < nameB ? -1 : nameA > nameB ? 1 : 0),
  );
}

function headerBytes(
  ordered: readonly (readonly [string, Typed])[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const entries: [string, unknown][] = [["__metadata__", { format: "pt", ...metadata }]];
  let position = 0;
  for (const [name, { dtype, shape }] of ordered) {
    const begin = position;
    position += shape.reduce((size, dim) => size * dim, elementBytes(dtype));
    entries.push([name, { dtype: STORED_AS.get(dtype), shape, data_offsets: [begin, position] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  // spaces up to a multiple of eight keep every tensor aligned in the file
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20, 8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}
