// A model's vocabulary, checked as it is read.
import { FileError, shownValue, UnsupportedError } from "../../errors.ts";

/**
 * Tokens with their ids, from an object of tokenizer.json.
 * @throws {FileError} when it is none, or an id is no whole number.
 */
export function vocabularyOf(vocab: unknown, type: string, file: string): Map<string, number> {
  if (typeof vocab !== "object" || vocab === null || Array.isArray(vocab))
    throw new FileError(file, `expected a ${type} model with a vocabulary, {"vocab": {token: id}}, got none`);
  const entries = Object.entries(vocab as Record<string, unknown>);
  const wrong = entries.filter(([, id]) => !Number.isInteger(id) || (id as number) < 0);
  if (wrong.length > 0) {
    const first = wrong.slice(0, 3).map(([token, id]) => `${shownValue(token)}: ${shownValue(id)}`);
    throw new FileError(
      file,
      `expected whole numbers from 0 as the ids of the ${type} vocabulary, got ${wrong.length} others (${first.join(", ")})`,
    );
  }
  return new Map(entries as [string, number][]);
}

/** A word that no token stands for, in a model that has no token for such words. */
export function unknownWord(word: string, unknown: string | null): UnsupportedError {
  const lacks = unknown === null ? "names no token for unknown words" : `lacks its token for unknown words, ${unknown}`;
  return new UnsupportedError(`the text ${JSON.stringify(word.slice(0, 40))}: the tokenizer's vocabulary ${lacks}`, [
    "a vocabulary with it",
  ]);
}
