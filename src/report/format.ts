// Units for people: the only place where a fraction becomes a percentage.
import { OWN_METRIC } from "../runs/index.ts";

const MINUS = "−";

/** A number with a fixed count of decimals and a true minus sign; `–` when it is not finite. */
export function decimal(value: number, digits = 2): string {
  if (!Number.isFinite(value)) return "–";
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

/** A fraction ×100 with `%`. */
export function percent(fraction: number, digits = 1): string {
  return Number.isFinite(fraction) ? `${decimal(fraction * 100, digits)} %` : "–";
}

/** A change in fraction ×100 with its sign and `%`. */
export function signedPercent(fraction: number, digits = 1): string {
  return sign(fraction * 100, digits) + percent(fraction, digits);
}

/** A change in a fraction, in percentage points with its sign. */
export function points(change: number, digits = 1): string {
  return Number.isFinite(change) ? `${sign(change * 100, digits)}${decimal(change * 100, digits)}` : "–";
}

function sign(value: number, digits: number): string {
  return value > 0 && Number(value.toFixed(digits)) !== 0 ? "+" : "";
}

/** A positive number to `digits` significant places, in powers of ten when small: `3e-4`, `0.412`. */
export function significant(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e7) {
    return value
      .toExponential(digits - 1)
      .replace(/\.?0+e/, "e")
      .replace("e+", "e")
      .replace(/^-/, MINUS);
  }
  return decimal(value, Math.max(0, digits - 1 - Math.floor(Math.log10(size))));
}

/** A whole number in groups of three: `1,234,567`. */
export function count(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en-US") : "–";
}

/** Bytes in binary units: `1.4 GiB`. */
export function bytes(sizeBytes: number): string {
  if (!Number.isFinite(sizeBytes)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, sizeBytes < 1 ? 0 : Math.floor(Math.log2(sizeBytes) / 10));
  const value = sizeBytes / 1024 ** power;
  return `${decimal(value, power === 0 || value >= 100 ? 0 : 1)} ${units[power]}`;
}

/** A span of time: `850 ms`, `12.3 s`, `4:05`, `1:02:03`. */
export function duration(durationMs: number): string {
  if (!Number.isFinite(durationMs)) return "–";
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 59_950) return `${decimal(durationMs / 1000, 1)} s`;
  return clock(durationMs);
}

/** Minutes and seconds, hours when there are any: `0:07`, `1:02:03`. */
export function clock(durationMs: number): string {
  if (!Number.isFinite(durationMs)) return "–:––";
  const seconds = Math.max(0, Math.round(durationMs / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

// correlations are not shares of anything: they stay as they are
const CORRELATIONS = new Set(["matthews", "pearson", "spearman"]);

/** Whether a metric is a fraction that people read ×100. */
export function isShare(metric: string): boolean {
  const name = metric.toLowerCase();
  return (
    ![...CORRELATIONS].some((correlation) => name.includes(correlation)) &&
    !/loss|error|mse|mae|threshold/.test(name) &&
    !name.startsWith(OWN_METRIC)
  );
}

/** A metric's value as people read it: accuracy and F1 in %, correlations as they are. */
export function score(metric: string, value: number): string {
  return isShare(metric) ? percent(value, 2) : decimal(value, 4);
}

/** A change of a metric: points for shares (×100), else the plain difference. */
export function scoreChange(metric: string, change: number): string {
  if (isShare(metric)) return points(change, 2);
  return Number.isFinite(change) ? sign(change, 4) + decimal(change, 4) : "–";
}

/** A metric's name as a heading: `f1` → `F1`, `matthews_correlation` → `Matthews correlation`. */
export function metricLabel(metric: string): string {
  if (metric === "spearmanr") return "Spearman";
  if (metric.startsWith("rouge")) return metric.replace("rouge", "ROUGE-");
  const words = metric
    .replace(/[_-]/g, " ")
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .replace(/\bf1\b/, "F1");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A metric's name inside a sentence: `accuracy`, but `Matthews correlation` and `F1`. */
export function metricWord(metric: string): string {
  return metric === "accuracy" || /loss/.test(metric) ? metricLabel(metric).toLowerCase() : metricLabel(metric);
}

/** A definition of density in words: `non-zero`, `|a| > 0.01`. */
export function definitionLabel(definition: string): string {
  if (definition === "paper") return "non-zero, with padding";
  if (definition === "exact") return "non-zero";
  return `|a| > ${definition}`;
}
