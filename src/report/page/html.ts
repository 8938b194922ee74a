// `report.html`: one self-contained page for one run, several runs or a comparison.
import type { DensityReport } from "../../density/index.ts";
import type { BenchReport, Comparison, Profile } from "../../jobs/index.ts";
import { effectiveEvents } from "../../runs/index.ts";
import { answersSection } from "../answers-section.ts";
import type { CompressionReport } from "../candidates.ts";
import { comparisonSection, paperSection, runsSection } from "../comparison-section.ts";
import { count, duration, percent } from "../format.ts";
import { keptEvaluation, shownEvaluation } from "../kept.ts";
import type { RunReport } from "../run-report.ts";
import { reproduceSection, settingsSection } from "../settings-section.ts";
import { comparisonSentences, evaluationFacts } from "../tables/tables.ts";
import { definitionsSection, densitySection, trainingSection } from "../training-section.ts";
import { benchSection, compressionSection } from "./compression-section.ts";
import { html, type Markup, raw } from "./page.ts";
import { PAGE_CSS } from "./style.ts";

/** What a page is made of; at least one of `runs`, `comparisons` and `compressions` says something. */
export interface ReportContent {
  readonly title: string;
  /** Sentences under the title. */
  readonly lead?: readonly string[];
  readonly runs: readonly RunReport[];
  /** PEFT against DEFT, one a model, task and data. */
  readonly comparisons?: readonly Comparison[];
  /** Models made smaller by `deft compress`. */
  readonly compressions?: readonly CompressionReport[];
  /** What `deft bench` measured of them. */
  readonly bench?: BenchReport | null;
  /** How the page was made, as a command line. */
  readonly command?: string;
}

/** The page as HTML; it opens without a server and fetches nothing. */
export function reportHtml(content: ReportContent): string {
  const { title, lead = [], runs, comparisons = [], compressions = [], bench = null, command } = content;
  const shown = runs.map((run) => ({ ...run, events: effectiveEvents(run.events) }));
  const [only] = shown;
  const single = shown.length === 1 && only !== undefined ? only : null;
  const density = single && shownEvaluation(single.record, single.events)?.density;
  const sentences = comparisons.length === 1 ? comparisons.flatMap(comparisonSentences) : [];
  const body = html`<header><h1>${title}</h1>${[...lead, ...sentences].map((sentence) => html`<p class="lead">${sentence}</p>`)}
${single === null ? null : singleHead(single)}</header>
${comparisons.map((comparison, at) => comparisonSection(comparison, at, comparisons.length > 1))}
${shown.length > 1 ? runsSection(shown, comparisons.length === 0) : null}
${compressionSection(compressions, bench, densityOf(shown))}
${benchSection(bench)}
${paperSection({ comparisons, compressions, bench })}
${shown.length > 0 ? trainingSection(shown) : null}
${answersSection(shown)}
${density == null ? null : densitySection(density)}
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
  const evaluation = shownEvaluation(record, events);
  const end = events.findLast((event) => event.type === "end");
  const start = events.findLast((event) => event.type === "start");
  const facts: [string, string][] = [
    ...(evaluation === null ? [] : evaluationFacts(evaluation)),
    ...(start === undefined
      ? []
      : [["Trained share", percent(start.trainableParameters / start.totalParameters, 2)] as [string, string]]),
    ...(end === undefined ? [] : [["Time", duration(end.durationMs)] as [string, string]]),
  ];
  return html`<p class="lead">${settings.method.kind} on ${settings.model}, ${settings.task}, ${density}.</p>
${result === null ? html`<p class="warning">${notEnded(keptEvaluation(record, events)?.step ?? null)}</p>` : null}
<dl class="tiles">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function notEnded(step: number | null): string {
  const so = "This run has not ended";
  return step === null
    ? `${so}, and it has no evaluation yet.`
    : `${so}: the numbers are those of its best evaluation so far, at step ${step}.`;
}

/** The density of a run on the page by its folder. */
function densityOf(runs: readonly RunReport[]): (source: string) => DensityReport | null {
  return (source) => {
    const run = runs.find(({ record, folder }) => [folder, record.settings.output].includes(source));
    return run?.record.result?.density ?? null;
  };
}
