// What a run answered, as tables: scores of each class, the pairs that are confused, and the examples that went worst.

import type { ConfusionMatrix, Outcome } from "../tasks/index.ts";
import {
  type ClassificationReport,
  type ClassScores,
  classificationReport,
  type MajorityAnswer,
  majorityAnswer,
  outcomeConfusion,
} from "../tasks/index.ts";
import { count, decimal, percent, significant } from "./format.ts";
import type { TextTable } from "./tables/table.ts";

/** Answers that are classes, with how they were confused. */
export interface ClassAnswers {
  readonly kind: "classes";
  readonly outcomes: readonly Outcome[];
  readonly labels: readonly string[];
  readonly counts: ConfusionMatrix;
  readonly report: ClassificationReport;
  readonly majority: MajorityAnswer | null;
}

/** An answer that is a number, with its target. */
export interface NumberOutcome extends Outcome {
  readonly prediction: number;
  readonly target: number;
}

/** What a run answered, by what its answers are. */
export type Answers =
  | ClassAnswers
  | { readonly kind: "numbers"; readonly outcomes: readonly NumberOutcome[] }
  | { readonly kind: "texts"; readonly outcomes: readonly Outcome[] };

/** Stored outcomes by what they are; null without any that has a target. `labels` are the run's class names. */
export function answersOf(outcomes: readonly Outcome[] | null | undefined, labels: readonly string[]): Answers | null {
  const known = (outcomes ?? []).filter(({ target }) => target !== null);
  if (known.length === 0) return null;
  const counts = outcomeConfusion(known, labels);
  if (counts !== null) {
    const report = classificationReport(counts);
    return { kind: "classes", outcomes: known, labels, counts, report, majority: majorityAnswer(counts) };
  }
  const isNumber = (outcome: Outcome): outcome is NumberOutcome =>
    typeof outcome.prediction === "number" && typeof outcome.target === "number";
  return known.every(isNumber) ? { kind: "numbers", outcomes: known } : { kind: "texts", outcomes: known };
}

/** What the check for a majority-class answer found, in a sentence. */
export function majoritySentence({ labels, majority }: Pick<ClassAnswers, "labels" | "majority">): string | null {
  if (majority === null) return null;
  const name = `“${labels[majority.classIndex] ?? ""}”`;
  return majority.reason === "one-class"
    ? `The model answers ${name} for ${percent(majority.predictedShare)} of the evaluation examples, of which ${percent(majority.labelShare)} have this label.`
    : `The accuracy equals the share of ${name} among the labels (${percent(majority.labelShare)}): always answering ${name} would score the same.`;
}

/** Precision, recall and F1 of each class and their means, as scikit-learn's `classification_report` has them. */
export function classesTable({ labels, report }: Pick<ClassAnswers, "labels" | "report">): TextTable {
  const cells = (name: string, { precision, recall, f1, support }: ClassScores) => [
    name,
    ...[precision, recall, f1].map((value) => percent(value)),
    count(support),
  ];
  return {
    head: ["class", "precision", "recall", "F1", "examples"],
    rows: [
      ...report.classes.map((scores, c) => cells(labels[c] ?? String(c), scores)),
      cells("macro average", report.macro),
      cells("weighted average", report.weighted),
    ],
  };
}

/** The pairs of classes that are confused most, for models of many classes. */
export function confusionsTable({ labels, counts }: Pick<ClassAnswers, "labels" | "counts">, limit = 20): TextTable {
  const pairs = counts.flatMap((row, label) =>
    row.flatMap((cell, answer) => (cell === 0 || label === answer ? [] : [{ label, answer, cell }])),
  );
  const support = counts.map((row) => row.reduce((sum, cell) => sum + cell, 0));
  return {
    head: ["label", "answered as", "examples", "of the label"],
    align: ["left", "left"],
    rows: pairs
      .toSorted((a, b) => b.cell - a.cell)
      .slice(0, limit)
      .map(({ label, answer, cell }) => [
        labels[label] ?? "",
        labels[answer] ?? "",
        count(cell),
        percent(cell / support[label]!),
      ]),
  };
}

/** Examples with their numbers, the worst first, and a sentence on how they were chosen. */
export interface WorstAnswers {
  readonly sentence: string;
  /** Columns before the text. */
  readonly head: readonly string[];
  readonly align: readonly ("left" | "right")[];
  readonly rows: readonly {
    readonly cells: readonly string[];
    /** Null where the run kept no texts. */
    readonly text: string | null;
    readonly pair: string | null;
  }[];
}

/** The worst answers of a run; null where all are right. */
export function worstAnswers(answers: Answers, limit = 20): WorstAnswers | null {
  switch (answers.kind) {
    case "classes":
      return worstClasses(answers.outcomes, limit);
    case "numbers":
      return worstNumbers(answers.outcomes, limit);
    case "texts":
      return worstTexts(answers.outcomes, limit);
  }
}

function worstClasses(outcomes: readonly Outcome[], limit: number): WorstAnswers | null {
  const wrong = outcomes.filter(({ prediction, target }) => prediction !== target);
  const hasLoss = wrong.some(({ loss }) => loss !== undefined);
  const chosen = wrong.toSorted((a, b) => (b.loss ?? 0) - (a.loss ?? 0) || a.line - b.line).slice(0, limit);
  const how = hasLoss ? " with the largest loss of the label: those it was most certainly wrong about" : "";
  return worst(chosen, `${amount(chosen.length, wrong.length, "wrong answer")}${how}.`, {
    head: ["line", "label", "answer", ...(hasLoss ? ["probability", "loss"] : [])],
    align: ["right", "left", "left"],
    cells: ({ target, prediction, probability, loss }) => [
      textOf(target),
      textOf(prediction),
      ...(hasLoss ? [share(probability), number(loss)] : []),
    ],
  });
}

function worstNumbers(outcomes: readonly NumberOutcome[], limit: number): WorstAnswers | null {
  const residual = ({ prediction, target }: NumberOutcome) => prediction - target;
  const chosen = outcomes
    .filter((outcome) => residual(outcome) !== 0)
    .toSorted((a, b) => Math.abs(residual(b)) - Math.abs(residual(a)) || a.line - b.line)
    .slice(0, limit);
  return worst(chosen, `${amount(chosen.length, outcomes.length, "answer")} with the largest residuals.`, {
    head: ["line", "target", "answer", "residual"],
    align: ["right", "right", "right", "right"],
    cells: (outcome) => [number(outcome.target), number(outcome.prediction), number(residual(outcome))],
  });
}

function worstTexts(outcomes: readonly Outcome[], limit: number): WorstAnswers | null {
  const scoreOf = ({ metric, score }: Outcome) => metric ?? score ?? Number.NaN;
  const imperfect = outcomes.filter((outcome) => scoreOf(outcome) < 1);
  const hasProbability = imperfect.some(({ probability }) => probability !== undefined);
  const chosen = imperfect
    .toSorted((a, b) => scoreOf(a) - scoreOf(b) || (b.probability ?? 0) - (a.probability ?? 0) || a.line - b.line)
    .slice(0, limit);
  const how = hasProbability ? ", of equals those that the model was surest of" : "";
  return worst(chosen, `${amount(chosen.length, imperfect.length, "answer")} with the lowest score${how}.`, {
    head: ["line", "expected", "answer", "score", ...(hasProbability ? ["probability"] : [])],
    align: ["right", "left", "left"],
    cells: (outcome) => [
      textOf(outcome.target),
      textOf(outcome.prediction),
      share(scoreOf(outcome)),
      ...(hasProbability ? [share(outcome.probability)] : []),
    ],
  });
}

interface Columns<T> extends Pick<WorstAnswers, "head" | "align"> {
  readonly cells: (outcome: T) => readonly string[];
}

function worst<T extends Outcome>(
  chosen: readonly T[],
  sentence: string,
  { head, align, cells }: Columns<T>,
): WorstAnswers | null {
  if (chosen.length === 0) return null;
  const rows = chosen.map((outcome) => ({
    cells: [String(outcome.line), ...cells(outcome)],
    text: outcome.text ?? null,
    pair: outcome.pair ?? null,
  }));
  return { sentence, head, align, rows };
}

function amount(shown: number, all: number, what: string): string {
  const plural = all === 1 ? what : `${what}s`;
  return shown === all ? `The ${count(all)} ${plural}` : `${count(shown)} of ${count(all)} ${plural}, those`;
}

const share = (value: number | undefined) => (value === undefined ? "–" : percent(value));
const number = (value: number | undefined) => (value === undefined ? "–" : decimalOf(value));
const decimalOf = (value: number) => (Math.abs(value) >= 0.01 || value === 0 ? decimal(value) : significant(value, 2));

/** Labels and texts as a cell shows them: several right answers side by side, an empty one as a sign. */
function textOf(value: Outcome["target"]): string {
  if (value === null) return "–";
  if (typeof value === "object") return value.length === 0 ? "(no answer)" : [...new Set(value)].join(" / ");
  return value === "" ? "(empty)" : String(value);
}
