// Flags that are a command's own, checked together with those it shares, so that every mistake is told at once.
import { ConfigError, type ConfigIssue, nearest } from "../errors.ts";
import type { OnnxExportOptions } from "../jobs/index.ts";
import { DEPLOYED_FORMS, type WeightForm, weightForm } from "../settings/index.ts";

type Precision = NonNullable<OnnxExportOptions["precisions"]>[number];

/** The mistake of a word for a form of weights that a command does not take. */
export function weightFormIssue(flag: string, word: unknown, taken: readonly WeightForm[]): ConfigIssue {
  const near = typeof word === "string" ? nearest(word, taken) : undefined;
  const issue = { path: `--${flag}`, expected: `one of ${taken.join(", ")}`, got: JSON.stringify(word) };
  return near === undefined ? issue : { ...issue, didYouMean: near };
}

/** The form of an ONNX file's weights by its word; undefined for every other word. */
export function onnxPrecision(word: unknown): Precision | undefined {
  const form = weightForm(word, DEPLOYED_FORMS);
  return form === "none" ? "fp32" : form === "int4" ? "q4" : form;
}

/** Words of `--precision`, joined by commas, as forms of ONNX files, and the mistake of those that are none. */
export function onnxPrecisions(list: string): {
  readonly precisions: readonly Precision[];
  readonly issues: ConfigIssue[];
} {
  const words = list.split(",").map((word) => word.trim());
  const unknown = words.filter((word) => onnxPrecision(word) === undefined);
  const expected = "some of fp32, int8, int4, qdq";
  return {
    precisions: words.flatMap((word) => onnxPrecision(word) ?? []),
    issues: unknown.length === 0 ? [] : [{ path: "--precision", expected, got: unknown.join(", ") }],
  };
}

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
