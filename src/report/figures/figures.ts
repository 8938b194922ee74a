// The figures of a report, each from records alone.

import * as Plot from "@observablehq/plot";
import {
  type Density,
  type DensityReport,
  densityBy,
  densityDefinitions,
  headlineDefinition,
  type LayerDensity,
  NEAR_ZERO_DEFINITION,
} from "../../density/index.ts";
import type { Comparison, ComparisonRow } from "../../jobs/index.ts";
import type { Evaluation } from "../../tasks/index.ts";
import type { TrainEvent } from "../../train/index.ts";
import { amountAxis, densityAxis, layerAxis, metricAxis, niceDomain, niceTicks, shareAxis, stepAxis } from "../axes.ts";
import { definitionLabel, isShare, metricLabel, metricWord, points, significant } from "../format.ts";
import { orderedColor, seriesColor, seriesDash } from "../palette.ts";
import { comparedDefinition } from "../tables/tables.ts";
import { type Curve, draw, drawCurves, type Figure, type Point, smooth, thin } from "./chart.ts";

/** A run's name and events, as figures take them. */
export interface NamedEvents {
  readonly name: string;
  readonly events: readonly TrainEvent[];
  /** Step of the evaluation that was kept. */
  readonly keptStep?: number | null;
  /** Its place among all runs of the page, so that a run has one colour in every figure; by default its place in the list. */
  readonly index?: number;
}

function stepsOf(runs: readonly NamedEvents[]) {
  let last = 1;
  for (const { events } of runs) for (const event of events) if ("step" in event) last = Math.max(last, event.step);
  return stepAxis(last);
}

/** Loss over steps: task, density and total of one run, or the task loss of several. Null without steps. */
export function lossFigure(runs: readonly NamedEvents[]): Figure | null {
  const [only] = runs;
  const one = runs.length === 1 && only !== undefined;
  const keptStep = one ? (only.keptStep ?? null) : null;
  const curves = one ? lossParts(only.events) : byRun(runs, (events) => steps(events, (event) => event.taskLoss));
  return curves.length === 0
    ? null
    : {
        id: "loss",
        title: one ? "Loss" : "Task loss",
        caption: `${one ? "Task loss, density loss and their weighted sum" : "Task loss of each run"} over training steps; faint: each step, strong: moving average.${keptStep === null ? "" : ` Dashed rule: step ${keptStep}, whose parameters were kept.`}`,
        ...drawCurves({
          label: "loss over steps",
          curves: curves.map((curve) => ({ ...curve, raw: thin(curve.points), points: smooth(thin(curve.points)) })),
          x: stepsOf(runs),
          y: { label: "loss", ...amountAxis(curves.flatMap(valuesOf)) },
          kept: keptStep,
        }),
      };
}

function lossParts(events: readonly TrainEvent[]): Curve[] {
  const dense = events.some((event) => event.type === "step" && event.densityWeight > 0);
  const part = (name: string, index: number, of: (event: StepOf) => number) => ({
    name,
    color: seriesColor(index),
    points: steps(events, of),
  });
  const task = part("task", 0, (event) => event.taskLoss);
  const parts = dense
    ? [task, part("density", 1, (event) => event.densityLoss), part("total", 7, (event) => event.loss)]
    : [task];
  return parts.filter((curve) => curve.points.length > 0);
}

/** The main metric at each evaluation. Null without evaluations. */
export function scoreFigure(runs: readonly NamedEvents[], metric: string): Figure | null {
  const curves = withRings(
    runs,
    byRun(runs, (events) => evals(events, (event) => event.metrics[metric] ?? Number.NaN)),
  );
  if (curves.length === 0) return null;
  return {
    id: "score",
    title: metricLabel(metric),
    caption: `${metricLabel(metric)} on the evaluation split at each evaluation.${ringSentence(curves)}`,
    ...drawCurves({
      label: `${metric} over steps`,
      curves,
      x: stepsOf(runs),
      y: metricAxis(metric, curves.flatMap(valuesOf)),
      dots: true,
    }),
  };
}

/** Measured density at each evaluation: several definitions of one run, or the headline of several runs. */
export function densityOverStepsFigure(runs: readonly NamedEvents[]): Figure | null {
  const [only] = runs;
  const definitions = ["exact", "0.001", NEAR_ZERO_DEFINITION, "0.1"];
  const reports = runs.flatMap(({ events }) =>
    events.flatMap((event) => (event.type === "eval" ? [event.density] : [])),
  );
  const headline = headlineDefinition(...reports);
  const curves =
    runs.length === 1 && only !== undefined
      ? definitions.map((definition, index) => ({
          name: definitionLabel(definition),
          color: orderedColor(index === 0 ? 0 : index + 1),
          points: evals(only.events, (event) => densityBy(event.density.encoder, definition)),
        }))
      : byRun(runs, (events) => evals(events, (event) => densityBy(event.density.encoder, headline)));
  const drawn = withRings(
    runs,
    curves.filter((curve) => curve.points.length > 0),
  );
  if (drawn.length === 0) return null;
  const what = runs.length === 1 ? "by definition" : `share of activations with ${definitionLabel(headline)}`;
  return {
    id: "density-over-steps",
    title: "Density during training",
    caption: `Density of MLP activations over attended tokens at each evaluation, ${what}.${ringSentence(drawn)}`,
    ...drawCurves({
      label: "density over steps",
      curves: drawn,
      x: stepsOf(runs),
      y: densityAxis(drawn.flatMap(valuesOf)),
      dots: true,
    }),
  };
}

/** The learning rate over steps, as it was used. Null without steps. */
export function learningRateFigure(runs: readonly NamedEvents[]): Figure | null {
  const curves = byRun(runs, (events) => thin(steps(events, (event) => event.learningRate)));
  if (curves.length === 0) return null;
  return {
    id: "learning-rate",
    title: "Learning rate",
    caption: "Learning rate of each step.",
    ...drawCurves({
      label: "learning rate over steps",
      curves,
      x: stepsOf(runs),
      y: {
        label: "learning rate",
        ...amountAxis(curves.flatMap(valuesOf), (value) => significant(value, 2)),
      },
    }),
  };
}

/** Share of MLP neurons that are left over steps, of runs that remove them while training. Null without such a run. */
export function keptShareFigure(runs: readonly NamedEvents[]): Figure | null {
  const curves = byRun(runs, (events) => thin(steps(events, (event) => event.keptShare ?? Number.NaN)));
  if (curves.length === 0) return null;
  return {
    id: "kept-share",
    title: "Neurons left during training",
    caption: "Share of MLP neurons that are not yet removed at each step.",
    ...drawCurves({
      label: "neurons left over steps",
      curves,
      x: stepsOf(runs),
      y: { label: "neurons left", ...shareAxis() },
    }),
  };
}

/** Density of each layer by every attended definition. */
export function layerFigure(report: DensityReport, stack: LayerDensity["stack"] = "encoder"): Figure | null {
  const layers = report.layers.filter((layer) => layer.stack === stack);
  const [first] = layers;
  if (first === undefined) return null;
  const definitions = densityDefinitions(first).filter((definition) => definition !== "paper");
  const curves = definitions.map((definition, index) => ({
    name: definitionLabel(definition),
    color: orderedColor(index),
    points: layers.map((layer) => ({ x: layer.layer, y: densityBy(layer, definition) })),
  }));
  return {
    id: `density-per-layer${stack === "encoder" ? "" : `-${stack}`}`,
    title: `Density per layer${stack === "encoder" ? "" : ` (${stack})`}`,
    caption:
      "Share of MLP activations of each layer that are not zero (grey), or above each threshold, over attended tokens.",
    ...drawCurves({
      label: "density per layer",
      curves,
      x: layerAxis(layers.map(({ layer }) => layer)),
      y: { label: "density", ...shareAxis() },
      dots: true,
    }),
  };
}

/** A stack's density with its name; `color` indexes the series' colours, `hollow` draws it with gaps. */
export interface NamedDensity {
  readonly name: string;
  readonly density: Density;
  readonly color?: number;
  readonly hollow?: boolean;
}

/** P(|a| > τ) against τ, one curve a report; `exact` stands at the left end. */
export function thresholdFigure(reports: readonly NamedDensity[]): Figure | null {
  const [first] = reports;
  if (first === undefined) return null;
  const definitions = densityDefinitions(first.density).filter((definition) => definition !== "paper");
  const names = definitions.map((definition) => (definition === "exact" ? "0" : definition));
  const curves = reports.map(({ name, density, color, hollow = false }, index) => ({
    name,
    hollow,
    color: seriesColor(color ?? index),
    dash: seriesDash(color ?? index),
    points: definitions.map((definition, at) => ({ x: at, y: densityBy(density, definition) })),
  }));
  return {
    id: "threshold-curve",
    title: "Threshold curve",
    caption:
      "Share of activations with |a| > τ over attended tokens, all layers together; τ = 0 is the exact count of non-zeros. Steps of τ are evenly spaced.",
    ...drawCurves({
      label: "threshold curve",
      curves,
      x: { label: "τ", ticks: [...definitions.keys()], tickFormat: (at: number) => names[at] ?? "" },
      y: { label: "P(|a| > τ)", ...shareAxis() },
      dots: true,
    }),
  };
}

const PEFT = seriesColor(7);
const DEFT = seriesColor(0);

/** PEFT against DEFT in each layer of a stack, mean over seeds, for one method: exact and headline side by side; null where there is no such stack. */
export function pairedFigure(
  rows: readonly ComparisonRow[],
  method: string,
  stack: LayerDensity["stack"] = "encoder",
): Figure | null {
  const own = rows.filter((row) => row.method === method);
  const layers = own[0]?.peft.density.layers.filter((layer) => layer.stack === stack) ?? [];
  if (layers.length === 0) return null;
  const named = stack === "encoder" ? method : `${method}, ${stack}`;
  const pairs = ["exact", NEAR_ZERO_DEFINITION].flatMap((definition) =>
    layers.map(({ layer }) => ({
      definition: definitionLabel(definition),
      layer,
      peft: meanLayer(own, (row) => row.peft, { stack, layer, definition }),
      deft: meanLayer(own, (row) => row.deft, { stack, layer, definition }),
    })),
  );
  const place = { y: "layer", fx: "definition" } as const;
  return {
    id: `paired-${method}${stack === "encoder" ? "" : `-${stack}`}`,
    title: `PEFT against DEFT per layer: ${named}`,
    caption: `Density of each layer without (hollow) and with (filled) the density loss${own.length > 1 ? `, mean of ${own.length} seeds` : ""}; a longer line to the left is a larger gain.`,
    ...draw((narrow) => ({
      label: `density per layer, PEFT against DEFT, ${named}`,
      legend: [
        { name: "PEFT", color: PEFT, hollow: true },
        { name: "DEFT", color: DEFT },
      ],
      height: 92 + layers.length * 20,
      marginTop: 44,
      x: { label: "density", grid: true, ...shareAxis([0, 1], narrow ? 2 : 4) },
      y: { label: "layer", type: "point", domain: layers.map(({ layer }) => layer), padding: 0.6 },
      fx: { label: null, domain: ["exact", NEAR_ZERO_DEFINITION].map(definitionLabel), padding: narrow ? 0.34 : 0.24 },
      marks: [
        Plot.link(pairs, {
          ...place,
          x1: "peft",
          x2: "deft",
          y1: "layer",
          y2: "layer",
          stroke: DEFT,
          strokeOpacity: 0.45,
          strokeWidth: 2,
        }),
        Plot.dot(pairs, { ...place, x: "peft", stroke: PEFT, strokeWidth: 2, r: 4 }),
        Plot.dot(pairs, { ...place, x: "deft", fill: DEFT, r: 4.5 }),
      ],
    })),
  };
}

function meanLayer(
  rows: readonly ComparisonRow[],
  evaluation: (row: ComparisonRow) => Evaluation,
  { stack, layer, definition }: Pick<LayerDensity, "stack" | "layer"> & { readonly definition: string },
): number {
  const values = rows.flatMap((row) =>
    evaluation(row)
      .density.layers.filter((of) => of.stack === stack && of.layer === layer)
      .map((of) => densityBy(of, definition)),
  );
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Change in score against change in density, a dot a method and seed. */
export function tradeOffFigure({ rows, metricName }: Comparison): Figure | null {
  const methods = [...new Set(rows.map((row) => row.method))];
  const dots = rows
    .map((row) => ({
      x: row.densityChange.encoder,
      y: row.scoreChange,
      fill: seriesColor(methods.indexOf(row.method)),
      seed: String(row.seed),
    }))
    .filter((dot) => Number.isFinite(dot.x) && Number.isFinite(dot.y));
  if (dots.length === 0) return null;
  const share = isShare(metricName);
  const reach = Math.max(0.01, ...dots.map((dot) => Math.abs(dot.y))) * 1.25;
  return {
    id: "trade-off",
    title: "What sparsity cost",
    caption: `Change in ${metricWord(metricName)}${share ? " (points)" : ""} against the share of density removed (${definitionLabel(comparedDefinition(rows))}); one dot a seed. Up and to the right is better.`,
    ...draw({
      label: "score change against density change",
      legend: methods.map((name, index) => ({ name, color: seriesColor(index) })),
      x: {
        label: "density removed",
        grid: true,
        ...shareAxis(niceDomain([...dots.map((dot) => dot.x), 1], null, { zero: true })),
      },
      y: {
        label: "score change",
        grid: true,
        domain: [-reach, reach],
        ticks: niceTicks([-reach, reach]),
        tickFormat: (value: number) => (share ? points(value) : significant(value, 2)),
      },
      marks: [
        Plot.ruleY([0], { stroke: "currentColor", strokeOpacity: 0.6 }),
        Plot.dot(dots, { x: "x", y: "y", fill: "fill", r: 5, fillOpacity: 0.9 }),
      ],
    }),
  };
}

type StepOf = Extract<TrainEvent, { type: "step" }>;
type EvalOf = Extract<TrainEvent, { type: "eval" }>;

function byRun(runs: readonly NamedEvents[], pointsOf: (events: readonly TrainEvent[]) => readonly Point[]): Curve[] {
  return runs
    .map(({ name, events, index }, at) => ({
      name,
      color: seriesColor(index ?? at),
      dash: seriesDash(index ?? at),
      points: pointsOf(events),
    }))
    .filter((curve) => curve.points.length > 0);
}

function steps(events: readonly TrainEvent[], of: (event: StepOf) => number): Point[] {
  return finite(events.flatMap((event) => (event.type === "step" ? [{ x: event.step, y: of(event) }] : [])));
}

function evals(events: readonly TrainEvent[], of: (event: EvalOf) => number): Point[] {
  return finite(events.flatMap((event) => (event.type === "eval" ? [{ x: event.step, y: of(event) }] : [])));
}

/** Curves over steps with a ring around the point that was kept; one run has several curves, several runs one each. */
function withRings(runs: readonly NamedEvents[], curves: readonly Curve[]): Curve[] {
  return curves.map((curve) => {
    const run = runs.length === 1 ? runs[0] : runs.find(({ name }) => name === curve.name);
    return { ...curve, rings: curve.points.filter(({ x }) => x === run?.keptStep) };
  });
}

const ringSentence = (curves: readonly Curve[]) =>
  curves.some(({ rings = [] }) => rings.length > 0) ? " The ring marks the evaluation that was kept." : "";

const valuesOf = ({ points: of }: Curve): number[] => of.map(({ y }) => y);

function finite(all: readonly Point[]): Point[] {
  return all.filter((point) => Number.isFinite(point.y));
}
