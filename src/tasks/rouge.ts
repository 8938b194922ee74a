// ROUGE-1, ROUGE-2 and ROUGE-L as F measures, equal to Google's rouge_score without stemming.
// Source: github.com/google-research/google-research/tree/master/rouge (rouge_scorer.py, tokenize.py).

/** F measures in [0, 1]. */
export interface Rouge {
  readonly rouge1: number;
  readonly rouge2: number;
  readonly rougeL: number;
}

/** The words ROUGE compares: runs of ASCII letters and digits, in lower case. */
export function rougeWords(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

/** Shared single words, shared pairs of neighbours, and the longest common subsequence of a text and its target. */
export function rouge(prediction: string, target: string): Rouge {
  const given = rougeWords(prediction);
  const right = rougeWords(target);
  return {
    rouge1: sharedPieces(given, right, 1),
    rouge2: sharedPieces(given, right, 2),
    rougeL: fMeasure(longestCommon(given, right), given.length, right.length),
  };
}

function sharedPieces(given: readonly string[], right: readonly string[], size: number): number {
  const count = (words: readonly string[]) => {
    const counts = new Map<string, number>();
    for (let i = 0; i + size <= words.length; i++) {
      const piece = words.slice(i, i + size).join(" ");
      counts.set(piece, (counts.get(piece) ?? 0) + 1);
    }
    return counts;
  };
  const [ours, theirs] = [count(given), count(right)];
  let shared = 0;
  for (const [piece, times] of theirs) shared += Math.min(times, ours.get(piece) ?? 0);
  const pieces = (words: readonly string[]) => Math.max(words.length - size + 1, 0);
  return fMeasure(shared, pieces(given), pieces(right));
}

/** Harmonic mean of precision and recall; a text without pieces shares none. */
function fMeasure(shared: number, given: number, right: number): number {
  const precision = shared / Math.max(given, 1);
  const recall = shared / Math.max(right, 1);
  return precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
}

/** Length of the longest common subsequence, in one row of memory. */
function longestCommon(a: readonly string[], b: readonly string[]): number {
  const row = new Uint32Array(b.length + 1);
  for (const word of a) {
    let diagonal = 0;
    for (let j = 1; j <= b.length; j++) {
      const above = row[j]!;
      row[j] = word === b[j - 1] ? diagonal + 1 : Math.max(above, row[j - 1]!);
      diagonal = above;
    }
  }
  return row[b.length]!;
}
