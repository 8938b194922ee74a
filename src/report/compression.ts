// A compression as people read it: sizes, score before and after, the budget and what it was measured on.
import type { CompressEvent, Compression } from "../workflow/index.ts";
import { bytes, count, metricLabel, percent, score } from "./format.ts";
import type { Table } from "./table.ts";

/** Before and after, side by side. */
export function compressionTable({ before, after, metricName, layers }: Compression): Table {
  const neurons = layers.reduce((sum, { of }) => sum + of, 0);
  return {
    head: ["", "before", "after"],
    rows: [
      [
        metricLabel(metricName),
        score(metricName, before.metrics[metricName]!),
        score(metricName, after.metrics[metricName]!),
      ],
      [
        "MLP neurons",
        count(before.neurons),
        `${count(after.neurons)} (${percent(after.neurons / Math.max(1, neurons))})`,
      ],
      ["layers with an MLP", count(before.mlps), count(after.mlps)],
      ["parameters", count(before.parameters), count(after.parameters)],
      ["float32 weights", bytes(4 * before.parameters), bytes(4 * after.parameters)],
    ],
  };
}

/** What a reader must know to judge the table. */
export function compressionNotes(compression: Compression): string[] {
  const { exactness, stated, calibration, logitsDifference, budget, layers, quantized, metricName } = compression;
  const kept = layers.map(({ kept: left, of }) => (left === of ? "all" : String(left))).join(" ");
  return [
    `Kept by layer: ${kept}`,
    `Scores: ${count(stated.examples)} examples of ${stated.split} that no choice has seen. Statistics: ${count(calibration.examples)} examples of ${calibration.split}.`,
    exactness === "exact"
      ? `Exact: the same function; largest difference of a logit ${logitsDifference.toExponential(1)}.`
      : `Calibrated: logits differ by up to ${logitsDifference.toPrecision(2)}.`,
    ...(quantized === undefined
      ? []
      : [`In ${compression.quantization}: ${metricLabel(metricName)} ${score(metricName, quantized[metricName]!)}.`]),
    ...(budget === null ? [] : [budgetSentence(budget)]),
  ];
}

function budgetSentence({ kind, asked, reached, met }: NonNullable<Compression["budget"]>): string {
  if (kind === "latency")
    return `Latency budget ${asked}x: ${reached.toFixed(2)}x ${met ? "measured, met" : `measured, missed by ${(reached - asked).toFixed(2)}x`}.`;
  const points = (value: number) => (100 * value).toFixed(2);
  const change = `${points(reached)} points lost on examples the search did not see`;
  return `Score budget ${points(asked)} points: ${change}, ${met ? "met" : `missed by ${points(reached - asked)}`}.`;
}

/** One line of a compression's progress. */
export function compressionLine(event: CompressEvent): string {
  if (event.type === "stage") return `${event.stage}: ${event.text}`;
  if (event.type === "recovery")
    return `recover: step ${event.step}/${event.totalSteps}, loss ${event.loss.toFixed(4)}`;
  const { phase, sizes, measured, divergence, latency, done, total } = event;
  const facts = [
    ...(divergence === null ? [] : [`divergence ${divergence.toPrecision(2)}`]),
    ...(measured === null ? [] : [`score ${measured.score.toFixed(4)}`]),
    ...(latency === null ? [] : [`latency ${latency.toFixed(2)}x`]),
  ];
  return `search (${phase}) ${done}/${Math.max(done, total)}: ${sizes.join(" ")}  ${facts.join(", ")}`;
}
