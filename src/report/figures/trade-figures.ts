// What was paid for what: score against neurons, latency, size and density, with the points that no other beats.

import * as Plot from "@observablehq/plot";
import { densityBy, headlineDefinition } from "../../density/index.ts";
import type { BenchReport } from "../../jobs/index.ts";
import type { RunRecord } from "../../runs/index.ts";
import { amountAxis, type Domain, decimalTicks, metricBounds, niceTicks, percentTicks } from "../axes.ts";
import {
  benchedScores,
  type CompressionReport,
  quantizedChange,
  scoredCandidates,
  statedChange,
} from "../candidates.ts";
import { definitionLabel, isShare, metricLabel, metricWord, points, significant } from "../format.ts";
import { type PointShape, seriesColor, seriesShape } from "../palette.ts";
import { draw, type Figure } from "./chart.ts";
import { paretoFront } from "./pareto.ts";

/** A point of a trade; `seen` was measured on the examples that the choice looked at. */
interface TradePoint {
  readonly x: number;
  readonly y: number;
  readonly color: string;
  readonly seen: boolean;
  /** Where colours repeat. */
  readonly shape?: PointShape;
  readonly label?: string;
  /** The label stands under the point. */
  readonly isBelow?: boolean;
}

interface TradeDrawing {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly x: Plot.ScaleOptions;
  /** The y axis with its ticks. */
  readonly y: (ticks: readonly number[]) => Plot.ScaleOptions;
  readonly points: readonly TradePoint[];
  readonly legend: readonly { readonly name: string; readonly color: string; readonly hollow?: boolean }[];
  /** A level to compare with. */
  readonly level?: number;
  /** What the y values can be. */
  readonly bounds?: Domain | null;
}

const GREY = seriesColor(7);

/** Points with the line of those that no other beats: up and to the left is better. Null with fewer than two. */
function tradeFigure({
  id,
  title,
  caption,
  x,
  y,
  points: given,
  legend,
  level,
  bounds = null,
}: TradeDrawing): Figure | null {
  const drawn = given.filter((of) => Number.isFinite(of.x) && Number.isFinite(of.y));
  if (drawn.length < 2) return null;
  const frontOf = (list: readonly TradePoint[]) =>
    paretoFront(list.map((of) => ({ cost: of.x, gain: of.y }))).map(({ cost, gain }) => ({ x: cost, y: gain }));
  // what the search saw and what it did not are different examples: a line for each
  const fronts = [true, false].flatMap((seen) => {
    const own = drawn.filter((of) => of.seen === seen);
    // one result and the dense model alone draw no curve
    return own.length < (seen ? 2 : 3) ? [] : [{ line: frontOf(own), opacity: seen ? 0.35 : 0.7 }];
  });
  const domain = withRoom([...drawn.map((of) => of.y), ...(level === undefined ? [] : [level])], bounds);
  const sketch = draw({
    label: title,
    legend,
    height: 330,
    x: { grid: true, ...x },
    y: { grid: true, domain, ...y(niceTicks(domain)) },
    marks: [
      ...(level === undefined ? [] : [Plot.ruleY([level], { stroke: "currentColor", strokeOpacity: 0.55 })]),
      ...fronts.map(({ line, opacity }) =>
        Plot.lineY(line, {
          x: "x",
          y: "y",
          curve: "step-after",
          stroke: GREY,
          strokeOpacity: opacity,
          strokeWidth: 1.5,
        }),
      ),
      Plot.dot(
        drawn.filter(({ seen }) => seen),
        { x: "x", y: "y", stroke: "color", strokeWidth: 1.4, strokeOpacity: 0.8, r: 3 },
      ),
      Plot.dot(
        drawn.filter(({ seen }) => !seen),
        { x: "x", y: "y", fill: "color", r: 5.5, symbol: ({ shape = "circle" }: TradePoint) => shape },
      ),
      ...labelMarks(drawn, x.domain as readonly number[] | undefined),
    ],
  });
  const hasFront = fronts.some(({ line }) => line.length > 1);
  return { id, title, caption: `${caption} ${hasFront ? FRONT : BETTER}`, ...sketch };
}

/** Where a label stands beside its point, by the point's place along the axis: at the side of a plot it goes towards the middle. */
const ANCHORS = { start: 0.15, middle: 0.85, end: Number.POSITIVE_INFINITY } as const;

function labelMarks(points: readonly TradePoint[], [least = 0, most = 1]: readonly number[] = []) {
  const anchors = Object.keys(ANCHORS) as (keyof typeof ANCHORS)[];
  const anchorOf = ({ x: at }: TradePoint) => {
    const place = (at - least) / (most - least || 1);
    return anchors.find((anchor) => place < ANCHORS[anchor])!;
  };
  return [false, true].flatMap((below) =>
    anchors.map((textAnchor) =>
      Plot.text(
        points.filter((of) => of.label !== undefined && (of.isBelow ?? false) === below && anchorOf(of) === textAnchor),
        { x: "x", y: "y", text: "label", dy: below ? 15 : -13, textAnchor, fill: "currentColor" },
      ),
    ),
  );
}

/** From the least to the most with some room around, as far as the quantity goes. */
function withRoom(values: readonly number[], bounds: Domain | null): [number, number] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = 0.08 * (most - least || Math.abs(most) || 1);
  const [lowest, highest] = bounds ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  return [Math.max(lowest, least - room), Math.min(highest, most + room)];
}

const SEEN =
  "Hollow: candidates, on the examples that the search looked at. Filled: the result, on examples that it did not.";
const FRONT = "The line is the Pareto front; up and to the left is better.";
const BETTER = "Up and to the left is better.";

/** A share on an axis, with room for the point at 0 and at 1. */
const shareAxis = (label: string, most = 1) => ({
  label,
  domain: [0, Math.max(1, most)],
  ...percentTicks([0, 0.25, 0.5, 0.75, 1]),
});

function changeAxis(metric: string) {
  const share = isShare(metric);
  return (ticks: readonly number[]) => {
    const digits = ticks.every((tick) => isTenth(100 * tick)) ? 1 : 2;
    return {
      label: `change in ${metricWord(metric)}${share ? ", points" : ""}`,
      ticks: [...ticks],
      tickFormat: (value: number) => (share ? points(value, digits) : significant(value, 2)),
    };
  };
}

const isTenth = (value: number) => Math.abs(10 * value - Math.round(10 * value)) < 1e-6;

function legendOf(list: readonly CompressionReport[]) {
  return list.length > 1
    ? list.map(({ name }, index) => ({ name, color: seriesColor(index), shape: seriesShape(index) }))
    : [
        { name: "candidate", color: seriesColor(0), hollow: true },
        { name: "result", color: seriesColor(0) },
      ];
}

const metricOf = (list: readonly CompressionReport[]) => list[0]?.record.metricName ?? "";

/** Change in score against the share of MLP neurons that is left: every candidate of every search, and the results. */
export function scoreByNeuronsFigure(list: readonly CompressionReport[]): Figure | null {
  const metric = metricOf(list);
  const given = list.flatMap(({ record }, index): TradePoint[] => {
    const color = seriesColor(index);
    const share = record.after.neurons / Math.max(1, sum(record.layers.map(({ of }) => of)));
    return [
      ...scoredCandidates(record).map((of) => ({ x: of.share, y: of.change, color, seen: true })),
      { x: share, y: statedChange(record), color, shape: seriesShape(index), seen: false },
    ];
  });
  return tradeFigure({
    id: "score-neurons",
    title: `${metricLabel(metric)} against neurons`,
    caption: `Change in ${metricWord(metric)} against the dense model, by share of MLP neurons kept. ${SEEN}`,
    x: shareAxis("MLP neurons kept"),
    y: changeAxis(metric),
    points: [...given, { x: 1, y: 0, color: GREY, seen: false, label: "dense" }],
    legend: legendOf(list),
    level: 0,
  });
}

/** Change in score against latency: searches under a latency budget, results, and what `deft bench` timed. */
export function scoreByLatencyFigure(list: readonly CompressionReport[], bench: BenchReport | null): Figure | null {
  const metric = metricOf(list);
  const searched = list.flatMap(({ record }, index): TradePoint[] => {
    const color = seriesColor(index);
    const latency = Number(record.chosen.latency ?? Number.NaN);
    return [
      ...scoredCandidates(record).map((of) => ({
        x: of.candidate.latency ?? Number.NaN,
        y: of.change,
        color,
        seen: true,
      })),
      ...(bench === null
        ? [{ x: latency, y: statedChange(record), color, shape: seriesShape(index), seen: false }]
        : []),
    ];
  });
  const batches = [...new Set(bench?.rows.map(({ batch }) => batch))];
  const timed = benchedScores(list, bench)
    .filter(({ name }) => name !== "dense")
    .map(({ name, row, latencyRatio, change }): TradePoint => {
      const color = seriesColor(list.findIndex((of) => of.name === name));
      // batch sizes lie side by side: every other label goes below
      const isBelow = batches.indexOf(row.batch) % 2 === 1;
      return { x: latencyRatio, y: change, color, seen: false, label: `${row.precision}, ${row.batch}`, isBelow };
    });
  const drawn = [...searched, ...timed].filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
  return tradeFigure({
    id: "score-latency",
    title: `${metricLabel(metric)} against latency`,
    caption:
      `Change in ${metricWord(metric)} against the dense model, by its share of the dense model’s time on this machine` +
      `${timed.length > 0 ? " (labels: weights, batch size)" : ", the larger of batch 1 and 32"}. ${SEEN}`,
    x: shareAxis("latency, of the dense model’s", Math.max(0, ...drawn.map(({ x }) => x))),
    y: changeAxis(metric),
    points: drawn.length === 0 ? [] : [...drawn, { x: 1, y: 0, color: GREY, seen: false, label: "dense" }],
    legend: legendOf(list),
    level: 0,
  });
}

/** Change in score against the size of the weights: float32, and in few bits where file and score are known. */
export function scoreBySizeFigure(list: readonly CompressionReport[], bench: BenchReport | null): Figure | null {
  const metric = metricOf(list);
  const MEBI = 2 ** 20;
  const sized = list.flatMap(({ name, record }, index): TradePoint[] => {
    const [color, shape] = [seriesColor(index), seriesShape(index)];
    const small = benchedScores(list, bench).find((of) => of.name === name && of.row.precision === record.quantization);
    const change = quantizedChange(record);
    return [
      { x: (4 * record.after.parameters) / MEBI, y: statedChange(record), color, shape, seen: false },
      ...(small === undefined || change === null
        ? []
        : [{ x: small.row.fileBytes / MEBI, y: change, color, shape, seen: false, label: record.quantization }]),
    ];
  });
  const dense = list.map(({ record }) => (4 * record.before.parameters) / MEBI);
  const first = dense[0] ?? Number.NaN;
  return tradeFigure({
    id: "score-size",
    title: `${metricLabel(metric)} against size`,
    caption: `Change in ${metricWord(metric)} on unseen examples, by size of the weights: float32 where nothing else is said.`,
    x: {
      label: "weights, MiB",
      ...amountAxis([1.02 * Math.max(0, ...dense)]),
    },
    y: changeAxis(metric),
    points: [...sized, { x: first, y: 0, color: GREY, seen: false, label: "dense" }],
    legend: list.length > 1 ? legendOf(list) : [],
    level: 0,
  });
}

/** Score against density of activations, a dot a run. Null with fewer than two runs. */
export function scoreByDensityFigure(
  runs: readonly { readonly name: string; readonly record: RunRecord; readonly index?: number }[],
): Figure | null {
  const metric = runs[0]?.record.metricName ?? "";
  const own = runs.flatMap(({ name, record: { result, metricName }, index: place }, at) => {
    const index = place ?? at;
    return result === null || metricName !== metric
      ? []
      : [{ name, result, color: seriesColor(index), shape: seriesShape(index) }];
  });
  if (own.length < 2) return null;
  const definition = headlineDefinition(...own.map(({ result }) => result.density));
  return tradeFigure({
    id: "score-density",
    title: `${metricLabel(metric)} against density`,
    caption: `${metricLabel(metric)} of each run on the evaluation split by share of activations with ${definitionLabel(definition)}.`,
    x: shareAxis(`density, ${definitionLabel(definition)}`),
    y: (ticks) => ({ label: metricWord(metric), ...(isShare(metric) ? percentTicks(ticks) : decimalTicks(ticks)) }),
    bounds: metricBounds(metric),
    points: own.map(({ result, color, shape }) => ({
      x: densityBy(result.density.encoder, definition),
      y: result.metrics[metric] ?? Number.NaN,
      color,
      shape,
      seen: false,
    })),
    legend: own,
  });
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
