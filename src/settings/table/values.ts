// Values of settings that are more than a word or a number: the density weight, ε, class names and class weights.
import { parseBoundedJson } from "../../tensor/index.ts";

/** A range that is annealed; fixed where both ends are equal. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Weights of the loss by class: `balanced`, or a number above 0 for each class name. */
export type ClassWeights = "balanced" | Readonly<Record<string, number>>;

/** A number ≥ 0, or `auto`. */
export function parseWeight(value: unknown): number | "auto" | undefined {
  if (value === "auto" || (typeof value === "number" && value >= 0 && Number.isFinite(value))) return value;
  return undefined;
}

/** `1e-3`, `"1e-2:1e-4"` (annealed from, to) or `{ from, to }`. */
export function parseRange(value: unknown): Range | undefined {
  const parts =
    typeof value === "number"
      ? [value, value]
      : typeof value === "string"
        ? value.split(":").map((part) => (part.trim() === "" ? Number.NaN : Number(part)))
        : isRange(value)
          ? [value.from, value.to]
          : [];
  const [from, to = from] = parts;
  const isPair = parts.length <= 2 && from !== undefined && to !== undefined;
  return isPair && from > 0 && to > 0 && Number.isFinite(from + to) ? { from, to } : undefined;
}

function isRange(value: unknown): value is Range {
  const range = value as { from?: unknown; to?: unknown } | null;
  return typeof range === "object" && typeof range?.from === "number" && typeof range.to === "number";
}

/** Names without repetition, as a list, as a JSON list or joined by commas; whole numbers are taken as their digits. */
export function parseNames(value: unknown): readonly string[] | undefined {
  const list = typeof value === "string" ? namesIn(value) : value;
  if (!Array.isArray(list) || list.length === 0) return undefined;
  const names = list.map((name: unknown) =>
    typeof name === "number" || typeof name === "boolean" ? String(name) : name,
  );
  const areNames = names.every((name): name is string => typeof name === "string" && name.trim() !== "");
  return areNames && new Set(names).size === names.length ? names : undefined;
}

function namesIn(written: string): unknown {
  if (written.trimStart().startsWith("[")) return jsonOf(written);
  return written.split(",").map((name) => name.trim());
}

/** `balanced`, `{ name: number }` as an object or as JSON, or `name=number,name=number`. */
export function parseClassWeights(value: unknown): ClassWeights | undefined {
  if (value === "balanced") return value;
  const given = typeof value === "string" ? weightsIn(value) : value;
  if (typeof given !== "object" || given === null || Array.isArray(given)) return undefined;
  const entries = Object.entries(given);
  const areWeights = entries.every(([name, weight]) => name.trim() !== "" && isPositive(weight));
  return entries.length > 0 && areWeights ? (Object.fromEntries(entries) as Record<string, number>) : undefined;
}

const isPositive = (value: unknown) => typeof value === "number" && value > 0 && Number.isFinite(value);

function weightsIn(written: string): unknown {
  if (written.trimStart().startsWith("{")) return jsonOf(written);
  // a name may hold an equals sign; its weight stands behind the last one
  const pairs = written.split(",").map((pair) => /^(.*)=([^=]*)$/s.exec(pair));
  if (pairs.some((pair) => pair === null || pair[2]!.trim() === "")) return undefined;
  const names = pairs.map((pair) => pair![1]!.trim());
  if (new Set(names).size < names.length) return undefined;
  return Object.fromEntries(pairs.map((pair, i) => [names[i]!, Number(pair![2])]));
}

function jsonOf(written: string): unknown {
  try {
    return parseBoundedJson(written);
  } catch {
    return undefined;
  }
}

/** A metric's name as metrics are spelled: `macro-f1` is `f1_macro`. */
export function parseMetric(value: unknown): string | undefined {
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const name = value.trim().replaceAll("-", "_");
  const average = /^(macro|micro)_f1$/.exec(name)?.[1];
  return average === undefined ? name : `f1_${average}`;
}

/** Split names with an underscore or a hyphen: `dev-matched` is `dev_matched`. */
export function parseSplit(value: unknown): string | undefined {
  if (typeof value !== "string" || value === "") return undefined;
  return value.replace(/^(dev|test)-((?:mis)?matched)$/, "$1_$2");
}

/** Some text that is not all spaces. */
export function parseSaid(value: unknown): string | undefined {
  return typeof value === "string" && /\S/.test(value) ? value : undefined;
}
