// Tokens that are found in a text before anything else, and their ids, as the Rust library's AddedVocabulary.
import type { AddedTokenJson } from "./json.ts";
import type { Normalizer } from "./normalizers.ts";
import { sliceOf, type TrackedText, trackedText, widthAt } from "./tracked-text.ts";
import { CharClass, charClasses } from "./unicode.ts";

/** A token as it is declared: its id is the vocabulary's, or the next one that is free. */
export type DeclaredToken = Omit<AddedTokenJson, "id">;

/**
 * Added tokens in the order in which they were declared, with the ids that they get.
 *
 * A later declaration of the same token replaces its flags; which texts count as special, and in what order they are
 * sought, follows the first one.
 * @param vocabulary - The model's own tokens.
 * @see tokenizers `tokenizer/added_vocabulary.rs`, `add_tokens`
 */
export class AddedVocabulary {
  readonly #vocabulary: ReadonlyMap<string, number>;
  readonly #ids = new Map<string, number>();
  readonly #byId = new Map<number, DeclaredToken>();
  readonly #special: DeclaredToken[] = [];
  readonly #specialContents = new Set<string>();
  readonly #others: DeclaredToken[] = [];
  #largestId = -1;

  constructor(vocabulary: ReadonlyMap<string, number>) {
    this.#vocabulary = vocabulary;
  }

  /** Declares tokens, in one call of the Rust library: special ones come first. */
  add(declared: readonly DeclaredToken[]): void {
    const tokens = declared.map(flagsOf);
    for (const token of tokens) {
      if (!token.special || token.content === "" || this.#specialContents.has(token.content)) continue;
      this.#special.push(token);
      this.#specialContents.add(token.content);
    }
    for (const token of tokens) {
      if (token.content === "" || this.#has(token)) continue;
      const id = this.idOf(token.content) ?? this.#nextId();
      this.#ids.set(token.content, id);
      this.#byId.set(id, token);
      this.#largestId = Math.max(this.#largestId, id);
      if (!this.#specialContents.has(token.content)) this.#others.push(token);
    }
  }

  #has(token: DeclaredToken): boolean {
    const id = this.#ids.get(token.content);
    const known = id === undefined ? undefined : this.#byId.get(id);
    return known !== undefined && FLAGS.every((flag) => known[flag] === token[flag]);
  }

  #nextId(): number {
    return Math.max(this.#largestId + 1, this.#vocabulary.size);
  }

  /** The id of a token, the model's own ones included. */
  idOf(content: string): number | undefined {
    return this.#ids.get(content) ?? this.#vocabulary.get(content);
  }

  has(content: string): boolean {
    return this.#ids.has(content);
  }

  /** Every added token with its id and the flags that count, by id. */
  byId(): AddedTokenJson[] {
    return [...this.#byId].map(([id, token]) => ({ id, ...token })).sort((a, b) => a.id - b.id);
  }

  /** Every added token as it works: sought as its first declaration says, with the flags of its last. */
  effective(): AddedTokenJson[] {
    const first = new Map<string, DeclaredToken>();
    for (const token of [...this.#special, ...this.#others])
      if (!first.has(token.content)) first.set(token.content, token);
    return this.byId().map((token) => {
      const sought = first.get(token.content) ?? token;
      return { ...token, normalized: sought.normalized, special: sought.special };
    });
  }

  /** Tokens in the order in which they are sought, each with what it does. */
  sought(): readonly SoughtToken[] {
    return [...this.#special, ...this.#others].map((declared) => {
      const id = this.idOf(declared.content)!;
      return { id, content: declared.content, normalized: declared.normalized, does: this.#byId.get(id) ?? declared };
    });
  }
}

/** A token with its flags alone; one that its file leaves out is off. */
function flagsOf({ content, special, single_word, lstrip, rstrip, normalized }: DeclaredToken): DeclaredToken {
  const [isSpecial, isWord] = [special === true, single_word === true];
  return {
    content,
    single_word: isWord,
    lstrip: lstrip === true,
    rstrip: rstrip === true,
    normalized: normalized ?? !isSpecial,
    special: isSpecial,
  };
}

const FLAGS = ["special", "single_word", "lstrip", "rstrip", "normalized"] as const;

/** A token that is sought in a text. */
export interface SoughtToken {
  readonly id: number;
  readonly content: string;
  /** Whether it is sought in the normalised text. */
  readonly normalized: boolean;
  readonly does: DeclaredToken;
}

/** A part of a text: a token, or text that is still to be split (`id` null). */
export interface Section {
  readonly source: TrackedText;
  readonly id: number | null;
}

/**
 * Text → its sections: added tokens that stand in it as it is, then those that stand in what is left, normalised.
 *
 * @param splitsSpecial - Whether special tokens are left in the text, to be split as other text is.
 */
export function sectionizer(
  tokens: readonly SoughtToken[],
  normalize: Normalizer,
  splitsSpecial = false,
): (source: TrackedText) => Section[] {
  const kept = splitsSpecial ? tokens.filter(({ does }) => !does.special) : tokens;
  const plain = finder(kept.filter(({ normalized }) => !normalized));
  const normalized = finder(
    kept
      .filter((token) => token.normalized)
      .map((token) => ({ ...token, content: normalize(trackedText(token.content, false)).text })),
  );
  return (source) =>
    plain(source).flatMap((section) => (section.id === null ? normalized(normalize(section.source)) : [section]));
}

/** Finds tokens in a text: the leftmost, and of those that begin at one place the longest. */
function finder(tokens: readonly SoughtToken[]): (source: TrackedText) => Section[] {
  const byFirst = new Map<string, SoughtToken[]>();
  const known = new Set<string>();
  for (const token of tokens) {
    // of two tokens that are spelled the same the first one is found
    if (token.content === "" || known.has(token.content)) continue;
    known.add(token.content);
    byFirst.set(token.content[0]!, [...(byFirst.get(token.content[0]!) ?? []), token]);
  }
  for (const some of byFirst.values()) some.sort((a, b) => b.content.length - a.content.length);
  if (byFirst.size === 0)
    return (source) => (source.text === "" ? [] : [{ source: sliceOf(source, 0, source.text.length), id: null }]);
  return (source) => {
    const { text } = source;
    const sections: Section[] = [];
    let from = 0;
    let spacesEnd = 0;
    const push = (start: number, end: number, id: number | null) => {
      if (end > start) sections.push({ source: sliceOf(source, start, end), id });
    };
    for (let at = 0; at < text.length; ) {
      const token = byFirst.get(text[at]!)?.find(({ content }) => text.startsWith(content, at));
      if (token === undefined) {
        at++;
        continue;
      }
      const end = at + token.content.length;
      if (!token.does.single_word || standsAlone(text, at, end)) {
        const start = token.does.lstrip ? Math.max(spaceStart(text, at, from), from) : at;
        // of a token that is white space itself, the spaces behind it are those behind the one before
        if (token.does.rstrip && end >= spacesEnd) spacesEnd = spaceEnd(text, end);
        const stop = token.does.rstrip ? spacesEnd : end;
        push(from, start, null);
        push(start, stop, token.id);
        from = stop;
      }
      at = end;
    }
    push(from, text.length, null);
    return sections;
  };
}

const isKind = (text: string, at: number, kind: number): boolean =>
  (charClasses()[text.codePointAt(at)!]! & kind) !== 0;

/** Whether no word goes on before or behind a part of a text. */
function standsAlone(text: string, from: number, to: number): boolean {
  const before = from > 1 && widthAt(text, from - 2) === 2 ? from - 2 : from - 1;
  return (
    (from === 0 || !isKind(text, before, CharClass.word)) && (to === text.length || !isKind(text, to, CharClass.word))
  );
}

/** Where the spaces before a place begin, no further back than `least`. */
function spaceStart(text: string, at: number, least: number): number {
  while (at > least && isKind(text, at - 1, CharClass.whitespace)) at--;
  return at;
}

function spaceEnd(text: string, at: number): number {
  while (at < text.length && isKind(text, at, CharClass.whitespace)) at++;
  return at;
}
