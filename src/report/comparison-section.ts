// The parts of a page that compare runs: PEFT against DEFT, the paper beside it, and runs side by side.
import type { Comparison, ComparisonRow } from "../jobs/index.ts";
import { slug } from "./figures/compression-figures.ts";
import { pairedFigure, thresholdFigure, tradeOffFigure } from "./figures/figures.ts";
import { scoreByDensityFigure } from "./figures/trade-figures.ts";
import { keptEvaluation, shownEvaluation } from "./kept.ts";
import { figuresHtml, html, type Markup, tableHtml } from "./page/page.ts";
import { type OwnFigures, PAPER_CAVEAT, paperTable } from "./paper.ts";
import type { RunReport } from "./run-report.ts";
import { comparisonSentences, comparisonTable, definitionsTable, runsTable } from "./tables/tables.ts";
import { comparableRuns } from "./training-section.ts";

/** Curves of one method, those of the encoder first; a decoder's follow where there is one. */
function stackCurves(method: string, { peft, deft }: ComparisonRow, color: number) {
  const several = peft.density.decoder !== undefined;
  const of = (stack: "encoder" | "decoder", place: number) => {
    const [plain, sparse] = [peft.density[stack], deft.density[stack]];
    const name = several ? `${method} ${stack}` : method;
    return plain === undefined || sparse === undefined
      ? []
      : [
          { name: `${name} PEFT`, density: plain, color: place, hollow: true },
          { name: `${name} DEFT`, density: sparse, color: place },
        ];
  };
  return several ? [...of("encoder", 2 * color), ...of("decoder", 2 * color + 1)] : of("encoder", color);
}

/** PEFT against DEFT on one model, task and data; `several` names them, and keeps the figures' ids apart. */
export function comparisonSection(comparison: Comparison, at: number, several: boolean): Markup {
  const methods = [...new Set(comparison.rows.map((row) => row.method))];
  const curves = methods.flatMap((method, color) => {
    const row = comparison.rows.find((of) => of.method === method);
    return row === undefined ? [] : stackCurves(method, row, color);
  });
  const suffix = several ? `-${at + 1}` : "";
  const subject = several ? `: ${comparison.model ?? "model"}, ${comparison.task}` : "";
  const figures = [
    tradeOffFigure(comparison),
    thresholdFigure(curves),
    ...methods.flatMap((method) => [
      pairedFigure(comparison.rows, method),
      pairedFigure(comparison.rows, method, "decoder"),
    ]),
  ].map((figure) => figure && { ...figure, id: `${slug(figure.id)}${suffix}` });
  return html`<section><h2>PEFT against DEFT${subject}</h2>
<p>The same method, data and seed, without (PEFT) and with (DEFT) the density loss.</p>
${several ? comparisonSentences(comparison).map((sentence) => html`<p>${sentence}</p>`) : null}
${tableHtml("PEFT against DEFT", comparisonTable(comparison), (row) => row[1] === "mean")}
${figuresHtml(figures)}
<h3>Every definition of density</h3>${tableHtml("every definition of density", definitionsTable(comparison))}</section>`;
}

/** The paper's numbers, where the page measured the paper's model on one of its tasks with one of its methods. */
export function paperSection(own: OwnFigures): Markup | null {
  const table = paperTable(own);
  if (table === null) return null;
  return html`<section><h2>The paper’s numbers</h2><p class="note">${PAPER_CAVEAT} Only numbers of the same model, task and method stand here.</p>
${tableHtml("the paper's numbers", table)}</section>`;
}

/** Runs side by side, those on the same task and data together. */
export function runsSection(runs: readonly RunReport[], withCurve: boolean): Markup {
  const groups = comparableRuns(runs);
  return html`<section><h2>Runs</h2>${groups.map((group, at) => {
    const { settings } = group[0]!.record;
    const named = group.map(({ name, record, events }) => ({
      name: record.result === null ? `${name} (not ended)` : name,
      result: shownEvaluation(record, events),
      keptStep: keptEvaluation(record, events)?.step ?? null,
    }));
    const densities = named.flatMap(({ name, result }) =>
      result === null ? [] : [{ name, density: result.density.encoder }],
    );
    const drawn = [
      withCurve && group.length > 1 ? thresholdFigure(densities) : null,
      scoreByDensityFigure(group.map((run) => ({ ...run, index: runs.indexOf(run) }))),
    ].map((figure) => figure && { ...figure, id: groups.length === 1 ? figure.id : `${figure.id}-task-${at + 1}` });
    return html`${groups.length === 1 ? null : html`<h3>${settings.task}, ${settings.data.path}</h3>`}${tableHtml(
      `runs on ${settings.task}`,
      runsTable(named),
    )}${figuresHtml(drawn)}`;
  })}</section>`;
}
