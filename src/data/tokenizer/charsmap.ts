// SentencePiece's precompiled normalisation, as the Rust tokenizers apply it: a byte trie from characters to their replacements.
import { UnsupportedError } from "../../errors.ts";
import { type Rewriter, rewrite, type TrackedText, widthAt } from "./tracked-text.ts";

/** The parts of a `precompiled_charsmap`: the units of a double-array trie, and replacements that each end with a zero byte. */
interface Charsmap {
  readonly units: Uint32Array;
  readonly replacements: Uint8Array;
}

/**
 * The normaliser of a tokenizer.json of type `Precompiled`.
 * @see tokenizers `normalizers/precompiled.rs`, spm_precompiled, darts-clone
 * @throws {UnsupportedError} when the map is not one.
 */
export function charsmapNormalizer(base64: string): (source: TrackedText) => TrackedText {
  const map = parse(bytesOf(base64));
  const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
  const encoder = new TextEncoder();
  const known = new Map<string, string | null>();
  const replacementOf = (part: string) => {
    let found = known.get(part);
    if (found === undefined) {
      found = lookUp(map, encoder.encode(part));
      known.set(part, found);
    }
    return found;
  };
  return (source) =>
    rewrite(source, (out) => {
      for (const { segment } of segmentsOf(graphemes, source.text)) {
        const whole = encoder.encode(segment).length < MOST_BYTES ? replacementOf(segment) : null;
        if (whole !== null) replace(out, segment, whole);
        else for (const character of segment) replace(out, character, replacementOf(character) ?? character);
      }
    });
}

/** `after` for `before`: character by character, the rest of the longer one put in or left out behind them. */
function replace(out: Rewriter, before: string, after: string): void {
  if (before === after) {
    out.keep(before.length);
    return;
  }
  let [from, to] = [0, 0];
  while (from < before.length && to < after.length) {
    const [old, now] = [widthAt(before, from), widthAt(after, to)];
    out.replace(old, after.slice(to, to + now));
    from += old;
    to += now;
  }
  if (from < before.length) out.remove(before.length - from);
  if (to < after.length) out.insert(after.slice(to));
}

function bytesOf(base64: string): Uint8Array {
  try {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    if (bytes.length >= 4 && new DataView(bytes.buffer).getUint32(0, true) <= bytes.length - 4) return bytes;
  } catch (cause) {
    throw new UnsupportedError("a precompiled_charsmap that is not base64", ["SentencePiece's map"], { cause });
  }
  throw new UnsupportedError("a precompiled_charsmap that is cut off", ["SentencePiece's map"]);
}

/** Units that are segmented at once. */
const CHUNK = 256;

/**
 * Graphemes, chunk by chunk: over a long text V8's segmenter takes time that grows with its square. Where one ends is decided by what it holds
 * and by the next character, so each chunk begins where the last grapheme of the one before began.
 */
export function* segmentsOf(graphemes: Pick<Intl.Segmenter, "segment">, text: string): Generator<Intl.SegmentData> {
  for (let start = 0, size = CHUNK; start < text.length; ) {
    let end = Math.min(start + size, text.length);
    // half a character would be another one
    if (end < text.length && widthAt(text, end - 1) === 2) end++;
    const segments = [...graphemes.segment(text.slice(start, end))];
    const isLast = end === text.length;
    const whole = isLast ? segments.length : segments.length - 1;
    yield* segments.slice(0, whole);
    if (isLast) return;
    start += segments[whole]!.index;
    // a grapheme longer than a chunk needs a longer one
    size = whole === 0 ? size * 2 : CHUNK;
  }
}

/** A longer grapheme is looked up character by character. */
const MOST_BYTES = 6;

function parse(bytes: Uint8Array): Charsmap {
  const trieBytes = new DataView(bytes.buffer).getUint32(0, true);
  const units = new Uint32Array(bytes.slice(4, 4 + trieBytes).buffer);
  return { units, replacements: bytes.subarray(4 + trieBytes) };
}

/** What the shortest key that begins `key` is replaced by; null when there is none. */
function lookUp({ units, replacements }: Charsmap, key: Uint8Array): string | null {
  let place = offsetOf(units[0] ?? 0);
  for (const byte of key) {
    if (byte === 0) return null;
    place ^= byte;
    const unit = units[place] ?? 0;
    // a unit's label is its low byte; the top bit marks values
    if ((unit & 0x800000ff) >>> 0 !== byte) return null;
    place ^= offsetOf(unit);
    if ((unit >>> 8) & 1) {
      const start = (units[place] ?? 0) & 0x7fffffff;
      return new TextDecoder().decode(replacements.subarray(start, replacements.indexOf(0, start)));
    }
  }
  return null;
}

const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
