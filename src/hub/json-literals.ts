// How numbers were written in a JSON file: 1.0, 1e-06 and integers beyond 2^53 keep their literal when they are copied.

/** Number literals of one object or list by key, beside its values. */
type Literals = ReadonlyMap<string, string>;

/**
 * An enumerable symbol: `{ ...config, key }` and rest patterns carry it along with the values, while keys, entries and
 * `JSON.stringify` do not see it.
 */
const LITERALS = Symbol("number literals");

type Container = Record<string, unknown> & { [LITERALS]?: Literals };

interface Frame {
  /** Null where the text names a container twice and another value was taken. */
  readonly container: Container | null;
  readonly isList: boolean;
  key: string;
  index: number;
  literals: Map<string, string> | null;
}

/** A string, a number, a bracket, a comma or a colon; words and white space are passed over. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[[\]{},:]/g;

/**
 * Remembers, beside the values that `JSON.parse` made of `text`, each number literal that `JSON.stringify` would write in
 * another way. Gives the value itself.
 */
export function withLiterals<T>(text: string, value: T): T {
  const root: Frame = { container: { "0": value }, isList: true, key: "", index: 0, literals: null };
  const stack: Frame[] = [root];
  let expectsKey = false;
  for (const [token] of text.matchAll(TOKEN)) {
    const top = stack.at(-1)!;
    const first = token[0]!;
    if (first === "{" || first === "[") {
      const isList = first === "[";
      stack.push({ container: childOf(top, isList), isList, key: "", index: 0, literals: null });
      expectsKey = !isList;
    } else if (first === "}" || first === "]") {
      const { container, literals } = stack.pop()!;
      if (container !== null && literals !== null && literals.size > 0) container[LITERALS] = literals;
      expectsKey = false;
    } else if (first === ",") {
      top.index++;
      expectsKey = !top.isList;
    } else if (first === ":") expectsKey = false;
    else if (first === '"') {
      if (expectsKey) top.key = JSON.parse(token) as string;
    } else remember(top, token);
  }
  return value;
}

const keyIn = ({ isList, key, index }: Frame): string => (isList ? String(index) : key);

function childOf(frame: Frame, isList: boolean): Container | null {
  const { container } = frame;
  const child: unknown = container !== null && Object.hasOwn(container, keyIn(frame)) ? container[keyIn(frame)] : null;
  const fits = typeof child === "object" && child !== null && Array.isArray(child) === isList;
  return fits ? (child as Container) : null;
}

function remember(frame: Frame, literal: string): void {
  if (JSON.stringify(Number(literal)) === literal) frame.literals?.delete(keyIn(frame));
  else {
    frame.literals ??= new Map();
    frame.literals.set(keyIn(frame), literal);
  }
}

/** The literal that the number under `key` was read from; undefined where it has the usual form, or was set to another. */
export function literalOf(container: object, key: string, value: number): string | undefined {
  const literal = (container as Container)[LITERALS]?.get(key);
  return literal !== undefined && Object.is(Number(literal), value) ? literal : undefined;
}
