// A text on its way to tokens, with the source characters that each part of it stands for, as the Rust library's NormalizedString.
import { StepBudget } from "./step-budget.ts";

/**
 * A text, or a piece of one, after some steps of a tokenizer.
 *
 * Positions are UTF-16 units. A text that is not tracked has no usable positions: reading ids alone needs none.
 * @see tokenizers `tokenizer/normalizer.rs`, `NormalizedString`
 */
export interface TrackedText {
  readonly text: string;
  /** Where the piece of the source begins that this text was made of. */
  readonly origin: number;
  readonly isTracked: boolean;
  /** What the steps may still do for the source. */
  readonly budget: StepBudget;
  /** The source characters of each unit of `text`; null: unit i is unit `origin + i` of the source. */
  readonly places: Places | null;
}

/** Source characters by unit, from `starts[i]` up to `ends[i]`. */
export interface Places {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** A source text before the first step. */
export function trackedText(text: string, isTracked = true): TrackedText {
  return { text, origin: 0, isTracked, budget: new StepBudget(text.length), places: null };
}

/** The part of a text from `from` up to `to`. */
export function sliceOf(source: TrackedText, from: number, to: number): TrackedText {
  const { text, origin, isTracked, budget, places } = source;
  // what stood before the first character that is left does not belong to the piece
  if (from === 0 && to === text.length)
    return places === null ? source : { ...source, origin: places.starts[0] ?? origin };
  const part = text.slice(from, to);
  if (places === null) return { text: part, origin: origin + from, isTracked, budget, places };
  const { starts, ends } = places;
  return {
    text: part,
    origin: starts[from] ?? origin,
    isTracked,
    budget,
    places: { starts: starts.slice(from, to), ends: ends.slice(from, to) },
  };
}

/** Where the source characters of a part of a text begin and end. */
export function sourceOf({ origin, places }: TrackedText, from: number, to: number): readonly [number, number] {
  if (places === null) return [origin + from, origin + to];
  return [places.starts[from] ?? origin, places.ends[to - 1] ?? origin];
}

/** Width of the character at a place, in UTF-16 units. */
export function widthAt(text: string, at: number): 1 | 2 {
  return text.codePointAt(at)! > 0xffff ? 2 : 1;
}

/** What a step does to a text, character by character from its beginning; what is not named at the end is removed. */
export interface Rewriter {
  /** The next `width` units stand as they are. */
  keep(width: number): void;
  /** `chars` stand for the next character, which is `width` units wide. */
  replace(width: number, chars: string): void;
  /** `chars` are put in; they stand for the character before. */
  insert(chars: string): void;
  /** The next `width` units are left out. */
  remove(width: number): void;
}

/**
 * A text changed by `write`; every character knows where it came from where the source is tracked.
 * @throws {UnsupportedError} when it grows by more than the source's budget has left.
 */
export function rewrite(source: TrackedText, write: (out: Rewriter) => void): TrackedText {
  const out = source.isTracked ? new TrackedWriter(source) : new PlainWriter(source);
  write(out);
  return { ...source, text: out.text, places: out.places() };
}

class PlainWriter implements Rewriter {
  text = "";
  protected at = 0;
  protected readonly source: string;
  readonly #budget: StepBudget;

  constructor({ text, budget }: TrackedText) {
    this.source = text;
    this.#budget = budget;
  }

  places(): Places | null {
    return null;
  }

  keep(width: number): void {
    this.text += this.source.slice(this.at, this.at + width);
    this.at += width;
  }

  replace(width: number, chars: string): void {
    this.#budget.grow(chars.length - width);
    this.text += chars;
    this.at += width;
  }

  insert(chars: string): void {
    this.#budget.grow(chars.length);
    this.text += chars;
  }

  remove(width: number): void {
    this.at += width;
  }
}

class TrackedWriter extends PlainWriter {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #of: TrackedText;

  constructor(of: TrackedText) {
    super(of);
    this.#of = of;
  }

  override places(): Places {
    return { starts: this.#starts, ends: this.#ends };
  }

  override keep(width: number): void {
    const end = this.at + width;
    while (this.at < end) {
      const wide = widthAt(this.source, this.at);
      this.replace(wide, this.source.slice(this.at, this.at + wide));
    }
  }

  override replace(width: number, chars: string): void {
    const from = this.at;
    super.replace(width, chars);
    this.#stand(from, width, chars.length);
  }

  override insert(chars: string): void {
    super.insert(chars);
    const before = this.at - (this.at > 1 && this.source.codePointAt(this.at - 2)! > 0xffff ? 2 : 1);
    if (before < 0) this.#stand(0, 0, chars.length);
    else this.#stand(before, this.at - before, chars.length);
  }

  /** `count` units stand for the character at `from`. */
  #stand(from: number, width: number, count: number): void {
    const [start, end] = width === 0 ? [this.#of.origin, this.#of.origin] : sourceOf(this.#of, from, from + width);
    for (let unit = 0; unit < count; unit++) {
      this.#starts.push(start);
      this.#ends.push(end);
    }
  }
}

/** A text with `prefix` before it, which stands for the first character; an empty text stays empty. */
export function prepended(source: TrackedText, prefix: string): TrackedText {
  const { text } = source;
  if (text === "" || prefix === "") return source;
  return rewrite(source, (out) => {
    const width = widthAt(text, 0);
    out.replace(width, prefix + text.slice(0, width));
    out.keep(text.length - width);
  });
}
