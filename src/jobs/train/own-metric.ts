// A metric of one's own: a function that decides which evaluation of a run is the best.
import { ConfigError } from "../../errors.ts";
import { OWN_METRIC } from "../../runs/index.ts";
import type { Outcome } from "../../tasks/index.ts";

/** What a metric function is given: what was answered for each example of an evaluation, in the order of the data. */
export interface MetricInput {
  /** A class's name, a number, or what was written; several labels and labels of words are joined as in `predictions.jsonl`. */
  readonly predictions: readonly Outcome["prediction"][];
  /** What was right, in the same form; a question may have several answers. */
  readonly labels: readonly Outcome["target"][];
  /** What the model gives each prediction, in [0, 1]; null where the task has none. */
  readonly probabilities: readonly (number | null)[];
}

/** Larger is better; what is no finite number is never the best. */
export type MetricFunction = (input: MetricInput) => number | Promise<number>;

/** A metric function with its name in records, which begins with `custom_`. */
export interface OwnMetric {
  readonly name: string;
  readonly score: MetricFunction;
}

/** A function under the name that records have for it. @throws {ConfigError} when the name is none. */
export function ownMetric(name: string, score: MetricFunction): OwnMetric {
  if (/^[\w-]+$/.test(name)) return { name: `${OWN_METRIC}${name}`, score };
  const expected = "a name of letters, digits, _ and -";
  throw new ConfigError([{ path: "metricName", expected, got: JSON.stringify(name) }]);
}

/** The metric by its name, of an evaluation's answers; nothing without a metric. @throws {ConfigError} when it gives no number. */
export async function ownScore(
  metric: OwnMetric | null,
  outcomes: readonly Outcome[],
): Promise<Readonly<Record<string, number>>> {
  if (metric === null) return {};
  const value: unknown = await metric.score({
    predictions: outcomes.map(({ prediction }) => prediction),
    labels: outcomes.map(({ target }) => target),
    probabilities: outcomes.map(({ probability = null }) => probability),
  });
  if (typeof value === "number") return { [metric.name]: Number.isFinite(value) ? value : Number.NaN };
  const got = value === null ? "null" : `a value of type ${typeof value}`;
  throw new ConfigError([{ path: "metric", expected: "a function that gives a number", got }]);
}
