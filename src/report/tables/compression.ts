// A compression as people read it: sizes, score before and after, the budget and what it was measured on.
import type { DensityReport, LayerDensity } from "../../density/index.ts";
import { densityBy, headlineDefinition } from "../../density/index.ts";
import type { CompressEvent } from "../../jobs/index.ts";
import type { ActivationDensity, Compression } from "../../runs/index.ts";
import { type CompressionReport, layerNames, measuredImportance, scoredCandidates } from "../candidates.ts";
import { ranksOf } from "../figures/pareto.ts";
import {
  bytes,
  count,
  decimal,
  definitionLabel,
  metricLabel,
  percent,
  score,
  scoreChange,
  significant,
} from "../format.ts";
import { teacherLine } from "../progress.ts";
import type { TextTable } from "./table.ts";

/** Before and after, side by side. */
export function compressionTable({ before, after, metricName, layers }: Compression): TextTable {
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
  const { exactness, stated, calibration, logitsDifference, budget, layers, quantized, metricName, beside, decoding } =
    compression;
  const { activation } = compression;
  const names = layerNames(layers);
  const kept = layers
    .map(({ kept: left, of }, layer) => {
      const opensStack = layer > 0 && names[layer]!.endsWith(".0");
      return `${opensStack ? "/ " : ""}${left === of && of > 0 ? "all" : left}`;
    })
    .join(" ");
  return [
    `Kept by layer: ${kept}`,
    `Scores: ${count(stated.examples)} examples of ${stated.split} that no choice has seen. Statistics: ${count(calibration.examples)} examples of ${calibration.split}.`,
    exactness === "exact"
      ? `Exact: the same function; largest difference of a logit ${logitsDifference.toExponential(1)}.`
      : `Calibrated: logits differ by up to ${logitsDifference.toPrecision(2)}.`,
    ...(activation === undefined ? [] : [activationSentence(activation)]),
    ...(quantized === undefined
      ? []
      : [`In ${compression.quantization}: ${metricLabel(metricName)} ${score(metricName, quantized[metricName]!)}.`]),
    ...(beside === undefined ? [] : [`Beside it, in adapter/: ${beside}, which cannot be merged.`]),
    ...(decoding === undefined ? [] : [decodingSentence(decoding)]),
    ...(budget === null ? [] : [budgetSentence(budget)]),
    ...partsSentence(compression),
  ];
}

function activationSentence({ before, after }: NonNullable<Compression["activation"]>): string {
  return `Activation ${after.name} in place of ${before.name}: ${nonZeroShare(after)} of the activations are not zero, ${nonZeroShare(before)} before.`;
}

function nonZeroShare({ density: { encoder, decoder } }: ActivationDensity): string {
  return decoder === undefined ? percent(encoder) : `${percent(encoder)} (encoder) and ${percent(decoder)} (decoder)`;
}

function decodingSentence(decoding: NonNullable<Compression["decoding"]>): string {
  const { exactness, gathered, predicted = 0, of, lost, keepActive } = decoding;
  if (gathered === 0)
    return `Decoding: none of ${of} MLPs gains by reading the rows of active neurons on this machine.`;
  const read = `Decoding: ${gathered} of ${of} MLPs read the rows of active neurons`;
  if (exactness === "exact") return `${read}, with the same outputs.`;
  const how = [
    ...(predicted === 0 ? [] : [`in ${predicted} of all matrices, by predictions`]),
    ...(keepActive === null ? [] : [`at thresholds that leave at most ${percent(keepActive)} active`]),
  ];
  return `${read}, ${how.join(", ")}; this may cost ${(100 * lost).toFixed(2)} points, one standard error included.`;
}

/** What a latency is made of, for models that write. */
function partsSentence({ chosen, candidates, layers }: Compression): string[] {
  const taken = candidates.find(({ sizes }) => sizes.every((size, layer) => size === layers[layer]!.kept));
  if (chosen.latency === undefined || taken?.latencyParts === undefined) return [];
  const { reading, token } = taken.latencyParts;
  return [
    `Reading a text ${reading.toFixed(2)}x, writing a token ${token.toFixed(2)}x; texts of ${String(chosen.textTokens)} tokens.`,
  ];
}

function budgetSentence({ kind, asked, reached, met, interval }: NonNullable<Compression["budget"]>): string {
  if (kind === "latency")
    return `Latency budget ${asked}x: ${reached.toFixed(2)}x on texts the search did not time, ${met ? "met" : `missed by ${(reached - asked).toFixed(2)}x`}.`;
  const points = (value: number) => (100 * value).toFixed(2);
  const range = interval === undefined ? "" : ` (95 %: ${points(interval.low)} to ${points(interval.high)})`;
  const change = `${points(reached)} points${range} lost on examples the search did not see`;
  const missed = `missed by ${points(reached - asked)}${interval && interval.low <= asked ? ", which these few examples cannot tell from met" : ""}`;
  return `Score budget ${points(asked)} points: ${change}, ${met ? "met" : missed}.`;
}

/** One line of a compression's progress. */
export function compressionLine(event: CompressEvent): string {
  if (event.type === "stage") return `${event.stage}: ${event.text}`;
  if (event.type === "teacher") return `recover: ${teacherLine(event)}`;
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

/** Compressed models side by side, a line each, for the terminal and the page. */
export function compressionsTable(list: readonly CompressionReport[]): TextTable {
  const metric = list[0]?.record.metricName ?? "";
  const hasSwaps = list.some(({ record }) => record.activation !== undefined);
  return {
    head: [
      "model",
      "kind",
      `${metricLabel(metric)} before`,
      "after",
      "change",
      "neurons",
      "MLPs",
      "parameters",
      "latency",
      ...(hasSwaps ? ["activations not zero"] : []),
    ],
    align: ["left", "left"],
    rows: list.map(({ name, record: { before, after, layers, exactness, chosen, metricName, activation } }) => [
      name,
      exactness,
      score(metricName, before.metrics[metricName] ?? Number.NaN),
      score(metricName, after.metrics[metricName] ?? Number.NaN),
      scoreChange(metricName, (after.metrics[metricName] ?? Number.NaN) - (before.metrics[metricName] ?? Number.NaN)),
      percent(after.neurons / Math.max(1, before.neurons)),
      `${after.mlps} of ${layers.length}`,
      percent(after.parameters / before.parameters),
      typeof chosen.latency === "number" ? `${decimal(chosen.latency, 2)}x` : "–",
      ...(hasSwaps ? [activation === undefined ? "–" : nonZeroShare(activation.after)] : []),
    ]),
  };
}

/** Before and after in each layer, with what is known of it: density of the run, gate, measured importance. */
export function compressedLayersTable({ record, gates }: CompressionReport, density: DensityReport | null): TextTable {
  const importance = measuredImportance(record);
  const own = gates !== null && gates.length === record.layers.length ? gates : null;
  const rankOf = (values: readonly number[], layer: number) => String(ranksOf(values)[layer]);
  const columns: { readonly head: string; readonly cell: (layer: number) => string }[] = [
    { head: "neurons", cell: (layer) => count(record.layers[layer]!.of) },
    { head: "kept", cell: (layer) => count(record.layers[layer]!.kept) },
    { head: "share", cell: (layer) => percent(record.layers[layer]!.kept / Math.max(1, record.layers[layer]!.of), 0) },
  ];
  if (density !== null) {
    const of = (layer: number) => density.layers.find(({ site }) => site === record.layers[layer]!.site);
    const cell = (layer: number, text: (of: LayerDensity) => string) => {
      const found = of(layer);
      return found === undefined ? "–" : text(found);
    };
    const definition = headlineDefinition(density);
    columns.push(
      {
        head: `density ${definitionLabel(definition)}`,
        cell: (l) => cell(l, (d) => percent(densityBy(d, definition))),
      },
      { head: "dead", cell: (l) => cell(l, (d) => count(d.deadNeurons)) },
    );
  }
  if (own !== null)
    columns.push(
      { head: "gate", cell: (layer) => decimal(own[layer]!, 3) },
      { head: "rank", cell: (layer) => rankOf(own, layer) },
    );
  if (importance !== null)
    columns.push(
      { head: "missed by", cell: (layer) => significant(importance[layer]!, 2) },
      { head: "rank", cell: (layer) => rankOf(importance, layer) },
    );
  return {
    head: ["layer", ...columns.map(({ head }) => head)],
    rows: layerNames(record.layers).map((name, layer) => [name, ...columns.map(({ cell }) => cell(layer))]),
  };
}

/** Every candidate of a search, the largest first; the one that was taken has a mark. */
export function candidatesTable(record: Compression): TextTable {
  const { metricName } = record;
  return {
    head: ["", "neurons", "kept by layer", "divergence", metricLabel(metricName), "change", "may be lost", "latency"],
    align: ["left", "right", "left"],
    rows: scoredCandidates(record).map(
      ({ candidate: { sizes, divergence, score: value, lost, latency }, share, change, isChosen }) => [
        isChosen ? "taken" : "",
        percent(share),
        sizes.join(" "),
        divergence === undefined ? "–" : significant(divergence, 2),
        value === undefined ? "–" : score(metricName, value),
        value === undefined ? "–" : scoreChange(metricName, change),
        lost === undefined ? "–" : scoreChange(metricName, lost),
        latency === undefined ? "–" : `${decimal(latency, 2)}x`,
      ],
    ),
  };
}
