// Which evaluation a run kept, and that curves and tables say so.
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { runReport } from "../../test/support/golden-runs.ts";
import type { EvalEvent, TrainEvent } from "../train/index.ts";
import { keptEvaluation, shownEvaluation } from "./kept.ts";
import { reportHtml } from "./page/html.ts";

/** Steps of the evaluations whose parameters the committed runs hold, read off their trainers' last words. */
const KEPT: readonly (readonly [name: string, step: number, evaluations: number])[] = [
  ["peft", 40, 4],
  ["deft", 20, 4],
  ["ada", 24, 3],
  // of those behind the last removal, not the better one before it
  ["removal", 36, 4],
  ["majority", 2, 1],
  ["regression", 20, 2],
  ["questions", 40, 3],
  ["texts", 60, 3],
];

describe.each(KEPT)("%s", (name, step, evaluations) => {
  const run = runReport(name);

  test(`kept step ${step}`, () => {
    expect(keptEvaluation(run.record, run.events)?.step).toBe(step);
    expect(run.events.findLast((event) => event.type === "end")).toMatchObject({ bestStep: step });
  });

  test("marks it in curves and in the table of evaluations", () => {
    const { document } = parseHTML(reportHtml({ title: name, runs: [run] }));
    const rows = [...document.querySelectorAll('[aria-label="evaluations"] tbody tr')];
    expect(rows).toHaveLength(evaluations);
    const marked = rows.filter((row) => row.querySelector("td:last-child")?.textContent === "kept");
    expect(marked.map((row) => row.querySelector("th")?.textContent)).toEqual([String(step)]);
    expect(document.querySelector("#loss figcaption")?.textContent).toContain(
      `step ${step}, whose parameters were kept`,
    );
    // one ring for the one curve of the score
    expect(
      document.querySelectorAll('#score .wide circle[r="7"], #score .wide g[stroke-width="2"] circle'),
    ).toHaveLength(1);
  });
});

test("the evaluation that became the result is the one kept, whatever rule chose it", () => {
  const { record, events } = runReport("deft");
  const last = events.findLast((event): event is EvalEvent => event.type === "eval")!;
  const { loss, metrics, density } = last;
  const result = { ...record.result!, loss, metrics, density };
  expect(keptEvaluation({ result }, events)?.step).toBe(40);
});

test("a run that has not ended shows its best evaluation so far, and says so", () => {
  const run = runReport("deft");
  const cut = run.events.findIndex((event) => event.type === "eval" && event.step === 30);
  const events: TrainEvent[] = run.events.slice(0, cut + 1);
  const record = { ...run.record, result: null };
  expect(shownEvaluation(record, events)).toMatchObject({ task: "text-classification", metrics: { accuracy: 0.275 } });
  const page = reportHtml({ title: "x", runs: [{ ...run, record, events }] });
  expect(page).toContain("This run has not ended: the numbers are those of its best evaluation so far, at step 20.");
  expect(parseHTML(page).document.querySelector(".tiles dd")?.textContent).toBe("27.50 %");
  expect(parseHTML(page).document.querySelectorAll("#density-per-layer")).toHaveLength(1);
  expect(keptEvaluation(record, [])).toBeNull();
});
