// SentencePiece's model files (spiece.model): pieces with scores and kinds, and the map of its normalisation.
import { FileError } from "../../errors.ts";

/** What a piece is for. */
export type PieceKind = "normal" | "unknown" | "control" | "user-defined" | "unused" | "byte";

export interface SentencePieceModel {
  readonly pieces: readonly { readonly piece: string; readonly score: number; readonly kind: PieceKind }[];
  /** How words are cut: `unigram` (1), `bpe` (2), `word` (3), `char` (4). */
  readonly algorithm: number;
  /** The compiled map of the normalisation in base64; null where there is none. */
  readonly charsmap: string | null;
}

const KINDS: readonly PieceKind[] = ["normal", "unknown", "control", "user-defined", "unused", "byte"];

/**
 * Reads a model file.
 * @throws {FileError} when it is not one, or is cut off.
 * @see sentencepiece `sentencepiece_model.proto`: ModelProto 1 pieces, 2 trainer_spec, 3 normalizer_spec
 */
export function readSentencePiece(bytes: Uint8Array, file: string): SentencePieceModel {
  const pieces: { piece: string; score: number; kind: PieceKind }[] = [];
  let algorithm = 1;
  let charsmap: string | null = null;
  for (const { field, value } of fieldsOf(bytes, file)) {
    if (field === 1) pieces.push(pieceOf(bytesIn(value, file), file));
    if (field === 2)
      for (const of of fieldsOf(bytesIn(value, file), file)) if (of.field === 3) algorithm = Number(of.value);
    if (field === 3)
      for (const of of fieldsOf(bytesIn(value, file), file))
        if (of.field === 2) charsmap = base64(bytesIn(of.value, file));
  }
  if (pieces.length === 0) throw notOne(file, "no pieces");
  return { pieces, algorithm, charsmap: charsmap === "" ? null : charsmap };
}

/** SentencePiece: 1 piece, 2 score, 3 type. */
function pieceOf(bytes: Uint8Array, file: string): { piece: string; score: number; kind: PieceKind } {
  let [piece, score, kind]: [string, number, PieceKind] = ["", 0, "normal"];
  for (const { field, value } of fieldsOf(bytes, file)) {
    if (field === 1) piece = new TextDecoder().decode(bytesIn(value, file));
    if (field === 2) {
      const four = bytesIn(value, file);
      score = new DataView(four.buffer, four.byteOffset, 4).getFloat32(0, true);
    }
    if (field === 3) kind = KINDS[Number(value) - 1] ?? "normal";
  }
  return { piece, score, kind };
}

interface Field {
  readonly field: number;
  /** A number, or the bytes of a message, a text or a float. */
  readonly value: number | Uint8Array;
}

/** The fields of a message. @see protobuf.dev, "Encoding" */
function* fieldsOf(bytes: Uint8Array, file: string): Generator<Field> {
  const take = (from: number, length: number): Uint8Array => {
    if (from + length > bytes.length) throw notOne(file, "a field that is cut off");
    return bytes.subarray(from, from + length);
  };
  for (let at = 0; at < bytes.length; ) {
    const [tag, afterTag] = varint(bytes, at, file);
    const [field, type] = [Math.floor(tag / 8), tag % 8];
    if (type === 0) {
      const [value, end] = varint(bytes, afterTag, file);
      yield { field, value };
      at = end;
    } else if (type === 1 || type === 5) {
      const length = type === 1 ? 8 : 4;
      yield { field, value: take(afterTag, length) };
      at = afterTag + length;
    } else if (type === 2) {
      const [length, start] = varint(bytes, afterTag, file);
      yield { field, value: take(start, length) };
      at = start + length;
    } else throw notOne(file, `a field of the wire type ${type}`);
  }
}

/** A number in seven bits a byte, and where it ends. */
function varint(bytes: Uint8Array, from: number, file: string): readonly [number, number] {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[from + i];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return [value, from + i + 1];
  }
  throw notOne(file, "a number that does not end");
}

function bytesIn(value: number | Uint8Array, file: string): Uint8Array {
  if (typeof value === "number") throw notOne(file, "a number where a message stands");
  return value;
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return btoa(text);
}

function notOne(file: string, what: string): FileError {
  return new FileError(file, `expected a SentencePiece model, got ${what}`, {
    hint: "The file may be cut off, or a Git LFS pointer; download it again.",
  });
}
