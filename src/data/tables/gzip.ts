// Files compressed by gzip, streamed as what they hold.
import { Inflate } from "pako";
import { DataError } from "../../errors.ts";
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

/** zlib's number for "a gzip header and nothing else", with the largest window. */
const GZIP_ONLY = 31;

/**
 * A gzip file's content, of all its members (bgzip writes many). The platform's DecompressionStream is not used:
 * newer ones refuse a second member.
 *
 * @throws {DataError} where the file is cut off or is no gzip file.
 */
async function* gunzipped(files: Files, path: string): AsyncGenerator<Uint8Array> {
  const content: Uint8Array[] = [];
  const nextMember = () => {
    const inflate = new Inflate({ windowBits: GZIP_ONLY });
    inflate.onData = (chunk) => void content.push(chunk);
    return inflate;
  };
  let member = nextMember();
  for await (const stored of files.stream(path)) {
    if (stored.length === 0) continue;
    if (member.ended) {
      // zeros behind the last member are padding, as tar and dd write it
      if (stored.every((byte) => byte === 0)) continue;
      member = nextMember();
    }
    // copied: a stream may reuse its buffer
    member.push(stored.slice());
    if (member.err !== 0) throw notGzip(path, member.msg);
    yield* content.splice(0);
  }
  if (!member.ended) throw notGzip(path, "a file that ends before its content does");
}

function notGzip(path: string, got: string): DataError {
  return new DataError(path, {
    expected: "a whole gzip file",
    got,
    hint: "The file may be cut off, or be compressed otherwise; fetch or compress it again.",
  });
}
