// Class names of data and class names of a model, matched by name and never by position.

/** How a label was understood: as a class's name, as the number in its name, or as its index. */
export type LabelReading = "name" | "number" | "index";

/** The class that a label names. */
export interface FoundClass {
  readonly index: number;
  readonly reading: LabelReading;
}

/** A label → the class it names; null where it names none, or more than one. */
export type ClassFinder = (label: string) => FoundClass | null;

/**
 * Finds classes by their names: as written, else in any case of letters and with spaces, underscores or hyphens between words; a
 * number names the class whose name is that number, or has it as its only number; where no name holds a number it is an index.
 */
export function classFinder(names: readonly string[]): ClassFinder {
  const exact = uniqueIndices(names);
  const plain = uniqueIndices(names.map(plainName));
  const values = uniqueIndices(names.map(numberOf));
  const inner = names.map(onlyNumber);
  const inners = inner.includes(null) ? new Map<number, number>() : uniqueIndices(inner as number[]);
  const byIndex = !names.some(holdsNumber);
  return (label) => {
    const named = exact.get(label) ?? plain.get(plainName(label));
    if (named !== undefined && named >= 0) return { index: named, reading: "name" };
    const number = numberOf(label);
    if (number === null) return null;
    const valued = values.get(number) ?? inners.get(number);
    if (valued !== undefined) return valued < 0 ? null : { index: valued, reading: "number" };
    const isIndex = byIndex && Number.isInteger(number) && number >= 0 && number < names.length;
    return isIndex ? { index: number, reading: "index" } : null;
  };
}

/** Whether the names say nothing but their index, as transformers makes them up: LABEL_0, LABEL_1, … */
export function arePlaceholders(names: readonly string[]): boolean {
  return names.every((name, index) => name.toUpperCase() === `LABEL_${index}`);
}

/** Whether each name is its own index, alone or behind the same word: "0", "class 0". */
function areIndices(names: readonly string[]): boolean {
  const words = names.map((name, index) => new RegExp(`^(.*?)${index}$`).exec(name)?.[1] ?? null);
  return words[0] !== null && !/\d/.test(words[0] ?? "") && words.every((word) => word === words[0]);
}

/**
 * For each label the class of `names` that it is, each class being one label's; null where names do not tell.
 *
 * Names that are placeholders leave the labels in their order. So do names that are bare indices where that order `isOfficial`: given
 * by the task or the data themselves, and not by sorting what was found.
 */
export function matchClasses(
  labels: readonly string[],
  names: readonly string[],
  { isOfficial }: { readonly isOfficial: boolean },
): readonly number[] | null {
  if (labels.length !== names.length) return null;
  const find = classFinder(names);
  const found = labels.map((label) => find(label)?.index ?? -1);
  if (!found.includes(-1) && new Set(found).size === names.length) return found;
  const isOrder = arePlaceholders(names) || (isOfficial && areIndices(names));
  return isOrder ? labels.map((_, index) => index) : null;
}

/**
 * What was read as a number in a class's name and would also do as its index, and differ, as a sentence; null where there is no doubt.
 *
 * @param found - every label of the data with the class it was found to be
 */
export function doubtfulReading(found: ReadonlyMap<string, FoundClass>, names: readonly string[]): string | null {
  const numbers = [...found].map(([label, { index }]) => ({ label, index, number: numberOf(label) }));
  const mayBeIndex = ({ number }: { readonly number: number | null }) =>
    number !== null && Number.isInteger(number) && number >= 0 && number < names.length;
  if (numbers.length === 0 || !numbers.every(mayBeIndex)) return null;
  const differing = numbers.find(({ index, number }) => index !== number);
  if (differing === undefined) return null;
  const shown = numbers.map(({ label }) => label).sort((a, b) => Number(a) - Number(b));
  return (
    `the labels ${shown.join(", ")} are taken as the numbers in the classes' names ` +
    `(${differing.label} is ${JSON.stringify(names[differing.index])}), not as indices from 0`
  );
}

/** The number a text is; null where it is none. */
export function numberOf(text: string): number | null {
  return /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : null;
}

/** The number in a name that has exactly one: "5 stars", "LABEL_2"; a sign counts at the start and behind a space. */
function onlyNumber(name: string): number | null {
  const found = [...name.matchAll(/(?:(?<=^|\s)[+-])?\d+(?:\.\d+)?/g)];
  return found.length === 1 ? Number(found[0]![0]) : null;
}

function holdsNumber(name: string): boolean {
  return /\d/.test(name);
}

/** A name without what writers differ in: case, and what stands between words. */
function plainName(name: string): string {
  return name
    .normalize("NFC")
    .trim()
    .toLowerCase()
    .replace(/(?<=[\p{L}\p{N}])[\s_-]+(?=[\p{L}\p{N}])/gu, " ");
}

/** Value → its index; −1 for one that stands at several. */
function uniqueIndices<T>(values: readonly T[]): Map<NonNullable<T>, number> {
  const indices = new Map<NonNullable<T>, number>();
  for (const [index, value] of values.entries())
    if (value !== null && value !== undefined) indices.set(value, indices.has(value) ? -1 : index);
  return indices;
}
