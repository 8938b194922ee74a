// The parts of a page on how runs went: warnings, curves and evaluations, and the density that came out.
import type { DensityReport } from "../density/index.ts";
import { gatesOverStepsFigure } from "./figures/compression-figures.ts";
import {
  densityOverStepsFigure,
  keptShareFigure,
  layerFigure,
  learningRateFigure,
  lossFigure,
  type NamedEvents,
  scoreFigure,
  thresholdFigure,
} from "./figures/figures.ts";
import { groupsOf } from "./groups.ts";
import { keptEvaluation } from "./kept.ts";
import { figuresHtml, html, type Markup, tableHtml } from "./page/page.ts";
import type { RunReport } from "./run-report.ts";
import { evaluationsTable, layersTable } from "./tables/tables.ts";

/** More evaluations than this are folded away. */
const MOST_EVALUATIONS = 12;

/** Runs on one task and the same data, whose scores can stand on one axis. */
export function comparableRuns(runs: readonly RunReport[]): RunReport[][] {
  return groupsOf(runs, ({ record: { settings, metricName, fingerprints } }) =>
    JSON.stringify([settings.task, metricName, fingerprints.data ?? fingerprints.eval ?? null]),
  );
}

/** Warnings, curves and, of a single run, its evaluations. Null where nothing happened yet. */
export function trainingSection(runs: readonly RunReport[]): Markup | null {
  const named: NamedEvents[] = runs.map(({ name, record, events }, index) => ({
    name,
    index,
    events,
    keptStep: keptEvaluation(record, events)?.step ?? null,
  }));
  const warnings = runs.flatMap(({ name, events }) =>
    events.flatMap((event) => (event.type === "warning" ? [{ name, event }] : [])),
  );
  const groups = comparableRuns(runs);
  const byTask = groups.flatMap((group, at) => {
    const own = named.filter((_, index) => group.includes(runs[index]!));
    const { metricName, settings } = group[0]!.record;
    return [lossFigure(own), scoreFigure(own, metricName)].map((figure) =>
      figure === null || groups.length === 1
        ? figure
        : { ...figure, id: `${figure.id}-${at + 1}`, title: `${figure.title}, ${settings.task}` },
    );
  });
  const drawn = [
    ...byTask,
    densityOverStepsFigure(named),
    keptShareFigure(named),
    learningRateFigure(named),
    ...(runs.length === 1 ? [gatesOverStepsFigure(runs[0]?.events ?? [])] : []),
  ];
  if (drawn.every((figure) => figure === null) && warnings.length === 0) return null;
  return html`<section><h2>Training</h2>
${warnings.map(({ name, event }) => html`<p class="warning">${runs.length > 1 ? `${name}, ` : ""}step ${event.step}: ${event.message}</p>`)}
${figuresHtml(drawn)}
${runs.length === 1 ? evaluationsPart(runs[0]) : null}</section>`;
}

function evaluationsPart(run: RunReport | undefined): Markup | null {
  const evaluations = (run?.events ?? []).filter((event) => event.type === "eval");
  if (run === undefined || evaluations.length === 0) return null;
  const kept = keptEvaluation(run.record, run.events);
  const table = tableHtml(
    "evaluations",
    evaluationsTable(evaluations, kept?.step ?? null),
    (row) => row.at(-1) === "kept",
  );
  return evaluations.length > MOST_EVALUATIONS
    ? html`<details><summary>Every evaluation (${evaluations.length})</summary>${table}</details>`
    : html`<h3>Evaluations</h3>${table}`;
}

/** Density by layer and threshold, as figures and as a table. */
export function densitySection(density: DensityReport): Markup {
  return html`<section><h2>Density</h2>
${figuresHtml([layerFigure(density), layerFigure(density, "decoder"), thresholdFigure(stacksOf(density))])}
${tableHtml("density by layer", layersTable(density), (row) => row[0]?.endsWith("all") ?? false)}</section>`;
}

/** Every stack that was measured, as curves. */
function stacksOf({ encoder, decoder, generation }: DensityReport) {
  return Object.entries({ encoder, decoder, generation }).flatMap(([name, density]) =>
    density === undefined ? [] : [{ name: name === "generation" ? "decoder, generating" : name, density }],
  );
}

/** What density means here. */
export function definitionsSection(): Markup {
  return html`<section><h2>How density is measured</h2>
<p>An activation is the output a of an MLP’s activation function, before the second linear layer. <b>Density</b> is a share of
activations over the attended tokens of the evaluation split: those that are not exactly zero (<b>non-zero</b>), or whose
magnitude is above a threshold (<code>|a| &gt; τ</code>). “With padding” counts padding too, as the paper does. A <b>dead</b>
neuron is never above 0.01, a <b>rare</b> one on fewer than 1 % of tokens.</p>
<p>With GELU an exact zero is where a float rounds to it, so thresholds say more than exact counts. <b>Removed</b> is
(PEFT − DEFT) / PEFT: positive is sparser.</p></section>`;
}
