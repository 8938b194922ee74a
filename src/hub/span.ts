// Weights whose numbers stay in their file until they are wanted.
import { CheckpointError } from "../errors.ts";
import { type DType, type FileSpan, type Files, joinPath, type Weight } from "../tensor/index.ts";
import { numbersOf } from "./bytes.ts";

/** The real folder and name of a file, symbolic links resolved: a runtime that maps it refuses links. */
export async function resolvedFile(files: Files, path: string): Promise<{ folder: string; name: string }> {
  const real = await files.realPath(path);
  const slash = real.lastIndexOf("/");
  return { folder: slash <= 0 ? real.slice(0, slash + 1) : real.slice(0, slash), name: real.slice(slash + 1) };
}

/** A weight stored row-major at `span`. */
export function fileWeight(files: Files, dtype: DType, shape: readonly number[], span: FileSpan): Weight {
  return {
    dtype,
    shape,
    span,
    read: async () => ({ dtype, shape, data: numbersOf(dtype, shape, await spanBytes(files, span)) }),
  };
}

/**
 * The bytes at `span`.
 * @throws {CheckpointError} when the file has become shorter since it was opened.
 */
export async function spanBytes(files: Files, span: FileSpan): Promise<Uint8Array> {
  const path = joinPath(span.folder, span.name);
  const bytes = await files.readRange(path, span.byteOffset, span.byteLength);
  if (bytes.length === span.byteLength) return bytes;
  const expected = `${span.byteLength} bytes from byte ${span.byteOffset}`;
  throw new CheckpointError(path, [{ name: "file size", expected, got: `${bytes.length}` }], {
    hint: "The file changed while it was in use; start again.",
  });
}
