// What runs answered, against scikit-learn's reading of the same predictions.jsonl, and which examples count as the worst.
import { readFileSync } from "node:fs";
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { runReport } from "../../test/support/golden-runs.ts";
import type { Outcome } from "../tasks/evaluation.ts";
import {
  answersOf,
  type ClassAnswers,
  classesTable,
  confusionsTable,
  majoritySentence,
  worstAnswers,
} from "./answers.ts";
import { reportHtml } from "./page/html.ts";

interface Golden {
  readonly labels: readonly string[];
  readonly confusion: readonly (readonly number[])[];
  readonly report: Readonly<Record<string, readonly [number, number, number, number]>>;
  readonly wrong: readonly number[];
}
const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/runs/answers.json", import.meta.url), "utf8"),
) as Readonly<Record<string, Golden>>;

const classesOf = (name: string): ClassAnswers => {
  const { record, outcomes } = runReport(name);
  const answers = answersOf(outcomes, record.labels);
  if (answers?.kind !== "classes") throw new Error(`${name}: expected classes`);
  return answers;
};
const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

describe.each(Object.entries(golden))("the answers of %s, as scikit-learn reads them", (name, expected) => {
  test("are confused alike", () => {
    expect(classesOf(name).counts).toEqual(expected.confusion);
  });

  test("have the scores of classification_report in the table", () => {
    const { rows } = classesTable(classesOf(name));
    const found = Object.fromEntries(rows.map(([label, ...cells]) => [label!.replace(" average", " avg"), cells]));
    expect(Object.keys(found)).toEqual([...expected.labels, "macro avg", "weighted avg"]);
    for (const [label, [precision, recall, f1, support]] of Object.entries(expected.report)) {
      // a mean over classes that never occur differs where scikit-learn is told to list them
      if (label === "macro avg" && expected.confusion.some((row, c) => sum(row) + sum(columnOf(expected, c)) === 0))
        continue;
      expect(found[label]).toEqual([...[precision, recall, f1].map(percent), String(support)]);
    }
  });

  test("are on the page: the matrix, and the wrong ones with the largest loss first", () => {
    const { document } = parseHTML(reportHtml({ title: name, runs: [runReport(name)] }));
    const cells = [...document.querySelectorAll(".matrix tbody tr")].map((row) =>
      [...row.querySelectorAll("td")].map((cell) => Number(cell.textContent)),
    );
    expect(cells).toEqual(expected.confusion);
    const worst = document.querySelector('[aria-label="worst examples"]');
    const lines = [...(worst?.querySelectorAll("tbody th") ?? [])].map((cell) => Number(cell.textContent));
    expect(lines).toEqual(expected.wrong.slice(0, 20));
  });
});

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const columnOf = ({ confusion }: Golden, c: number) => confusion.map((row) => row[c]!);

describe("a majority-class answer", () => {
  test("is told on the page of the run that gives it, and on no other", () => {
    const warned = ["peft", "deft", "majority"].filter((name) => majoritySentence(classesOf(name)) !== null);
    expect(warned).toEqual(["majority"]);
    expect(reportHtml({ title: "m", runs: [runReport("majority")] })).toContain(
      "The model answers “negative” for 100.0 % of the evaluation examples, of which 50.0 % have this label.",
    );
  });
});

describe("the worst answers", () => {
  const outcomes = (list: readonly Partial<Outcome>[]): Outcome[] =>
    list.map((of, i) => ({ line: i + 1, prediction: "a", target: "b", score: 0, ...of }));
  const worstOf = (list: readonly Partial<Outcome>[], labels: readonly string[] = []) => {
    const answers = answersOf(outcomes(list), labels);
    return answers && worstAnswers(answers);
  };

  test("of classes are the wrong ones, the largest loss first", () => {
    const worst = worstOf(
      [
        { loss: 0.7, probability: 0.51 },
        { target: "a", loss: 0.1, probability: 0.9, score: 1 },
        { loss: 3, probability: 0.95, text: "a text", pair: "another" },
      ],
      ["a", "b"],
    );
    expect(worst).toEqual({
      sentence: "The 2 wrong answers with the largest loss of the label: those it was most certainly wrong about.",
      head: ["line", "label", "answer", "probability", "loss"],
      align: ["right", "left", "left"],
      rows: [
        { cells: ["3", "b", "a", "95.0 %", "3.00"], text: "a text", pair: "another" },
        { cells: ["1", "b", "a", "51.0 %", "0.70"], text: null, pair: null },
      ],
    });
  });

  test("of a file of version 0.1.0 stand by line, without what it does not hold", () => {
    const worst = worstOf([{}, {}, { target: "a", score: 1 }], ["a", "b"]);
    expect(worst?.head).toEqual(["line", "label", "answer"]);
    expect(worst?.rows.map(({ cells, text }) => [cells[0], text])).toEqual([
      ["1", null],
      ["2", null],
    ]);
    const run = { ...runReport("deft"), outcomes: outcomes([{ prediction: "animal", target: "plant" }]) };
    expect(reportHtml({ title: "old", runs: [run] })).toContain("This run kept no texts");
  });

  test("of numbers have the largest residuals", () => {
    const worst = worstOf([
      { prediction: 1.5, target: 2, score: null },
      { prediction: 4, target: 1, score: null },
      { prediction: 1, target: 1, score: null },
      { prediction: 0, target: 1, score: null },
    ]);
    expect(worst?.rows.map(({ cells }) => cells)).toEqual([
      ["2", "1.00", "4.00", "3.00"],
      ["4", "1.00", "0", "−1.00"].map((cell) => (cell === "0" ? "0.00" : cell)),
      ["1", "2.00", "1.50", "−0.50"],
    ]);
  });

  test("of texts have the lowest score; of equals those it was surest of", () => {
    const worst = worstOf([
      { prediction: "x", target: ["y", "z", "y"], score: 0, probability: 0.2 },
      { prediction: "", target: [], score: 1, probability: 0.9 },
      { prediction: "", target: "y", score: 0, probability: 0.8 },
      { prediction: "y y", target: "y", score: 0, metric: 0.667, probability: 0.3 },
    ]);
    expect(worst?.rows.map(({ cells }) => cells)).toEqual([
      ["3", "y", "(empty)", "0.0 %", "80.0 %"],
      ["1", "y / z", "x", "0.0 %", "20.0 %"],
      ["4", "y", "y y", "66.7 %", "30.0 %"],
    ]);
  });

  test("are none where everything is right, or nothing has a target", () => {
    expect(worstOf([{ target: "a", score: 1 }], ["a", "b"])).toBeNull();
    expect(worstOf([{ target: null, score: null }], ["a", "b"])).toBeNull();
    expect(answersOf(null, [])).toBeNull();
    expect(reportHtml({ title: "q", runs: [runReport("questions")] })).toContain("Every answer is right.");
  });
});

test("of many classes the pairs that are confused most are listed instead of a matrix", () => {
  const labels = Array.from({ length: 30 }, (_, i) => `class ${i}`);
  const outcomes = labels.flatMap((target, i) =>
    Array.from({ length: 4 }, (_, k) => ({
      line: 4 * i + k,
      target,
      prediction: labels[i === 3 && k > 0 ? 5 : i]!,
      score: null,
    })),
  );
  const run = runReport("deft");
  const page = reportHtml({ title: "many", runs: [{ ...run, record: { ...run.record, labels }, outcomes }] });
  expect(page).not.toContain('class="matrix');
  const answers = answersOf(outcomes, labels) as ClassAnswers;
  expect(confusionsTable(answers).rows).toEqual([["class 3", "class 5", "3", "75.0 %"]]);
});

test("names and texts with markup are text", () => {
  const nasty = '<img src=x onerror="alert(1)">';
  const run = runReport("majority");
  const outcomes = [{ line: 1, prediction: nasty, target: "b", score: 0, loss: 1, text: nasty, pair: nasty }];
  const page = reportHtml({
    title: "x",
    runs: [{ ...run, record: { ...run.record, labels: [nasty, "b"] }, outcomes }],
  });
  expect(page).not.toContain("<img");
  expect(parseHTML(page).document.querySelector("td.example")?.textContent).toBe(nasty + nasty);
});
