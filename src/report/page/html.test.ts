// Pages, figures and cards: whole, self-contained, and safe with any text.

import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { parseDocument } from "yaml";
import { compressionReport, GOLDEN_RUNS, runReport } from "../../../test/support/golden-runs.ts";
import {
  sampleComparison,
  sampleDensity,
  sampleEvaluation,
  sampleEvents,
  sampleRecord,
  sampleRun,
} from "../../../test/support/records.ts";
import { type Figure, smooth, standaloneSvg, thin } from "../figures/chart.ts";
import * as figures from "../figures/figures.ts";
import { modelCard } from "../model-card.ts";
import { pairedComparisons } from "../pairing.ts";
import { runFiles } from "../run-files.ts";
import { reportHtml } from "./html.ts";
import { html, shellLine } from "./page.ts";

const run = sampleRun("deft", 1);
const page = reportHtml({ title: "One", runs: [run] });
const comparisonPage = reportHtml({
  title: "Both",
  runs: [sampleRun("peft", 0), run],
  comparisons: [sampleComparison()],
});

describe("reportHtml", () => {
  test("fetches nothing and names no script", () => {
    for (const text of [page, comparisonPage]) {
      expect(text).not.toMatch(/<script|<link|@import|url\(|src=|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
      expect(text).not.toMatch(/NaN|undefined|\[object/);
    }
  });

  test("has each figure once, and every one of them draws something", () => {
    const ids = (text: string) => [...parseHTML(text).document.querySelectorAll("figure")].map((f) => f.id);
    expect(ids(page)).toEqual([
      "loss",
      "score",
      "density-over-steps",
      "learning-rate",
      "density-per-layer",
      "threshold-curve",
    ]);
    expect(new Set(ids(comparisonPage)).size).toBe(ids(comparisonPage).length);
    expect(ids(comparisonPage)).toEqual(expect.arrayContaining(["trade-off", "paired-lora", "paired-adapter"]));
    for (const figure of parseHTML(comparisonPage).document.querySelectorAll("figure")) {
      expect(figure.querySelectorAll("path[d], circle").length).toBeGreaterThan(2);
    }
  });

  test("escapes names, paths and messages", () => {
    const nasty = `<img src=x onerror="alert('1')">&`;
    const warning = { type: "warning", time: 0, step: 1, code: "x", message: nasty } as const;
    const record = sampleRecord({ data: nasty, model: nasty });
    const text = reportHtml({ title: nasty, runs: [{ name: nasty, record, events: [warning] }] });
    expect(text).not.toContain("<img");
    expect(text).toContain("&#60;img");
    expect(html`<b>${nasty}</b>`.markup).not.toContain("<img");
  });

  test("a run without results or events is still a page that says so", () => {
    const text = reportHtml({ title: "x", runs: [{ name: "x", record: sampleRecord(), events: [] }] });
    expect(text).toContain("This run has not ended");
    expect(text).not.toContain("<figure");
  });
});

describe("reportHtml of committed real runs", () => {
  const documentOf = (content: Parameters<typeof reportHtml>[0]) => parseHTML(reportHtml(content)).document;
  const idsOf = (document: ReturnType<typeof documentOf>) =>
    [...document.querySelectorAll("figure")].map(({ id }) => id);

  test.each(GOLDEN_RUNS)("%s: every figure draws something at both widths, each id once", (name) => {
    const document = documentOf({ title: name, runs: [runReport(name)] });
    const ids = idsOf(document);
    expect(ids).toEqual(expect.arrayContaining(["loss", "score", "density-over-steps", "density-per-layer"]));
    expect(new Set(ids).size).toBe(ids.length);
    for (const figure of document.querySelectorAll("figure"))
      for (const size of ["wide", "narrow"])
        expect(figure.querySelectorAll(`.${size} path[d], .${size} circle, .${size} line`).length).toBeGreaterThan(2);
    expect(document.body.textContent).not.toMatch(/NaN|undefined|\[object/);
  });

  test("the curve of a score goes through its evaluations", () => {
    const figure = documentOf({ title: "deft", runs: [runReport("deft")] }).getElementById("score")!;
    const heights = [...figure.querySelectorAll(".wide g.dot")][0]!.querySelectorAll("circle");
    const at = [...heights].map((dot) => Number(dot.getAttribute("cy")));
    // accuracies 18.75, 27.5, 15 and 17.5 %, on a linear axis
    const [first, second, third, fourth] = at as [number, number, number, number];
    expect((first - second) / (third - second)).toBeCloseTo((0.275 - 0.1875) / (0.275 - 0.15), 1);
    expect((fourth - second) / (third - second)).toBeCloseTo((0.275 - 0.175) / (0.275 - 0.15), 1);
  });

  test("a removal of neurons is drawn from all to what was asked for", () => {
    const ids = idsOf(documentOf({ title: "removal", runs: [runReport("removal")] }));
    expect(ids).toContain("kept-share");
    expect(idsOf(documentOf({ title: "deft", runs: [runReport("deft")] }))).not.toContain("kept-share");
  });

  test("a regression's answers are drawn against their targets", () => {
    const document = documentOf({ title: "regression", runs: [runReport("regression")] });
    expect(document.querySelectorAll("#residuals-regression .wide g.dot circle")).toHaveLength(32);
  });

  test("runs of different tasks have curves, tables and figures of their own", () => {
    const runs = ["peft", "deft", "regression", "questions"].map(runReport);
    const document = documentOf({ title: "all", runs });
    expect(idsOf(document)).toEqual(expect.arrayContaining(["score-1", "score-2", "score-3", "loss-1", "loss-2"]));
    const tables = [...document.querySelectorAll('[aria-label^="runs on"]')].map((table) => [
      table.getAttribute("aria-label"),
      [...table.querySelectorAll("tbody th")].map((cell) => cell.textContent),
    ]);
    expect(tables).toEqual([
      ["runs on text-classification", ["peft", "deft"]],
      ["runs on stsb", ["regression"]],
      ["runs on squad", ["questions"]],
    ]);
    expect(document.querySelectorAll("details > summary")).toHaveLength(5);
  });

  test("the paper's numbers are not beside those of a small model", () => {
    const runs = ["peft", "deft"].map(runReport);
    const comparisons = pairedComparisons(runs.map(({ record }) => record));
    expect(comparisons).toHaveLength(1);
    expect(reportHtml({ title: "two", runs, comparisons, compressions: [compressionReport()] })).not.toContain(
      "The paper’s numbers",
    );
  });
});

describe("figures", () => {
  const draw: [string, Figure | null][] = [
    ["one step", figures.lossFigure([{ name: "a", events: sampleEvents({ totalSteps: 1, evalSteps: 1 }) }])],
    ["one layer", figures.layerFigure(sampleDensity(0.5, 1))],
    ["24 layers", figures.layerFigure(sampleDensity(0.5, 24))],
    ["one row", figures.tradeOffFigure({ ...sampleComparison(), rows: sampleComparison().rows.slice(0, 1) })],
  ];
  test.each(draw)("%s: finite coordinates, also as a file of its own", (_, figure) => {
    expect(figure?.svg).not.toMatch(/NaN|Infinity|undefined/);
    const file = standaloneSvg(figure!);
    expect(file).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*><title>/);
    expect(file).not.toContain("&nbsp;");
  });

  test("without data there is no figure", () => {
    expect(figures.lossFigure([])).toBeNull();
    expect(figures.scoreFigure([{ name: "a", events: [] }], "accuracy")).toBeNull();
    expect(figures.thresholdFigure([])).toBeNull();
    expect(figures.tradeOffFigure({ task: "t", metricName: "accuracy", rows: [] })).toBeNull();
  });

  test("smoothing has no bias at the start, thinning keeps means", () => {
    const flat = Array.from({ length: 1000 }, (_, x) => ({ x, y: 3 }));
    for (const { y } of smooth(flat)) expect(y).toBeCloseTo(3, 9);
    expect(thin(flat, 10)).toHaveLength(10);
    expect(thin(flat, 10)[0]).toEqual({ x: 49.5, y: 3 });
  });
});

describe("modelCard", () => {
  const frontMatter = (card: string) => parseDocument(card.split("---\n")[1] ?? "").toJS();

  test("front matter of a LoRA on a hub model", () => {
    const card = modelCard(sampleRecord({}, sampleEvaluation(0.9, 0.3)), { license: "apache-2.0" });
    expect(frontMatter(card)).toMatchObject({
      base_model: "sentence-transformers/all-MiniLM-L6-v2",
      base_model_relation: "adapter",
      library_name: "peft",
      license: "apache-2.0",
      metrics: ["accuracy"],
      "model-index": [{ results: [{ metrics: [{ type: "accuracy", value: 0.9 }] }] }],
    });
    expect(card).not.toMatch(/peft_type|undefined|NaN/);
  });

  test("a local base is not named as a hub id; a baseline is compared with", () => {
    const record = sampleRecord({ model: "./models/bert" }, sampleEvaluation(0.9, 0.3));
    expect(frontMatter(modelCard(record))).not.toHaveProperty("base_model");
    expect(modelCard(record, { baseline: sampleEvaluation(0.91, 0.6) })).toContain(
      "60.0 % → 30.0 %, Accuracy 91.00 % → 90.00 % (−1.00)",
    );
  });
});

test("a run's folder gets its page, card, figure and result files", () => {
  expect(runFiles(run).map((file) => file.path)).toEqual([
    "report.html",
    "README.md",
    "figures/density-per-layer.svg",
    "train_results.json",
    "eval_results.json",
    "all_results.json",
  ]);
});

test("a command line is quoted for a POSIX shell", () => {
  expect(shellLine(["deft", "predict", "--text", "it's $5"])).toBe(`deft predict --text 'it'\\''s $5'`);
});
