// Files compressed by gzip, streamed as what they hold.
import { DataError, DeftError } from "../../errors.ts";
import type { Files } from "../../tensor/index.ts";

/** Whether a path ends as gzip names its files. */
export function isGzip(path: string): boolean {
  return /\.gz$/i.test(path);
}

/** A path without the ending that gzip gave it. */
export function withoutGzip(path: string): string {
  return path.replace(/\.gz$/i, "");
}

/** The files with those whose name ends in `.gz` streamed uncompressed; other ways of reading are as they were. */
export function uncompressed(files: Files): Files {
  return { ...files, stream: (path) => (isGzip(path) ? gunzipped(files, path) : files.stream(path)) };
}

/** @throws {DataError} where the file is cut off or is no gzip file. */
async function* gunzipped(files: Files, path: string): AsyncGenerator<Uint8Array> {
  const chunks = files.stream(path)[Symbol.asyncIterator]();
  const stored = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await chunks.next();
      if (next.done === true) controller.close();
      // copied: a stream may reuse its buffer
      else controller.enqueue(next.value.slice());
    },
    async cancel() {
      await chunks.return?.();
    },
  });
  const reader = stored.pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    for (let step = await reader.read(); !step.done; step = await reader.read()) yield step.value;
  } catch (cause) {
    if (cause instanceof DeftError) throw cause;
    throw new DataError(path, {
      expected: "a whole gzip file",
      got: (cause as Error).message,
      hint: "The file may be cut off, or be compressed otherwise; fetch or compress it again.",
      cause,
    });
  } finally {
    await reader.cancel().catch(() => {});
  }
}
