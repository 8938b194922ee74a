// The figures of one compressed model: layer by layer, what each can spare, gates beside measurements.

import * as Plot from "@observablehq/plot";
import type { TrainEvent } from "../../train/index.ts";
import { amountAxis, stepAxis } from "../axes.ts";
import { type CompressionReport, layersAlone, measuredImportance } from "../candidates.ts";
import { count, percent, significant } from "../format.ts";
import { orderedColor, seriesColor } from "../palette.ts";
import { draw, type Figure } from "./chart.ts";
import { rankCorrelation } from "./pareto.ts";

/** MLP neurons of each layer before and after. */
export function keptFigure({ name, record }: CompressionReport): Figure {
  const layers = record.layers.map(({ kept, of }, layer) => ({ layer, kept, of }));
  return {
    id: `kept-${slug(name)}`,
    title: "Neurons per layer",
    caption: "MLP neurons of each layer before (pale) and after (strong).",
    ...draw({
      label: "neurons per layer before and after",
      legend: [
        { name: "before", color: orderedColor(1) },
        { name: "after", color: seriesColor(0) },
      ],
      x: { label: "layer", type: "band", padding: 0.25, ...everyLayer(layers.length) },
      y: {
        label: "neurons",
        grid: true,
        ...amountAxis(
          layers.map(({ of }) => of),
          count,
        ),
      },
      marks: [
        Plot.barY(layers, { x: "layer", y: "of", fill: orderedColor(1), fillOpacity: 0.55 }),
        Plot.barY(layers, { x: "layer", y: "kept", fill: seriesColor(0) }),
        Plot.ruleY([0], { stroke: "currentColor", strokeOpacity: 0.55 }),
      ],
    }),
  };
}

/** What each layer can spare: how far what the model says moves when it alone is made smaller. Null where it was not measured. */
export function spareFigure({ name, record }: CompressionReport): Figure | null {
  const alone = layersAlone(record).filter(({ divergence }) => divergence > 0);
  if (new Set(alone.map(({ kept, of }) => kept / of)).size < 2) return null;
  const logs = alone.map(({ divergence }) => Math.log(divergence));
  const [least, most] = [Math.min(...logs), Math.max(...logs)];
  const cells = alone.map(({ layer, kept, of, divergence }) => ({
    layer,
    share: percent(kept / of, 0),
    value: kept / of,
    strength: 0.06 + (0.86 * (Math.log(divergence) - least)) / Math.max(1e-9, most - least),
    text: significant(divergence, 1),
    isChosen: record.layers[layer]?.kept === kept,
  }));
  const shares = [...new Set([...cells].sort((a, b) => b.value - a.value).map(({ share }) => share))];
  const numLayers = record.layers.length;
  const place = { x: "layer", y: "share" } as const;
  return {
    id: `spare-${slug(name)}`,
    title: "What each layer can spare",
    caption:
      "Mean squared change of the logits when one layer alone keeps this share of its neurons; stronger is worse, on a logarithmic scale. Framed: what was taken.",
    ...draw((narrow) => ({
      label: "change of the logits by layer and share kept",
      height: 70 + 26 * shares.length,
      marginLeft: 60,
      x: { label: "layer", type: "band", padding: 0.06, ...everyLayer(numLayers) },
      y: { label: "kept", type: "band", domain: shares, padding: 0.06 },
      marks: [
        Plot.cell(cells, { ...place, fill: seriesColor(1), fillOpacity: "strength" }),
        Plot.cell(
          cells.filter(({ isChosen }) => isChosen),
          { ...place, stroke: "currentColor", strokeWidth: 2, fill: "none" },
        ),
        // a number needs about 45 units
        ...(numLayers > (narrow ? 5 : 10) ? [] : [Plot.text(cells, { ...place, text: "text", fill: "currentColor" })]),
      ],
      // opacities as they are: a scale would stretch them
      opacity: { type: "identity" },
    })),
  };
}

/** Learned gates against measured importance, a dot a layer. Null without either. */
export function gatesFigure({ name, record, gates }: CompressionReport): Figure | null {
  const importance = measuredImportance(record);
  if (gates === null || importance === null || gates.length !== importance.length) return null;
  const dots = gates.map((gate, layer) => ({
    gate,
    importance: Math.max(importance[layer]!, Number.MIN_VALUE),
    layer: String(layer),
    fill: record.layers[layer]?.kept === 0 ? seriesColor(1) : seriesColor(0),
  }));
  const agreement = rankCorrelation(gates, importance);
  return {
    id: `gates-${slug(name)}`,
    title: "Learned gates against measurement",
    caption: `Each MLP’s learned gate against how far what the model says moves without it, labelled by layer. Rank correlation ${Number.isFinite(agreement) ? significant(agreement, 2) : "not defined"}: at 1 the gates order the layers as measuring does.`,
    ...draw({
      label: "learned gates against measured importance",
      legend: [
        { name: "kept", color: seriesColor(0) },
        { name: "removed", color: seriesColor(1) },
      ],
      marginLeft: 64,
      x: { label: "learned gate", domain: [0, 1], grid: true, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] },
      y: {
        label: "change of the logits without it",
        type: "log",
        grid: true,
        ticks: 5,
        tickFormat: (value: number) => significant(value, 1),
      },
      marks: [
        Plot.dot(dots, { x: "gate", y: "importance", fill: "fill", r: 5 }),
        Plot.text(dots, { x: "gate", y: "importance", text: "layer", dy: -12, fill: "currentColor" }),
      ],
    }),
  };
}

/** ADA-DEFT's gates over steps, a line an MLP, pale at the bottom of the model. Null without gates. */
export function gatesOverStepsFigure(events: readonly TrainEvent[]): Figure | null {
  const steps = events.flatMap((event) =>
    event.type === "step" && event.gates !== undefined ? [{ step: event.step, gates: event.gates }] : [],
  );
  const last = steps.at(-1);
  if (last === undefined) return null;
  const every = Math.max(1, Math.floor(steps.length / 200));
  const drawn = steps.filter((_, at) => at % every === 0 || at === steps.length - 1);
  const numGates = last.gates.length;
  const colorOf = (gate: number) => orderedColor(1 + Math.round((4 * gate) / Math.max(1, numGates - 1)));
  const labelled = apart(last.gates);
  return {
    id: "gates-over-steps",
    title: "Gates during training",
    caption:
      "Each MLP’s gate at each step, labelled by its place in the model (the encoder’s first) where labels do not overlap; a gate near 0 can be removed.",
    ...draw({
      label: "gates over steps",
      x: stepAxis(last.step),
      y: { label: "gate", domain: [0, 1], grid: true, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] },
      marks: Array.from({ length: numGates }, (_, gate) => {
        const line = drawn.map(({ step, gates }) => ({ step, gate: gates[gate] ?? Number.NaN }));
        return [
          Plot.lineY(line, { x: "step", y: "gate", stroke: colorOf(gate), strokeWidth: 1.8 }),
          Plot.text(labelled.has(gate) ? line.slice(-1) : [], {
            x: "step",
            y: "gate",
            text: [String(gate)],
            dx: 6,
            textAnchor: "start",
            fill: "currentColor",
          }),
        ];
      }).flat(),
    }),
  };
}

/** The gates whose labels do not lie upon each other at the end of their lines; of close ones the first. */
function apart(gates: readonly number[]): ReadonlySet<number> {
  const order = [...gates.keys()].sort((a, b) => gates[b]! - gates[a]!);
  const chosen: number[] = [];
  for (const gate of order) if (chosen.every((of) => Math.abs(gates[of]! - gates[gate]!) > 0.07)) chosen.push(gate);
  return new Set(chosen);
}

/** Layer numbers under bands, as many as fit. */
function everyLayer(numLayers: number) {
  const every = Math.ceil(numLayers / 24);
  return {
    domain: Array.from({ length: numLayers }, (_, layer) => layer),
    tickFormat: (layer: number) => (layer % every === 0 ? String(layer) : ""),
  };
}

/** A name as part of an id. */
export function slug(name: string): string {
  return name.replace(/[^\w-]+/g, "-");
}
