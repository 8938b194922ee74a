// Text from bytes, with the line named when the bytes are not text.
import { DataError } from "../errors.ts";

/**
 * The bytes as UTF-8 text, without a byte-order mark.
 * @throws {DataError} with the line of the first byte that is not UTF-8.
 */
export function decodeUtf8(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const offset = firstBadByte(bytes);
    let line = 1;
    for (let i = 0; i < offset; i++) if (bytes[i] === 0x0a) line++;
    const byte = offset < bytes.length ? `byte 0x${bytes[offset]!.toString(16).padStart(2, "0")}` : "an early end";
    throw new DataError(file, {
      line,
      expected: "UTF-8 text",
      got: `${byte} at offset ${offset}`,
      hint: "Convert the file, for instance: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW",
      cause,
    });
  }
}

function firstBadByte(bytes: Uint8Array): number {
  let i = 0;
  while (i < bytes.length) {
    const length = sequenceLength(bytes, i);
    if (length === 0) return i;
    i += length;
  }
  return i;
}

/** Length of the well-formed sequence at `i`, 0 when there is none; Unicode 15, table 3-7. */
function sequenceLength(bytes: Uint8Array, i: number): number {
  const lead = bytes[i]!;
  if (lead < 0x80) return 1;
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  const second = bytes[i + 1] ?? 0;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (length === 0 || second < low || second > high) return 0;
  for (let k = 2; k < length; k++) if (((bytes[i + k] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}
