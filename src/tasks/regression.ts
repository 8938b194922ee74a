// One number an example: squared error.
import { encodeExamples } from "../data/index.ts";
import { reshape } from "../graph/index.ts";
import { squaredError } from "../nn/index.ts";
import { float32, zeros } from "../tensor/index.ts";
import { perExample, scoreLabels } from "./label-scores.ts";
import { numbersAt, overExamples, sequenceHead } from "./sequence-head.ts";
import type { TaskRecord } from "./task.ts";

export const regressionHead = sequenceHead({
  kind: "regression",
  name: "a regression head",
  gives: () => "a regression",
  problemType: "regression",
  numLogits: () => 1,
  classNames: () => ["LABEL_0"],
  weighing: null,
  labelInput: (graph) => graph.input("labels", "float32", ["B"]),
  labelLoss: (logits, labels) => overExamples(squaredError(logits, labels)),
  teacherLoss: (logits, teacher) => squaredError(logits, reshape(teacher, [logits.shape[0]!])),
  labelsAt(examples, indices) {
    const labels = numbersAt(examples, indices);
    return labels && float32([labels.length], labels);
  },
  noLabels: (rows) => zeros("float32", [rows]),
  // the variance of the labels
  chanceLoss({ labels, count }) {
    const mean = labels.reduce((sum, label) => sum + label, 0) / count;
    return labels.reduce((sum, label) => sum + (label - mean) ** 2, 0) / count;
  },
  // the mean squares about the weighted mean
  taughtChance({ labels }, indices, rows, { weight }) {
    const both = (of: (score: number) => number) =>
      indices.reduce((sum, index, i) => sum + (1 - weight) * of(labels[index]!) + weight * of(rows[i]![0]!), 0) /
      indices.length;
    return both((score) => score * score) - both((score) => score) ** 2;
  },
});

/** A number. */
export interface ScorePrediction {
  readonly value: number;
  readonly logits: readonly number[];
}

export const regression: TaskRecord<ScorePrediction> = {
  kind: "regression",
  names: ["text-regression", "text-pair-regression"],
  asksQuestions: false,
  takesWords: false,
  hasClasses: false,
  exampleInput: ["--text", "…"],
  encode: (examples, tokenizer, { maxLength }) => encodeExamples(examples, tokenizer, { maxLength }),
  reading: {
    head: regressionHead,
    score: (logits, examples, { task }) =>
      scoreLabels(
        perExample(examples.count, (index) => logits.of(index)[0]!),
        examples,
        task,
        {
          named: (value) => value,
          score: () => null,
          certainty: (_, prediction, target) => (target === null ? {} : { loss: (prediction - target) ** 2 }),
        },
      ),
    answers: (rows, { count }) =>
      Array.from({ length: count }, (_, index) => {
        const logits = Array.from(rows.of(index));
        return { value: logits[0]!, logits };
      }),
  },
  writing: null,
};
