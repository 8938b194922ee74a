// Tables by name, asked with a name from a file: what every object has (`constructor`) is no entry of theirs.

/** The entry of a table; undefined where it has none of its own. */
export function entryOf<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
