// Streams a text file in blocks of whole lines, with the line named where the bytes are not UTF-8.
import { DataError } from "../../errors.ts";
import type { Files } from "../../tensor/index.ts";

/** Whole lines, line ends included (the file's last may lack one); the first is line `firstLine`, from 1. */
export interface TextBlock {
  readonly text: string;
  readonly firstLine: number;
}

export interface TextLine {
  readonly text: string;
  readonly line: number;
}

const NEWLINE = 0x0a;

/**
 * The file in blocks of whole lines; a byte-order mark is dropped.
 * @throws {DataError} naming the line that is not UTF-8.
 * @throws {FileError} when the file cannot be read.
 */
export async function* textBlocks(files: Pick<Files, "stream">, path: string): AsyncGenerator<TextBlock> {
  // ignoreBOM keeps U+FEFF: it may only be dropped at the file's start
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let pending: Uint8Array[] = [];
  let line = 1;
  const decoded = (bytes: Uint8Array): TextBlock => {
    const text = decode(decoder, path, bytes, line);
    const block = { text: line === 1 && text.startsWith("\ufeff") ? text.slice(1) : text, firstLine: line };
    line += countLines(bytes);
    return block;
  };
  for await (const chunk of files.stream(path)) {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      yield decoded(concat([...pending, chunk.subarray(0, end)]));
      pending = [];
    }
    // copied: a stream may reuse its buffer
    if (end < chunk.length) pending.push(chunk.slice(end));
  }
  if (pending.length > 0) yield decoded(concat(pending));
}

/** The file's lines without their ends (`\n` or `\r\n`), numbered from 1. */
export async function* textLines(files: Pick<Files, "stream">, path: string): AsyncGenerator<TextLine> {
  for await (const { text, firstLine } of textBlocks(files, path)) {
    let line = firstLine;
    for (let at = 0; at < text.length; line++) {
      const newline = text.indexOf("\n", at);
      const end = newline < 0 ? text.length : newline;
      yield { text: text.slice(at, end > at && text[end - 1] === "\r" ? end - 1 : end), line };
      at = end + 1;
    }
  }
}

function decode(decoder: InstanceType<typeof TextDecoder>, path: string, bytes: Uint8Array, firstLine: number): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    throw new DataError(path, {
      line: firstLine + badLine(decoder, bytes),
      expected: "UTF-8 text",
      got: utf16 && firstLine === 1 ? "UTF-16 text" : "bytes that are not UTF-8",
      hint: `Save the file as UTF-8, for instance: iconv -f ${utf16 ? "UTF-16" : "WINDOWS-1252"} -t UTF-8 FILE > NEW`,
      cause,
    });
  }
}

/** How many lines of the block decode before the first that does not. */
function badLine(decoder: InstanceType<typeof TextDecoder>, bytes: Uint8Array): number {
  for (let at = 0, lines = 0; ; lines++) {
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline < 0 ? bytes.length : newline + 1;
    try {
      decoder.decode(bytes.subarray(at, end));
    } catch {
      return lines;
    }
    if (end === bytes.length) return lines;
    at = end;
  }
}

function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
