// What a model of tokenizer.json gives for a word: token ids, each with the characters that it stands for.

/** Tokens of one word; token i stands for its UTF-16 units from `starts[i]` up to `ends[i]`. */
export interface WordTokens {
  readonly ids: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

export interface WordModel {
  /** The tokens of a word. @throws {UnsupportedError} when it is unknown and the model has no token for that. */
  encode(word: string): WordTokens;
  /** The vocabulary, in the order of the file. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** The token for what is not in the vocabulary. */
  readonly unknown: string | null;
}
