// The part of a page that tells of compressed models: what was paid for what, each model, its search, and the benchmark.
import type { DensityReport } from "../../density/index.ts";
import type { BenchReport } from "../../jobs/index.ts";
import { type CompressionReport, measuredImportance } from "../candidates.ts";
import type { Figure } from "../figures/chart.ts";
import { gatesFigure, keptFigure, spareFigure } from "../figures/compression-figures.ts";
import { scoreByLatencyFigure, scoreByNeuronsFigure, scoreBySizeFigure } from "../figures/trade-figures.ts";
import { arithmeticTable, benchNotes, benchTable, ENERGY_CAVEAT } from "../tables/bench.ts";
import {
  candidatesTable,
  compressedLayersTable,
  compressionNotes,
  compressionsTable,
  compressionTable,
} from "../tables/compression.ts";
import { figuresHtml, html, type Markup, tableHtml } from "./page.ts";

/** The compressed models together, then one by one; `densityOf` gives the density of a source's run where the page has it. */
export function compressionSection(
  list: readonly CompressionReport[],
  bench: BenchReport | null,
  densityOf: (source: string) => DensityReport | null,
): Markup | null {
  if (list.length === 0) return null;
  const trades = [scoreByNeuronsFigure(list), scoreByLatencyFigure(list, bench), scoreBySizeFigure(list, bench)];
  return html`<section><h2>Compression</h2>
<p>Whole neurons and MLPs removed; the dense model is the run it was made from, in float32. Scores in the table come from examples
that no choice has seen.</p>
${tableHtml("compressed models", compressionsTable(list))}
${figuresHtml(trades)}
${list.map((one) => html`<h3 class="model">${one.name}</h3>${modelPart(one, densityOf(one.record.source))}`)}</section>`;
}

function modelPart(one: CompressionReport, density: DensityReport | null): Markup {
  const { record } = one;
  const drawn: (Figure | null)[] = [keptFigure(one), spareFigure(one), gatesFigure(one)];
  const [, ...notes] = compressionNotes(record);
  return html`${tableHtml("before and after", compressionTable(record))}
<p class="note">${notes.join(" ")}</p>
${figuresHtml(drawn)}
${tableHtml("compression by layer", compressedLayersTable(one, density))}
${one.gates === null && measuredImportance(record) === null ? null : html`<p class="note">Rank 1 is what can go first. “Missed by”: mean squared change of the logits without the layer’s MLP.</p>`}
${
  record.candidates.length === 0
    ? null
    : html`<details><summary>Every candidate of the search (${record.candidates.length})</summary>${tableHtml("candidates of the search", candidatesTable(record), (row) => row[0] === "taken")}
<p class="note">Divergence: mean squared change of the logits. “May be lost” adds one standard error to the change on the search’s examples.</p></details>`
}`;
}

/** What `deft bench` measured. */
export function benchSection(bench: BenchReport | null): Markup | null {
  if (bench === null) return null;
  const { device, threads, texts, rows } = bench;
  const estimated = rows.some(({ estimate }) => estimate !== null);
  return html`<section><h2>Benchmark</h2>
<p>${device}, ${threads} threads; ${texts.count} texts of ${texts.split}, ${texts.meanTokens.toFixed(1)} tokens in the mean, padded to the longest of a
batch. The models took turns; “of first” is the median over rounds.</p>
${tableHtml("benchmark", benchTable(bench))}
${benchNotes(bench).map((note) => html`<p class="note">${note}</p>`)}
${estimated ? html`<h3>Multiply–accumulates and energy</h3>${tableHtml("multiply–accumulates and energy", arithmeticTable(bench))}<p class="note">${ENERGY_CAVEAT}</p>` : null}</section>`;
}
