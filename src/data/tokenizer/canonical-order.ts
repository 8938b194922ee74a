// Canonical order of combining marks, in time that grows with their number: the engine's own takes the square of it.

/** One mark of every combining class, from the lowest to the highest. @see Unicode Standard Annex 44, table 15 */
const CLASSES: readonly string[] = Array.from(
  "\u0334\u{16ff0}\u093c\u3099\u094d\u05b0\u05b1\u05b2\u05b3\u05b4\u05b5\u05b6\u05b7\u05b8\u05b9\u05bb\u05bc\u05bd\u05bf\u05c1\u05c2" +
    "\ufb1e\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0670\u0711\u0c55\u0c56\u0e38\u0e48\u0eb8\u0ec8\u0f71\u0f72\u0f74" +
    "\u0321\u1dce\u031b\u302a\u0323\u059a\u302e\u{1d16d}\u05ae\u0301\u0315\u035c\u035d\u0345",
);
const known = new Map<string, number>();

/** The place of a decomposed character's combining class among all classes, from 1; 0 where it has none. */
export function classOf(char: string): number {
  let place = known.get(char);
  if (place === undefined) {
    place = placeOf(char);
    if (known.size < 5000) known.set(char, place);
  }
  return place;
}

/** Whether the engine puts `second` before `first`: it does where both are marks and the second one's class is lower. */
const exchanges = (first: string, second: string): boolean =>
  `${first}${second}`.normalize("NFD") !== `${first}${second}`;

function placeOf(char: string): number {
  const highest = CLASSES.at(-1)!;
  if (!exchanges(highest, char)) return exchanges(char, CLASSES[0]!) ? CLASSES.length : 0;
  let [low, high] = [0, CLASSES.length - 1];
  // the first class that is not below the character's
  while (low < high) {
    const middle = (low + high) >> 1;
    if (exchanges(char, CLASSES[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low + 1;
}

/**
 * Decomposed characters in canonical order: marks behind one another by their class, those of one class as they stood.
 * @param charOf - The character of one of `items`.
 */
export function inCanonicalOrder<T>(items: readonly T[], charOf: (item: T) => string): T[] {
  const out: T[] = [];
  let marks: (T[] | undefined)[] = [];
  const flush = () => {
    for (const some of marks) for (const item of some ?? []) out.push(item);
    marks = [];
  };
  for (const item of items) {
    const place = classOf(charOf(item));
    if (place > 0) (marks[place] ??= []).push(item);
    else {
      if (marks.length > 0) flush();
      out.push(item);
    }
  }
  flush();
  return out;
}
