// The models of tokenizer.json: a word as token ids, each with the characters of the word that it stands for.

import { shownValue, UnsupportedError } from "../../errors.ts";
import { entryOf } from "../../tensor/index.ts";
import { bpeModel } from "./bpe.ts";
import type { TokenizerJson } from "./json.ts";
import { piecesOf, unigramModel } from "./unigram.ts";
import { vocabularyOf } from "./vocabulary.ts";
import { wordLevelModel, wordPieceModel } from "./word-piece.ts";
import type { WordModel, WordTokens } from "./word-tokens.ts";

const TYPES: Readonly<Record<string, (json: TokenizerJson["model"], file: string) => WordModel>> = {
  WordPiece: wordPieceModel,
  WordLevel: wordLevelModel,
  BPE: bpeModel,
  Unigram: unigramModel,
};

/**
 * The model of tokenizer.json; words are remembered.
 * @param file - The file that is named in errors.
 * @throws {UnsupportedError} when its type is not built.
 * @throws {FileError} when what it holds is not such a model.
 */
export function wordModelOf(json: TokenizerJson["model"], file: string): WordModel {
  const type = json.type ?? untoldType(json);
  const make = type === null ? undefined : entryOf(TYPES, type);
  if (make === undefined)
    throw new UnsupportedError(`tokenizer of model type ${shownValue(json.type)}`, Object.keys(TYPES));
  return remembering(make(json, file));
}

/** The vocabulary of tokenizer.json's model, without the model. Errors as `wordModelOf`. */
export function modelVocabulary(json: TokenizerJson["model"], file: string): ReadonlyMap<string, number> {
  if (Array.isArray(json.vocab)) return new Map(piecesOf(json.vocab, file).map(([piece], id) => [piece, id]));
  return vocabularyOf(json.vocab, typeof json.type === "string" ? json.type : "tokenizer", file);
}

/** Older files do not name the type; the Rust library tells it by what is there. */
function untoldType({ vocab, merges, ...rest }: TokenizerJson["model"]): string | null {
  if (merges !== undefined) return "BPE";
  if (Array.isArray(vocab)) return "Unigram";
  if (typeof vocab !== "object" || vocab === null) return null;
  return "continuing_subword_prefix" in rest || "max_input_chars_per_word" in rest ? "WordPiece" : "WordLevel";
}

/** Words that are kept, and the longest that is. */
const MOST_WORDS = 30_000;
const LONGEST_WORD = 64;

function remembering(model: WordModel): WordModel {
  const known = new Map<string, WordTokens>();
  return {
    ...model,
    encode(word) {
      let tokens = known.get(word);
      if (tokens === undefined) {
        tokens = model.encode(word);
        if (known.size >= MOST_WORDS) known.clear();
        if (word.length <= LONGEST_WORD) known.set(word, tokens);
      }
      return tokens;
    },
  };
}
