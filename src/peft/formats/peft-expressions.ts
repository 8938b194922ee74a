// Regular expressions of a peft configuration, which are matched with names of layers: what they may be, and what they may take.
import { regexFind, StepBudget } from "../../data/expressions/index.ts";
import { shownValue, UnsupportedError } from "../../errors.ts";

/** Whether a name is what an expression says. */
export type IsMatch = (name: string) => boolean;

/** Most regular expressions of one field. */
export const MOST_EXPRESSIONS = 100;
/** Most steps of one, with its counts written out. */
const MOST_STEPS = 5000;

/** Whether an expression holds nothing but characters of names, and the dot between them, which stands for any. */
export function isPlainName(expression: string): boolean {
  return /^[\w.-]*$/.test(expression);
}

/** Why an expression is none, or not built (back-references); null when it is one. */
export function expressionFault(expression: string): string | null {
  if (isPlainName(expression)) return null;
  try {
    regexFind(expression, { named: shownValue(expression), mostSteps: MOST_STEPS });
    return null;
  } catch (error) {
    if (error instanceof UnsupportedError) return error.what;
    throw error;
  }
}

/**
 * Matches names with expressions as Python's `re.fullmatch` does, in time linear in their length: all expressions that one matcher makes
 * have steps together, by the length of all names.
 */
export class NameMatcher {
  readonly #budget: StepBudget;

  /** @param names - Those that will be matched. */
  constructor(names: Iterable<string>) {
    let length = 0;
    for (const name of names) length += name.length;
    this.#budget = new StepBudget(UNITS * length);
  }

  /**
   * An expression for whole names.
   * @param field - Of the configuration, for errors.
   * @throws {UnsupportedError} when it is none; what is returned throws it when it takes too long.
   */
  whole(field: string, expression: string): IsMatch {
    return this.#match(field, expression, `\\A(?:${expression})\\z`);
  }

  /** An expression for the end of names, from behind a dot. Errors as `whole`. */
  end(field: string, expression: string): IsMatch {
    if (isPlainName(expression)) return (name) => standsAt(name, expression, name.length - expression.length);
    return this.#match(field, expression, `\\A(?:.*\\.)?(?:${expression})\\z`);
  }

  /** An expression for parts of names between dots. Errors as `whole`. */
  within(field: string, expression: string): IsMatch {
    if (isPlainName(expression)) return (name) => partStarts(name).some((from) => standsAt(name, expression, from));
    return this.#match(field, expression, `\\A(?:.*\\.)?(?:${expression})(?:\\..*)?\\z`);
  }

  #match(field: string, expression: string, source: string): IsMatch {
    const named = `${field} of adapter_config.json, ${shownValue(expression)}`;
    const find = regexFind(source, { named, mostSteps: MOST_STEPS });
    return (name) => find(name, 0, this.#budget) !== null;
  }
}

/** An expression that people write takes about ten steps for a character, and has a few more beside it. */
const UNITS = 2;

/** Whether a plain name stands in a name from a place on, between dots or its ends; a dot of the plain one stands for any character. */
function standsAt(name: string, plain: string, from: number): boolean {
  const to = from + plain.length;
  if (from < 0 || (from > 0 && name[from - 1] !== ".") || (to < name.length && name[to] !== ".")) return false;
  for (let i = 0; i < plain.length; i++) if (plain[i] !== "." && plain[i] !== name[from + i]) return false;
  return to <= name.length;
}

/** Where the parts of a name between dots begin. */
function partStarts(name: string): number[] {
  return [0, ...Array.from(name.matchAll(/\./g), ({ index }) => index + 1)];
}
