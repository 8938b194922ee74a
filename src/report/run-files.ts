// The files a finished run's folder gets from its records; a face writes them.
import { effectiveEvents } from "../runs/index.ts";
import type { Evaluation } from "../tasks/index.ts";
import { standaloneSvg } from "./figures/chart.ts";
import { layerFigure } from "./figures/figures.ts";
import { modelCard } from "./model-card.ts";
import { reportHtml } from "./page/html.ts";
import { trainerResults } from "./results.ts";
import type { RunReport } from "./run-report.ts";

/** A file by its path inside the run's folder. */
export interface RunFile {
  readonly path: string;
  readonly content: string;
}

/** `report.html`, `README.md` with its figure, and the Trainer's result files. */
export function runFiles(run: RunReport, { baseline }: { baseline?: Evaluation } = {}): RunFile[] {
  const { record } = run;
  const events = effectiveEvents(run.events);
  const figure = record.result === null ? null : layerFigure(record.result.density);
  const figurePath = "figures/density-per-layer.svg";
  const card = modelCard(record, {
    ...(baseline === undefined ? {} : { baseline }),
    ...(figure === null ? {} : { figure: figurePath }),
  });
  const results = Object.entries(trainerResults(events, record.result));
  return [
    { path: "report.html", content: reportHtml({ title: run.name, runs: [{ ...run, events }] }) },
    { path: "README.md", content: card },
    ...(figure === null ? [] : [{ path: figurePath, content: standaloneSvg(figure) }]),
    ...results.map(([path, json]) => ({ path, content: `${JSON.stringify(json, null, 2)}\n` })),
  ];
}
