// Where the members of an uncompressed zip archive lie, so that they can be read, or mapped, in place.
// Format: APPNOTE.TXT 6.3.10; zip64 included, compression not.
import { CheckpointError } from "../errors.ts";
import type { Files } from "../tensor/index.ts";

/** One stored member: its bytes in the archive. */
export interface ZipMember {
  readonly byteOffset: number;
  readonly byteLength: number;
}

const END_BYTES = 22;
const LOCAL_BYTES = 30;
const LONGEST_COMMENT = 0xffff;
const ZIP64 = 0xffffffff;

/**
 * The members of a zip archive by name.
 * @throws {CheckpointError} when the archive is damaged, cut short or compressed.
 */
export async function zipMembers(files: Files, path: string, fileBytes: number): Promise<Map<string, ZipMember>> {
  const tailStart = Math.max(0, fileBytes - END_BYTES - LONGEST_COMMENT - 20);
  const tail = await files.readRange(path, tailStart, fileBytes - tailStart);
  const directory = await directoryPlace(files, path, tail);
  if (directory.byteOffset + directory.byteLength > fileBytes)
    throw broken(path, "directory", "inside the file", "beyond its end");
  const bytes = await files.readRange(path, directory.byteOffset, directory.byteLength);
  const members = new Map<string, ZipMember>();
  for (const entry of directoryEntries(path, bytes)) {
    const local = viewOf(await files.readRange(path, entry.localOffset, LOCAL_BYTES));
    if (local.byteLength < LOCAL_BYTES || local.getUint32(0, true) !== 0x04034b50) {
      throw broken(path, entry.name, "a local header", "something else");
    }
    const byteOffset = entry.localOffset + LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true);
    if (byteOffset + entry.byteLength > fileBytes)
      throw broken(path, entry.name, "bytes inside the file", "beyond its end");
    members.set(entry.name, { byteOffset, byteLength: entry.byteLength });
  }
  return members;
}

function broken(path: string, name: string, expected: string, got: string): CheckpointError {
  const hint = "The file is damaged or was not copied whole; fetch it again.";
  return new CheckpointError(path, [{ name, expected, got }], { hint });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function directoryPlace(files: Files, path: string, tail: Uint8Array): Promise<ZipMember> {
  const view = viewOf(tail);
  let end = tail.length - END_BYTES;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw broken(path, "zip archive", "a directory at the end of the file", "none (truncated)");
  const place = { byteOffset: view.getUint32(end + 16, true), byteLength: view.getUint32(end + 12, true) };
  const locator = end - 20;
  if (locator < 0 || view.getUint32(locator, true) !== 0x07064b50) return place;
  const record = viewOf(await files.readRange(path, Number(view.getBigUint64(locator + 8, true)), 56));
  if (record.byteLength < 56 || record.getUint32(0, true) !== 0x06064b50) {
    throw broken(path, "zip archive", "a zip64 directory record", "something else");
  }
  return { byteOffset: Number(record.getBigUint64(48, true)), byteLength: Number(record.getBigUint64(40, true)) };
}

interface DirectoryEntry {
  readonly name: string;
  readonly localOffset: number;
  readonly byteLength: number;
}

function* directoryEntries(path: string, bytes: Uint8Array): Generator<DirectoryEntry> {
  const view = viewOf(bytes);
  let at = 0;
  while (at + 46 <= bytes.length && view.getUint32(at, true) === 0x02014b50) {
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const next = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    if (next > bytes.length) break;
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    if (view.getUint16(at + 10, true) !== 0) throw broken(path, name, "a stored member", "a compressed one");
    const extra = bytes.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
    const wide = zip64Sizes(extra);
    // zip64 keeps only the fields that overflowed, in this order
    const size = view.getUint32(at + 24, true) === ZIP64 ? wide.shift() : view.getUint32(at + 24, true);
    if (view.getUint32(at + 20, true) === ZIP64) wide.shift();
    const localOffset = view.getUint32(at + 42, true) === ZIP64 ? wide.shift() : view.getUint32(at + 42, true);
    if (size === undefined || localOffset === undefined) throw broken(path, name, "zip64 sizes", "none");
    yield { name, localOffset, byteLength: size };
    at = next;
  }
  if (at !== bytes.length) throw broken(path, "zip archive", "a whole directory", `damage at its byte ${at}`);
}

function zip64Sizes(extra: Uint8Array): number[] {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1) {
      const count = Math.floor(Math.min(length, extra.length - at - 4) / 8);
      return Array.from({ length: count }, (_, i) => Number(view.getBigUint64(at + 4 + 8 * i, true)));
    }
    at += 4 + length;
  }
  return [];
}
