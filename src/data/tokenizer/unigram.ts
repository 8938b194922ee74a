// Unigram words and tokens as SentencePiece models have them (T5): the likeliest way to cut a word into known pieces.

/** How much less likely than the rarest piece a character is that no piece stands for. */
const UNKNOWN_PENALTY = 10;

/**
 * The pieces of a word: those whose scores add up to most; neighbours that no piece stands for are one.
 *
 * @param vocabulary - Pieces with their log probabilities, by id.
 * @see Kudo 2018, eq. 3 to 5; tokenizers `models/unigram/model.rs`, `encode_optimized`
 */
export function unigramPieces(
  vocabulary: readonly (readonly [piece: string, score: number])[],
): (word: string) => string[] {
  const scores = new Map(vocabulary);
  const longest = vocabulary.reduce((most, [piece]) => Math.max(most, piece.length), 0);
  const unknownScore = vocabulary.reduce((least, [, score]) => Math.min(least, score), 0) - UNKNOWN_PENALTY;
  return (word) => {
    const paths = bestPaths(word, scores, longest, unknownScore);
    const pieces: string[] = [];
    let unknown = "";
    for (let end = word.length; end > 0; ) {
      const { start, isKnown } = paths[end]!;
      const piece = word.slice(start, end);
      if (isKnown && unknown !== "") pieces.push(unknown);
      unknown = isKnown ? "" : piece + unknown;
      if (isKnown) pieces.push(piece);
      end = start;
    }
    if (unknown !== "") pieces.push(unknown);
    return pieces.reverse();
  };
}

interface Path {
  readonly start: number;
  readonly score: number;
  readonly isKnown: boolean;
}

/** For each place in a word the last piece of the best way to get there; of equals the one that begins first. */
function bestPaths(
  word: string,
  scores: ReadonlyMap<string, number>,
  longest: number,
  unknownScore: number,
): readonly (Path | undefined)[] {
  const paths: (Path | undefined)[] = Array.from({ length: word.length + 1 });
  const offer = (end: number, path: Path) => {
    const before = paths[end];
    if (before === undefined || path.score > before.score) paths[end] = path;
  };
  for (let start = 0; start < word.length; ) {
    const here = start === 0 ? 0 : paths[start]!.score;
    const character = word.codePointAt(start)! > 0xffff ? 2 : 1;
    for (let end = start + character; end <= Math.min(word.length, start + longest); end++) {
      const score = scores.get(word.slice(start, end));
      if (score !== undefined) offer(end, { start, score: here + score, isKnown: true });
    }
    if (!scores.has(word.slice(start, start + character)))
      offer(start + character, { start, score: here + unknownScore, isKnown: false });
    start += character;
  }
  return paths;
}

/** A word boundary as SentencePiece writes it. */
export const METASPACE = "▁";

/**
 * Words of a text, each beginning with `replacement`: split at white space where asked (T5), and before every replacement.
 * @see tokenizers `WhitespaceSplit`, `Metaspace` with `prepend_scheme` always
 */
export function metaspaceWords(splitsAtSpace: boolean, replacement = METASPACE): (text: string) => string[] {
  // White_Space is what Rust's is_whitespace knows; JavaScript's \s differs at U+0085 and U+FEFF
  const parts = (text: string) =>
    splitsAtSpace ? text.split(/\p{White_Space}+/u).filter((part) => part !== "") : [text];
  return (text) =>
    parts(text).flatMap((part) => {
      const marked = part.replaceAll(" ", replacement);
      const whole = marked.startsWith(replacement) ? marked : replacement + marked;
      return whole.split(new RegExp(`(?=${replacement})`, "u")).filter((word) => word !== "");
    });
}
