// `report.html`: one self-contained page for one run, several runs or a comparison.
import type { DensityReport } from "../../density/index.ts";
import type { BenchReport, Comparison, Profile } from "../../jobs/index.ts";
import { effectiveEvents, type RunRecord } from "../../runs/index.ts";
import { settingsInput, settingText, trainCommand } from "../../settings/index.ts";
import type { TrainEvent } from "../../train/index.ts";
import type { CompressionReport } from "../candidates.ts";
import { gatesOverStepsFigure } from "../figures/compression-figures.ts";
import {
  densityOverStepsFigure,
  layerFigure,
  learningRateFigure,
  lossFigure,
  type NamedEvents,
  pairedFigure,
  scoreFigure,
  thresholdFigure,
  tradeOffFigure,
} from "../figures/figures.ts";
import { scoreByDensityFigure } from "../figures/trade-figures.ts";
import { count, duration, percent } from "../format.ts";
import { type OwnFigures, PAPER_CAVEAT, paperTable } from "../paper.ts";
import {
  comparisonSentences,
  comparisonTable,
  definitionsTable,
  evaluationFacts,
  layersTable,
  runsTable,
} from "../tables/tables.ts";
import { benchSection, compressionSection } from "./compression-section.ts";
import { factsHtml, figuresHtml, html, type Markup, raw, shellLine, tableHtml } from "./page.ts";
import { PAGE_CSS } from "./style.ts";

/** A run as a report needs it: its name, `run.json` and the events of `events.jsonl`. */
export interface RunReport {
  readonly name: string;
  /** Where it lies, as compressed models name their source. */
  readonly folder?: string;
  readonly record: RunRecord;
  readonly events: readonly TrainEvent[];
}

/** What a page is made of; at least one of `runs`, `comparison` and `compressions` says something. */
export interface ReportContent {
  readonly title: string;
  /** Sentences under the title. */
  readonly lead?: readonly string[];
  readonly runs: readonly RunReport[];
  readonly comparison?: Comparison | null;
  /** Models made smaller by `deft compress`. */
  readonly compressions?: readonly CompressionReport[];
  /** What `deft bench` measured of them. */
  readonly bench?: BenchReport | null;
  /** How the page was made, as a command line. */
  readonly command?: string;
}

/** The page as HTML; it opens without a server and fetches nothing. */
export function reportHtml(content: ReportContent): string {
  const { title, lead = [], runs, comparison = null, compressions = [], bench = null, command } = content;
  const shown = runs.map((run) => ({ ...run, events: effectiveEvents(run.events) }));
  const [only] = shown;
  const single = shown.length === 1 && only !== undefined ? only : null;
  const body = html`<header><h1>${title}</h1>${lead.map((sentence) => html`<p class="lead">${sentence}</p>`)}
${comparison === null ? null : comparisonSentences(comparison).map((sentence) => html`<p class="lead">${sentence}</p>`)}
${single === null ? null : singleHead(single)}</header>
${comparison === null ? null : comparisonSection(comparison)}
${shown.length > 1 ? runsSection(shown, comparison === null) : null}
${compressionSection(compressions, bench, densityOf(shown))}
${benchSection(bench)}
${comparison === null && compressions.length === 0 ? null : paperSection({ comparison, compressions, bench })}
${shown.length > 0 ? trainingSection(shown) : null}
${single?.record.result == null ? null : densitySection(single.record.result.density)}
${shown.length > 0 ? settingsSection(shown) : null}
${shown.length > 0 ? reproduceSection(shown) : null}
${definitionsSection()}
<footer>Made by deft${command === undefined ? "." : html` with <code>${command}</code>.`}</footer>`;
  return document(title, body);
}

/** The page of a density measurement. */
export function profileHtml({ model, examples, tokens, density }: Profile): string {
  const body = html`<header><h1>Density of ${model}</h1><p class="lead">${count(tokens)} tokens of ${count(examples)} examples.</p></header>
${densitySection(density)}${definitionsSection()}<footer>Made by deft with <code>deft profile</code>.</footer>`;
  return document(`Density of ${model}`, body);
}

function document(title: string, body: Markup): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><style>${raw(PAGE_CSS)}</style></head><body><main>
${body}
</main></body></html>
`.markup;
}

function singleHead({ record, events }: RunReport): Markup {
  const { settings, result } = record;
  const density = settings.density.weight === 0 ? "without the density loss" : "with the density loss";
  const end = events.findLast((event) => event.type === "end");
  const start = events.findLast((event) => event.type === "start");
  const facts: [string, string][] = [
    ...(result === null ? [] : evaluationFacts(result)),
    ...(start === undefined
      ? []
      : [["Trained share", percent(start.trainableParameters / start.totalParameters, 2)] as [string, string]]),
    ...(end === undefined ? [] : [["Time", duration(end.durationMs)] as [string, string]]),
  ];
  return html`<p class="lead">${settings.method.kind} on ${settings.model}, ${settings.task}, ${density}.</p>
${result === null ? html`<p class="warning">This run has not ended: the numbers are those so far.</p>` : null}
<dl class="tiles">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function comparisonSection(comparison: Comparison): Markup {
  const methods = [...new Set(comparison.rows.map((row) => row.method))];
  const curves = methods.flatMap((method, color) => {
    const row = comparison.rows.find((of) => of.method === method);
    return row === undefined
      ? []
      : [
          { name: `${method} PEFT`, density: row.peft.density.encoder, color, hollow: true },
          { name: `${method} DEFT`, density: row.deft.density.encoder, color },
        ];
  });
  return html`<section><h2>PEFT against DEFT</h2>
<p>The same method, data and seed, without (PEFT) and with (DEFT) the density loss.</p>
${tableHtml(comparisonTable(comparison), (row) => row[1] === "mean")}
${figuresHtml([tradeOffFigure(comparison), thresholdFigure(curves), ...methods.map((method) => pairedFigure(comparison.rows, method))])}
<h3>Every definition of density</h3>${tableHtml(definitionsTable(comparison))}</section>`;
}

function paperSection(own: OwnFigures): Markup {
  return html`<section><h2>The paper’s numbers</h2><p class="note">${PAPER_CAVEAT} Ours are of the models and data on this page, which are seldom the paper’s: the first column of ours counts as the paper does.</p>
${tableHtml(paperTable(own))}</section>`;
}

/** The density of a run on the page by its folder. */
function densityOf(runs: readonly RunReport[]): (source: string) => DensityReport | null {
  return (source) => {
    const run = runs.find(({ record, folder }) => [folder, record.settings.output].includes(source));
    return run?.record.result?.density ?? null;
  };
}

function runsSection(runs: readonly RunReport[], withCurve: boolean): Markup {
  const named = runs.map(({ name, record }) => ({ name, result: record.result }));
  const densities = named.flatMap(({ name, result }) =>
    result === null ? [] : [{ name, density: result.density.encoder }],
  );
  return html`<section><h2>Runs</h2>${tableHtml(runsTable(named))}${figuresHtml([withCurve ? thresholdFigure(densities) : null, scoreByDensityFigure(runs)])}</section>`;
}

function trainingSection(runs: readonly RunReport[]): Markup | null {
  const named: NamedEvents[] = runs.map(({ name, events }) => ({ name, events }));
  const metric = runs[0]?.record.metricName ?? "accuracy";
  const warnings = runs.flatMap(({ name, events }) =>
    events.flatMap((event) => (event.type === "warning" ? [{ name, event }] : [])),
  );
  const drawn = [
    lossFigure(named),
    scoreFigure(named, metric),
    densityOverStepsFigure(named),
    learningRateFigure(named),
    ...(runs.length === 1 ? [gatesOverStepsFigure(runs[0]?.events ?? [])] : []),
  ];
  if (drawn.every((figure) => figure === null) && warnings.length === 0) return null;
  return html`<section><h2>Training</h2>
${warnings.map(({ name, event }) => html`<p class="warning">${runs.length > 1 ? `${name}, ` : ""}step ${event.step}: ${event.message}</p>`)}
${figuresHtml(drawn)}</section>`;
}

function densitySection(density: DensityReport): Markup {
  return html`<section><h2>Density</h2>
${figuresHtml([layerFigure(density), layerFigure(density, "decoder"), thresholdFigure(stacksOf(density))])}
${tableHtml(layersTable(density), (row) => row[0]?.endsWith("all") ?? false)}</section>`;
}

/** Every stack that was measured, as curves. */
function stacksOf({ encoder, decoder, generation }: DensityReport) {
  return Object.entries({ encoder, decoder, generation }).flatMap(([name, density]) =>
    density === undefined ? [] : [{ name: name === "generation" ? "decoder, generating" : name, density }],
  );
}

function settingsSection(runs: readonly RunReport[]): Markup {
  const inputs = runs.map(({ record }) => settingsInput(record.settings) as Readonly<Record<string, unknown>>);
  const keys = [...new Set(inputs.flatMap((input) => Object.keys(input)))];
  const text = (value: unknown) => (value === undefined ? "–" : settingText(value));
  const same = keys.filter((key) => inputs.every((input) => text(input[key]) === text(inputs[0]?.[key])));
  const different = keys.filter((key) => !same.includes(key));
  return html`<section><h2>Settings</h2>
${
  different.length === 0
    ? null
    : tableHtml({
        head: ["run", ...different],
        align: ["left", ...different.map(() => "left" as const)],
        rows: runs.map(({ name }, index) => [name, ...different.map((key) => text(inputs[index]?.[key]))]),
      })
}
${runs.length > 1 ? html`<p class="note">The same in all runs:</p>` : null}
${factsHtml(same.map((key) => [key, text(inputs[0]?.[key])]))}</section>`;
}

function reproduceSection(runs: readonly RunReport[]): Markup {
  const commands = runs.map(({ record }) => shellLine(trainCommand(record.settings)));
  const record = runs[0]?.record;
  const versions = Object.entries(record?.versions ?? {});
  const prints = Object.entries(record?.fingerprints ?? {});
  return html`<section><h2>Reproduce</h2><pre>${commands.join("\n\n")}</pre>
${factsHtml([...versions, ...prints.map(([name, hash]) => [`SHA-256 of ${name}`, hash.slice(0, 16)] as const)])}</section>`;
}

function definitionsSection(): Markup {
  return html`<section><h2>How density is measured</h2>
<p>An activation is the output a of an MLP’s activation function, before the second linear layer. <b>Density</b> is a share of
activations over the attended tokens of the evaluation split: those that are not exactly zero (<b>non-zero</b>), or whose
magnitude is above a threshold (<code>|a| &gt; τ</code>). “With padding” counts padding too, as the paper does. A <b>dead</b>
neuron is never above 0.01, a <b>rare</b> one on fewer than 1 % of tokens.</p>
<p>With GELU an exact zero is where a float rounds to it, so thresholds say more than exact counts. <b>Removed</b> is
(PEFT − DEFT) / PEFT: positive is sparser.</p></section>`;
}
