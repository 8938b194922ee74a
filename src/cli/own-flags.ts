// Flags that are a command's own, checked together with those it shares, so that every mistake is told at once.
import { ConfigError, type ConfigIssue } from "../errors.ts";

/**
 * The results of `parts`, each of which may throw its own mistakes.
 * @throws {ConfigError} with `issues` and the mistakes of every part.
 */
export function collected<T extends Readonly<Record<string, unknown>>>(
  issues: readonly ConfigIssue[],
  parts: { readonly [K in keyof T]: () => T[K] },
): T {
  const all = [...issues];
  const hints: string[] = [];
  const results: Partial<T> = {};
  for (const name of Object.keys(parts) as (keyof T)[]) {
    try {
      results[name] = parts[name]();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      all.push(...error.issues);
      if (error.hint !== undefined) hints.push(error.hint);
    }
  }
  if (all.length > 0) throw new ConfigError(all, hints.length > 0 ? { hint: hints.join("\n") } : {});
  return results as T;
}
