// WordPiece and WordLevel: the longest known piece first, and whole words.
import type { TokenizerJson } from "./json.ts";
import { widthAt } from "./tracked-text.ts";
import { unknownWord, vocabularyOf } from "./vocabulary.ts";
import type { WordModel, WordTokens } from "./word-tokens.ts";

const MOST_CHARACTERS = 100;

/** @see tokenizers `models/wordpiece/mod.rs` */
export function wordPieceModel(json: TokenizerJson["model"], file: string): WordModel {
  const vocabulary = vocabularyOf(json.vocab, "WordPiece", file);
  const unknown = typeof json.unk_token === "string" ? json.unk_token : "[UNK]";
  const { continuing_subword_prefix: given, max_input_chars_per_word: most } = json;
  const prefix = typeof given === "string" ? given : "##";
  const longest = typeof most === "number" ? most : MOST_CHARACTERS;
  let longestToken = 0;
  for (const token of vocabulary.keys()) longestToken = Math.max(longestToken, token.length);
  const pieceFrom = (word: string, start: number): readonly [id: number, end: number] | null => {
    const before = start > 0 ? prefix : "";
    // no longer piece is in the vocabulary
    for (let end = Math.min(word.length, start + longestToken - before.length); end > start; end--) {
      if (isInside(word, end)) continue;
      const id = vocabulary.get(before + word.slice(start, end));
      if (id !== undefined) return [id, end];
    }
    return null;
  };
  return {
    vocabulary,
    unknown,
    encode(word) {
      const tokens = { ids: [] as number[], starts: [] as number[], ends: [] as number[] };
      if (isLonger(word, longest)) return wholeWord(word, vocabulary.get(unknown), unknown);
      for (let start = 0; start < word.length; ) {
        const piece = pieceFrom(word, start);
        if (piece === null) return wholeWord(word, vocabulary.get(unknown), unknown);
        tokens.ids.push(piece[0]);
        tokens.starts.push(start);
        tokens.ends.push(piece[1]);
        start = piece[1];
      }
      return tokens;
    },
  };
}

/** @see tokenizers `models/wordlevel/mod.rs` */
export function wordLevelModel(json: TokenizerJson["model"], file: string): WordModel {
  const vocabulary = vocabularyOf(json.vocab, "WordLevel", file);
  const unknown = typeof json.unk_token === "string" ? json.unk_token : "<unk>";
  return {
    vocabulary,
    unknown,
    encode: (word) => wholeWord(word, vocabulary.get(word) ?? vocabulary.get(unknown), unknown),
  };
}

function wholeWord(word: string, id: number | undefined, unknown: string): WordTokens {
  if (id === undefined) throw unknownWord(word, unknown);
  return { ids: [id], starts: [0], ends: [word.length] };
}

/** Whether a place is between the two units of one character. */
function isInside(word: string, at: number): boolean {
  const unit = word.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff && at > 0 && widthAt(word, at - 1) === 2;
}

function isLonger(word: string, most: number): boolean {
  if (word.length <= most) return false;
  let count = 0;
  for (let at = 0; at < word.length; at += widthAt(word, at)) if (++count > most) return true;
  return false;
}
