// PEFT against DEFT where a model has two stacks: neither is left out of a table or a sentence.
import { expect, test } from "vitest";
import type { Density } from "../../density/index.ts";
import { comparisonRow } from "../../jobs/index.ts";
import type { Evaluation } from "../../tasks/index.ts";
import { comparisonSentences, comparisonTable, definitionsTable } from "./tables.ts";

const density = (share: number): Density => ({
  paper: share,
  exact: share,
  thresholds: { "0.01": share },
  deadNeurons: 0,
  rareNeurons: 0,
  neurons: 8,
});

function evaluation(encoder: number, decoder?: number): Evaluation {
  const stacks = { encoder: density(encoder), ...(decoder === undefined ? {} : { decoder: density(decoder) }) };
  const timing = { examplesPerSecond: 1, totalMs: 1 };
  const facts = { task: "seq2seq", split: "dev", examples: 4, loss: 1, metrics: { rougeL: 0.5 }, timing };
  return { ...facts, density: { ...stacks, layers: [] } };
}

const compared = (peft: Evaluation, deft: Evaluation) => ({
  task: "seq2seq",
  metricName: "rougeL",
  rows: [comparisonRow({ method: "lora", seed: 1, peft, deft }, "rougeL")],
});

test("a model that writes has columns of both stacks", () => {
  const comparison = compared(evaluation(0.5, 0.8), evaluation(0.4, 0.2));
  const { head, rows } = comparisonTable(comparison);
  expect(head.slice(5)).toEqual(["encoder density PEFT", "DEFT", "removed", "decoder density PEFT", "DEFT", "removed"]);
  expect(rows[0]!.slice(5)).toEqual(["50.0 %", "40.0 %", "20.0 %", "80.0 %", "20.0 %", "75.0 %"]);
  expect(definitionsTable(comparison).rows.map(([name]) => name)).toEqual([
    "encoder: non-zero, with padding",
    "encoder: non-zero",
    "encoder: |a| > 0.01",
    "decoder: non-zero, with padding",
    "decoder: non-zero",
    "decoder: |a| > 0.01",
  ]);
  expect(comparisonSentences(comparison)[0]).toContain("by −20.0 % in the encoder, −75.0 % in the decoder and");
});

test("an encoder has no names of stacks", () => {
  const comparison = compared(evaluation(0.5), evaluation(0.4));
  expect(comparisonTable(comparison).head.slice(5)).toEqual(["density PEFT", "DEFT", "removed"]);
  expect(definitionsTable(comparison).rows.map(([name]) => name)).toEqual([
    "non-zero, with padding",
    "non-zero",
    "|a| > 0.01",
  ]);
  expect(comparisonSentences(comparison)[0]).toContain("by −20.0 % and");
});
