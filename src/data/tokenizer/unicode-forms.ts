// Unicode's normal forms with the source of every character kept, as the Rust tokenizers make them.
import { inCanonicalOrder } from "./canonical-order.ts";
import { type Rewriter, rewrite, type TrackedText, widthAt } from "./tracked-text.ts";
import { CharClass, charClasses } from "./unicode.ts";

export type UnicodeForm = "NFC" | "NFD" | "NFKC" | "NFKD";

const ASCII = /^[\0-\x7f]*$/;
const COMBINING = /^\p{M}/u;

/**
 * A text in a normal form.
 *
 * Characters newer than the Rust library's tables stay as they are and end what they stand in.
 * @see Unicode Standard Annex 15; unicode-normalization-alignments
 */
export function normalForm(source: TrackedText, form: UnicodeForm): TrackedText {
  const { text } = source;
  if (ASCII.test(text)) return source;
  return rewrite(source, (out) => {
    for (const [from, to] of runsOf(text, form)) {
      const part = text.slice(from, to);
      if (to - from === widthAt(part, 0) && isUnknown(part, form)) out.keep(to - from);
      else writeRun(out, part, form, source.isTracked);
    }
  });
}

function isUnknown(part: string, form: UnicodeForm): boolean {
  const isCompatible = form === "NFKC" || form === "NFKD";
  const bits = isCompatible ? CharClass.unknownToNfd | CharClass.unknownToNfkd : CharClass.unknownToNfd;
  return (charClasses()[part.codePointAt(0)!]! & bits) !== 0;
}

/** Parts of a text whose normal forms do not depend on one another: a character with what may combine with it. */
function* runsOf(text: string, form: UnicodeForm): Generator<readonly [number, number]> {
  const decomposed = decompositionOf(form);
  let from = 0;
  let wasUnknown = true;
  for (let at = 0; at < text.length; ) {
    const width = widthAt(text, at);
    const char = text.slice(at, at + width);
    const isNew = isUnknown(char, form);
    if (at > from && (isNew || wasUnknown || !joinsOthers(char.normalize(decomposed)))) {
      yield [from, at];
      from = at;
    }
    wasUnknown = isNew;
    at += width;
  }
  if (from < text.length) yield [from, text.length];
}

/** Whether a decomposed character begins with what may combine with a character before: a mark, or a vowel or final of Hangul. */
function joinsOthers(decomposed: string): boolean {
  const code = decomposed.codePointAt(0)!;
  return (code >= 0x1160 && code <= 0x11ff) || (code >= 0xd7b0 && code <= 0xd7ff) || COMBINING.test(decomposed);
}

/** A character of a normal form; `isNew` where it is one more than the source had. */
interface Letter {
  readonly char: string;
  /** Characters of the source that it stands for, itself included: 0 where it is one more. */
  readonly stands: number;
}

function writeRun(out: Rewriter, run: string, form: UnicodeForm, isTracked: boolean): void {
  const normal = normalized(run, form);
  if (!isTracked || normal === run) {
    if (normal === run) out.keep(run.length);
    else {
      out.remove(run.length);
      out.insert(normal);
    }
    return;
  }
  const letters = decomposedLetters(run, decompositionOf(form));
  const result = form === "NFC" || form === "NFKC" ? recomposed(letters) : letters;
  let at = 0;
  for (const { char, stands } of result) {
    if (stands === 0) {
      out.insert(char);
      continue;
    }
    for (let i = 0; i < stands; i++) {
      const width = at < run.length ? widthAt(run, at) : 0;
      if (i === 0) out.replace(width, char);
      else out.remove(width);
      at += width;
    }
  }
  if (at < run.length) out.remove(run.length - at);
}

/** From this length on marks are put in order here. */
const LONG_RUN = 64;

function normalized(run: string, form: UnicodeForm): string {
  if (run.length < LONG_RUN) return run.normalize(form);
  const parts = Array.from(run, (char) => char.normalize(decompositionOf(form))).join("");
  // what is in order already is normalised in one pass
  return inCanonicalOrder(Array.from(parts), (char) => char)
    .join("")
    .normalize(form);
}

const decompositionOf = (form: UnicodeForm) => (form === "NFC" || form === "NFD" ? "NFD" : "NFKD");

/** The characters that a run decomposes to, in canonical order; the first of each source character stands for it. */
function decomposedLetters(run: string, form: "NFD" | "NFKD"): Letter[] {
  const found: Letter[] = [];
  for (const char of run) {
    let stands = 1;
    for (const part of char.normalize(form)) {
      found.push({ char: part, stands });
      stands = 0;
    }
  }
  return inCanonicalOrder(found, ({ char }) => char);
}

/** Composes what composes: a starter takes in marks that nothing of their class or a higher one blocks. */
function recomposed(letters: readonly Letter[]): Letter[] {
  const out: Letter[] = [];
  let starter = -1;
  for (const letter of letters) {
    const last = out.at(-1);
    const isBlocked =
      starter >= 0 && out.length - 1 > starter && last !== undefined && !comesAfter(letter.char, last.char);
    const before = out[starter];
    const whole = before === undefined || isBlocked ? null : composed(before.char, letter.char);
    if (before !== undefined && whole !== null) {
      out[starter] = { char: whole, stands: before.stands + letter.stands };
      continue;
    }
    out.push(letter);
    if (!isMark(letter.char)) starter = out.length - 1;
  }
  return out;
}

/** Whether a mark is of a higher class than another: canonical order would exchange them. */
function comesAfter(mark: string, before: string): boolean {
  return isMark(mark) && `${mark}${before}`.normalize("NFD") === `${before.normalize("NFD")}${mark.normalize("NFD")}`;
}

/** Whether a character has a combining class: canonical order moves it behind one of the class 0, and never before. */
function isMark(char: string): boolean {
  // U+0345 has the highest class, U+0334 the lowest; between them every mark moves
  return `\u0345${char}`.normalize("NFD") !== `\u0345${char.normalize("NFD")}` || char === "\u0345";
}

function composed(first: string, second: string): string | null {
  const whole = (first + second).normalize("NFC");
  return whole.length === widthAt(whole, 0) ? whole : null;
}
