// Small data sets that a tiny model can learn: sentences with tags for their words, and texts with several labels.
import { randomStream } from "../../src/tensor/index.ts";

/** Words with a tag each. */
export interface Tagged {
  readonly tokens: readonly string[];
  readonly tags: readonly string[];
}

const FIRST = ["bright", "funny", "gripping", "lovely", "sharp", "tender"];
const LAST = ["clumsy", "dull", "flat", "grating", "stale", "tired"];
const PLACES = ["film", "story", "plot"];
const FILLERS = ["a", "and", "in", "is", "it", "of", "one", "the", "with"];

/** Sentences of fillers with names (a bright word and a dull one: B-PER I-PER) and places (B-LOC). */
export function tinyTagged(count: number, seed: number): Tagged[] {
  const random = randomStream(seed, "tagged");
  const pick = (words: readonly string[]) => words[random.integer(words.length)]!;
  return Array.from({ length: count }, () => {
    const pairs: [string, string][] = [];
    for (let part = 0; part <= random.integer(3); part++) {
      for (let i = 0; i <= random.integer(3); i++) pairs.push([pick(FILLERS), "O"]);
      if (random.uniform() < 0.7) pairs.push([pick(FIRST), "B-PER"], [pick(LAST), "I-PER"]);
      else pairs.push([pick(PLACES), "B-LOC"]);
    }
    return { tokens: pairs.map(([word]) => word), tags: pairs.map(([, tag]) => tag) };
  });
}

/** As CoNLL-2003 has them: four columns, a document's beginning, an empty line behind each sentence. */
export function conllText(sentences: readonly Tagged[], columns = (word: string, tag: string) => `${word} X X ${tag}`) {
  const blocks = sentences.map(({ tokens, tags }) => tokens.map((word, i) => columns(word, tags[i]!)).join("\n"));
  return `-DOCSTART- -X- -X- O\n\n${blocks.join("\n\n")}\n`;
}

/** A line of JSON for each. */
export const jsonLines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** Texts whose labels are told by the words in them; some have none. */
export function tinyLabelled(count: number, seed: number): { readonly text: string; readonly labels: string[] }[] {
  const random = randomStream(seed, "labelled");
  // few words in one order, so that every start learns them in a few seconds
  const kinds = { bright: FIRST, dull: LAST, place: PLACES };
  return Array.from({ length: count }, () => {
    const words = ["a"];
    const labels = Object.entries(kinds).flatMap(([label, telling]) => {
      if (random.uniform() < 0.5) return [];
      words.push(telling[random.integer(2)]!);
      return [label];
    });
    return { text: words.join(" "), labels };
  });
}

/** Flags with which a tiny model learns such data in a few seconds. */
export const LEARNS = [
  "--method",
  "full",
  "--learning-rate",
  "0.01",
  "--density-weight",
  "0.01",
  "--batch-size",
  "8",
  "--threads",
  "1",
] as const;
