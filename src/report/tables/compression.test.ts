// Compressed models on a page: what is drawn of a search, a benchmark and gates, and the paper beside it.

import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import {
  sampleBench,
  sampleCandidates,
  sampleCompressed,
  sampleCompression,
} from "../../../test/support/compressions.ts";
import { sampleRun } from "../../../test/support/records.ts";
import { benchedScores, layersAlone, measuredImportance, scoredCandidates, statedChange } from "../candidates.ts";
import * as figures from "../figures/compression-figures.ts";
import { paretoFront, rankCorrelation, ranksOf } from "../figures/pareto.ts";
import * as trades from "../figures/trade-figures.ts";
import { reportHtml } from "../page/html.ts";
import { candidatesTable, compressedLayersTable, compressionsTable } from "./compression.ts";

describe("paretoFront", () => {
  test("keeps what none beats in both directions", () => {
    const points = [
      { cost: 1, gain: 5 },
      { cost: 0.5, gain: 4 },
      { cost: 0.7, gain: 3 },
      { cost: 0.5, gain: 2 },
      { cost: 0.9, gain: 5 },
      { cost: Number.NaN, gain: 9 },
    ];
    expect(paretoFront(points)).toEqual([
      { cost: 0.5, gain: 4 },
      { cost: 0.9, gain: 5 },
    ]);
    expect(paretoFront([])).toEqual([]);
  });

  // scipy.stats.spearmanr([1, 2, 2, 4], [3, 1, 2, 9]) and rankdata
  test("ranks and their correlation", () => {
    expect(ranksOf([10, 20, 20, 5])).toEqual([2, 3.5, 3.5, 1]);
    expect(rankCorrelation([1, 2, 2, 4], [3, 1, 2, 9])).toBeCloseTo(0.316227766, 8);
    expect(rankCorrelation([1, 2, 3], [9, 4, 1])).toBeCloseTo(-1, 12);
    expect(rankCorrelation([1, 1], [1, 2])).toBeNaN();
  });
});

describe("candidates", () => {
  const record = sampleCompression();

  test("are compared with the dense model on the same examples; the one that was taken is known", () => {
    const all = scoredCandidates(record);
    expect(all).toHaveLength(6 * 8 + 9);
    expect(all[0]).toMatchObject({ share: 1, change: 0 });
    const taken = all.filter(({ isChosen }) => isChosen);
    expect(taken).toHaveLength(1);
    expect(taken[0]!.share).toBeCloseTo(record.after.neurons / record.before.neurons, 12);
    expect(taken[0]!.change).toBeCloseTo(-0.002 * 5 ** 1.6, 12);
    expect(statedChange(record)).toBeCloseTo(-1.3 * 0.002 * 5 ** 1.6, 12);
  });

  test("of one layer alone give its importance; a layer that was not measured leaves none", () => {
    expect(layersAlone(record)).toHaveLength(48);
    const importance = measuredImportance(record);
    expect(importance).toHaveLength(6);
    expect(importance![0]).toBeLessThan(importance![1]!);
    const fewer = sampleCandidates(6).filter(({ sizes }) => sizes[2] !== 0);
    expect(measuredImportance({ ...record, candidates: fewer })).toBeNull();
    expect(measuredImportance({ ...record, candidates: [] })).toBeNull();
  });

  test("of a benchmark are the source and the model, int8 where its score is known", () => {
    const compressed = sampleCompressed();
    const found = benchedScores([compressed], sampleBench(["./runs/deft/", "runs/small", "runs/other"]));
    expect(found.map(({ name, row }) => `${name} ${row.precision} ${row.batch}`)).toEqual([
      "dense fp32 1",
      "small fp32 1",
      "small int8 1",
      "dense fp32 32",
      "small fp32 32",
      "small int8 32",
    ]);
    expect(found[0]).toMatchObject({ latencyRatio: 1, change: 0 });
    expect(found[1]!.latencyRatio).toBeCloseTo(0.75, 12);
    expect(found[2]!.change).toBeCloseTo(statedChange(compressed.record) - 0.003, 12);
    const unknown = { ...compressed, record: { ...compressed.record, quantization: "q4" as const } };
    expect(benchedScores([unknown], sampleBench()).some(({ row }) => row.precision === "int8")).toBe(false);
  });
});

describe("tables", () => {
  test("a layer has its neurons, density, gate and measured importance with their ranks", () => {
    const compressed = sampleCompressed();
    const density = sampleRun("deft", 1).record.result!.density;
    const { head, rows } = compressedLayersTable(compressed, density);
    expect(head).toEqual([
      "layer",
      "neurons",
      "kept",
      "share",
      "density |a| > 0.01",
      "dead",
      "gate",
      "rank",
      "missed by",
      "rank",
    ]);
    expect(rows).toHaveLength(6);
    expect(rows[0]).toEqual(["0", "1,536", "688", "45 %", "20.3 %", "72", "0.150", "1.5", "0.020", "1"]);
    const plain = compressedLayersTable(
      { ...compressed, gates: null, record: { ...compressed.record, candidates: [] } },
      null,
    );
    expect(plain.head).toEqual(["layer", "neurons", "kept", "share"]);
  });

  test("every candidate is a row, the taken one with a mark", () => {
    const { rows } = candidatesTable(sampleCompression());
    expect(rows).toHaveLength(57);
    expect(rows.filter(([mark]) => mark === "taken")).toHaveLength(1);
    expect(rows.flat().join(" ")).not.toMatch(/NaN|undefined/);
  });

  test("models stand side by side", () => {
    const { rows } = compressionsTable([sampleCompressed(), sampleCompressed({ folder: "runs/smaller", taken: 7 })]);
    expect(rows.map(([name, , , , change]) => [name, change])).toEqual([
      ["small", "−3.41"],
      ["smaller", "−5.85"],
    ]);
  });
});

describe("the page", () => {
  const page = reportHtml({
    title: "x",
    runs: [sampleRun("deft", 1)],
    compressions: [sampleCompressed(), sampleCompressed({ folder: "runs/smaller", taken: 7 })],
    bench: sampleBench(["runs/deft", "runs/small", "runs/smaller"]),
  });
  const { document } = parseHTML(page);

  test("has every figure once, and each draws something", () => {
    expect(page).not.toMatch(/<script|<link|@import|url\(|src=|NaN|undefined|\[object/);
    const found = [...document.querySelectorAll("figure")];
    const ids = found.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const own = ["score-neurons", "score-latency", "score-size"];
    const each = ["kept", "spare", "gates"].flatMap((of) => [`${of}-small`, `${of}-smaller`]);
    expect(ids).toEqual(expect.arrayContaining([...own, ...each]));
    for (const figure of found) expect(figure.querySelectorAll("path[d], circle, rect").length).toBeGreaterThan(2);
  });

  test("draws every candidate that has a score, and every result", () => {
    const figure = document.getElementById("score-neurons")!;
    // two models with nine scored candidates each and the dense one
    expect(figure.querySelectorAll(".wide g.dot > *").length).toBe(2 * 9 + 2 + 1);
    expect(document.querySelectorAll("details").length).toBe(2);
    expect(document.querySelectorAll("details")[0]!.querySelectorAll("tbody tr").length).toBe(57);
  });

  test("takes density from the source's run, and says what the budget came to", () => {
    expect(page).toContain("density |a| &#62; 0.01");
    expect(page).toContain("1.20 points (95 %: 0.10 to 2.40) lost on examples the search did not see");
    expect(page).toContain("missed by 0.20, which these few examples cannot tell from met");
  });

  test("a model without a search, gates or run is still told of", () => {
    const record = { ...sampleCompression(), candidates: [], chosen: { rule: "explicit" } };
    const alone = reportHtml({ title: "x", runs: [], compressions: [{ name: "small", record, gates: null }] });
    const ids = [...parseHTML(alone).document.querySelectorAll("figure")].map(({ id }) => id);
    expect(ids).toEqual(["score-neurons", "score-size", "kept-small"]);
    expect(alone).not.toMatch(/NaN|undefined|<details/);
  });
});

test("without data there is no figure", () => {
  const record = { ...sampleCompression(), candidates: [] };
  const bare = { name: "a", record, gates: null };
  expect(figures.spareFigure(bare)).toBeNull();
  expect(figures.gatesFigure(bare)).toBeNull();
  expect(figures.gatesFigure({ ...sampleCompressed(), gates: [0.5] })).toBeNull();
  expect(figures.gatesOverStepsFigure(sampleRun("a", 1).events)).toBeNull();
  expect(trades.scoreByDensityFigure([sampleRun("a", 1)])).toBeNull();
  expect(trades.scoreByDensityFigure([sampleRun("a", 0), sampleRun("b", 1)])?.svg).not.toMatch(/NaN/);
});

test("gates over steps: a line for each, with finite coordinates", () => {
  const events = sampleRun("a", 1).events.map((event) =>
    event.type === "step" ? { ...event, gates: [0.98, 1 - event.step / 500, 0.5] } : event,
  );
  const figure = figures.gatesOverStepsFigure(events)!;
  expect(figure.svg).not.toMatch(/NaN|Infinity/);
  expect(parseHTML(figure.svg).document.querySelectorAll("g.line path").length).toBe(3);
});

test("the share of activations that are not zero has a column where a model was given another activation", () => {
  const plain = { name: "small", record: sampleCompression(), gates: null };
  const activation = {
    before: { name: "gelu", density: { encoder: 0.999 } },
    after: { name: "relu", density: { encoder: 0.05 } },
  };
  const swapped = { ...plain, name: "relu", record: { ...plain.record, activation } };
  const of = (list: Parameters<typeof compressionsTable>[0]) => compressionsTable(list);
  expect(of([plain as never]).head).not.toContain("activations not zero");
  const { head, rows } = of([plain as never, swapped as never]);
  expect(head.at(-1)).toBe("activations not zero");
  expect(rows.map((row) => row.at(-1))).toEqual(["–", "5.0 %"]);
});
