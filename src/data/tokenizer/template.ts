// Special tokens around one text or a pair, and truncation before they are added, as in the Rust tokenizers.
import { ConfigError, shownValue, UnsupportedError } from "../../errors.ts";
import { entryOf } from "../../tensor/index.ts";

/** Which end of which text gives way: `longest_first` is what transformers calls `truncation=True`. */
export type Truncation = "longest_first" | "only_first" | "only_second" | "none";

/** One part of an encoded input: a text, or special tokens; `typeId` is its segment. */
export type Piece =
  | { readonly kind: "text"; readonly which: "A" | "B"; readonly typeId: number }
  | { readonly kind: "special"; readonly ids: readonly number[]; readonly typeId: number };

export interface Template {
  readonly single: readonly Piece[];
  readonly pair: readonly Piece[];
}

const A: Piece = { kind: "text", which: "A", typeId: 0 };
const B: Piece = { kind: "text", which: "B", typeId: 1 };

/**
 * The template of a `post_processor` of tokenizer.json.
 * @throws {UnsupportedError} when its type is not known, or a part of it is none.
 */
export function templateOf(processor: unknown): Template {
  const json = (processor ?? { type: "ByteLevel" }) as ProcessorJson;
  switch (json.type) {
    case "TemplateProcessing":
      return { single: pieces(json.single, json), pair: pieces(json.pair, json) };
    case "BertProcessing": {
      const [cls, sep, sepB] = [special(json.cls, 0), special(json.sep, 0), special(json.sep, 1)];
      return { single: [cls, A, sep], pair: [cls, A, sep, B, sepB] };
    }
    case "RobertaProcessing": {
      const [cls, sep] = [special(json.cls, 0), special(json.sep, 0)];
      return { single: [cls, A, sep], pair: [cls, A, sep, sep, { ...B, typeId: 0 }, sep] };
    }
    case "ByteLevel":
      return { single: [A], pair: [A, B] };
    case "Sequence":
      return templateOf(json.processors?.findLast((p) => p.type !== "ByteLevel") ?? null);
    default:
      throw new UnsupportedError(`tokenizer post-processor ${shownValue(json.type)}`, SUPPORTED);
  }
}

const SUPPORTED = ["TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel", "Sequence"];

interface ProcessorJson {
  readonly type: string;
  readonly single?: unknown;
  readonly pair?: unknown;
  readonly special_tokens?: unknown;
  readonly cls?: unknown;
  readonly sep?: unknown;
  readonly processors?: readonly ProcessorJson[];
}

/** Most parts of a template: published ones have fewer than ten. */
const MOST_PIECES = 100;

function pieces(given: unknown, { special_tokens: tokens }: ProcessorJson): Piece[] {
  const items = given ?? [];
  if (!Array.isArray(items) || items.length > MOST_PIECES)
    throw malformed(items, `a list of at most ${MOST_PIECES} parts`);
  return items.map((item: unknown) => {
    const { Sequence: text, SpecialToken: token } = fieldsOf(item);
    const { id, type_id: typeId } = fieldsOf(text ?? token);
    if (!isId(typeId)) throw malformed(item, "a part with a type_id");
    if (text !== undefined) {
      if (id !== "A" && id !== "B") throw malformed(item, "a text A or B");
      return { kind: "text", which: id, typeId };
    }
    const { ids = [] } = typeof id === "string" ? fieldsOf(entryOf(fieldsOf(tokens), id)) : {};
    if (!Array.isArray(ids) || !ids.every(isId)) throw malformed(ids, `token ids of ${shownValue(id)}`);
    return { kind: "special", ids, typeId };
  });
}

function special(token: unknown, typeId: number): Piece {
  if (token === undefined) return { kind: "special", ids: [], typeId };
  const id: unknown = Array.isArray(token) ? token[1] : null;
  if (!isId(id)) throw malformed(token, "a token with its id");
  return { kind: "special", ids: [id], typeId };
}

const isId = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** The fields of an object; none of another value. */
function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function malformed(got: unknown, expected: string): UnsupportedError {
  return new UnsupportedError(`the post_processor of tokenizer.json with ${shownValue(got)}`, [expected]);
}

/** Number of special tokens a template adds. */
export function addedTokens(template: readonly Piece[]): number {
  return template.reduce((sum, piece) => sum + (piece.kind === "special" ? piece.ids.length : 0), 0);
}

/**
 * How many tokens of each text stay, so that together they are at most `room`.
 *
 * @throws {ConfigError} when `only_first` or `only_second` would have to remove the whole text.
 * @see huggingface/tokenizers `utils/truncation.rs`, `truncate_encodings`; ties leave the second text the odd token.
 */
export function keptLengths(
  first: number,
  second: number | null,
  room: number,
  truncation: Truncation,
): readonly [number, number] {
  const total = first + (second ?? 0);
  if (truncation === "none" || total <= room) return [first, second ?? 0];
  if (truncation === "longest_first") return second === null ? [room, 0] : longestFirst(first, second, room);
  const excess = total - room;
  const [kept, of] = truncation === "only_first" ? [first - excess, first] : [(second ?? 0) - excess, second ?? 0];
  if (kept <= 0) {
    throw new ConfigError([
      { path: "maxLength", expected: `room for at least one token with truncation ${truncation}`, got: `${of} tokens` },
    ]);
  }
  return truncation === "only_first" ? [kept, second ?? 0] : [first, kept];
}

function longestFirst(first: number, second: number, room: number): readonly [number, number] {
  const shorter = Math.min(first, second);
  let kept: readonly [number, number] = [shorter, shorter > room ? shorter : Math.max(shorter, room - shorter)];
  if (kept[0] + kept[1] > room) kept = [Math.floor(room / 2), Math.floor(room / 2) + (room % 2)];
  return first > second ? [kept[1], kept[0]] : kept;
}
