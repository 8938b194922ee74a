// One class an example: softmax over its logits, cross-entropy.
import { type EncodedExamples, encodeExamples } from "../data/index.ts";
import { mul } from "../graph/index.ts";
import { crossEntropy, teacherDivergence } from "../nn/index.ts";
import { int64, zeros } from "../tensor/index.ts";
import { balancedWeights, overWeights, weightsOf } from "./class-weights.ts";
import { entropyOfCounts, entropyOfShares, softmaxOf } from "./entropy.ts";
import { classesOf } from "./head.ts";
import { certaintyOf, perExample, scoreLabels } from "./label-scores.ts";
import { numbersAt, overExamples, sequenceHead } from "./sequence-head.ts";
import type { TaskRecord } from "./task.ts";

export const classificationHead = sequenceHead({
  kind: "classification",
  name: "a classification head",
  gives: (head) => `${classesOf(head)} classes`,
  problemType: "single_label_classification",
  numLogits: classesOf,
  classNames: (labels) => labels,
  weighing: {
    balanced: (examples, classes) => balancedWeights(countsOf(examples, classes)),
    needs: "training examples of every class",
  },
  labelInput: (graph) => graph.input("labels", "int64", ["B"]),
  labelLoss(logits, labels, { classWeights: weights = null }) {
    const each = crossEntropy(logits, labels);
    return weights === null ? overExamples(each) : overWeights(mul(each, weightsOf(labels, weights)), weights);
  },
  teacherLoss: teacherDivergence,
  labelsAt(examples, indices) {
    const labels = numbersAt(examples, indices);
    return labels && int64([labels.length], labels);
  },
  noLabels: (rows) => zeros("int64", [rows]),
  chanceLoss: (examples, task, { classWeights: weights = null }) =>
    entropyOfCounts(countsOf(examples, task.labels.length).map((count, c) => count * (weights?.[c] ?? 1))),
  // H(m) − w · mean H(p), m the mean of (1 − w) · onehot, by class weights, + w · p over the examples, p the teacher's shares
  taughtChance({ labels }, indices, rows, { task, weight, classWeights: weights = null }) {
    const count = indices.length;
    const weightOf = (index: number) => weights?.[labels[index]!] ?? 1;
    const meanWeight = weights === null ? 1 : indices.reduce((sum, index) => sum + weightOf(index), 0) / count;
    const width = task.labels.length;
    const mean = new Float64Array(width);
    let teacherEntropy = 0;
    indices.forEach((index, i) => {
      const shares = softmaxOf(rows[i]!);
      teacherEntropy += entropyOfShares(shares) / count;
      for (let c = 0; c < width; c++)
        mean[c]! +=
          ((1 - weight) * Number(labels[index] === c) * (weightOf(index) / meanWeight) + weight * shares[c]!) / count;
    });
    return entropyOfShares(mean) - weight * teacherEntropy;
  },
});

/** Examples of each class. */
function countsOf({ labels }: EncodedExamples, classes: number): number[] {
  return Array.from({ length: classes }, (_, c) => labels.reduce((sum, label) => sum + (label === c ? 1 : 0), 0));
}

/** The likeliest class, its probability, and the logits of all. */
export interface ClassPrediction {
  readonly label: string;
  readonly score: number;
  readonly logits: readonly number[];
}

export const classification: TaskRecord<ClassPrediction> = {
  kind: "classification",
  names: ["text-classification", "text-pair"],
  asksQuestions: false,
  takesWords: false,
  hasClasses: true,
  exampleInput: ["--text", "…"],
  encode: (examples, tokenizer, { maxLength }) => encodeExamples(examples, tokenizer, { maxLength }),
  reading: {
    head: classificationHead,
    score(logits, examples, { task }) {
      const predictions = perExample(examples.count, (index) => largestOf(logits.of(index)));
      return scoreLabels(predictions, examples, task, {
        named: (value, { labels }) => labels[value]!,
        score: (prediction, target) => Number(prediction === target),
        certainty: (index, prediction, target) => certaintyOf(logits.of(index), prediction, target),
      });
    },
    answers: (rows, { count }, { labels }) =>
      Array.from({ length: count }, (_, index) => {
        const logits = Array.from(rows.of(index));
        const best = largestOf(logits);
        const total = logits.reduce((sum, logit) => sum + Math.exp(logit - logits[best]!), 0);
        return { label: labels[best]!, score: 1 / total, logits };
      }),
  },
  writing: null,
};

/** Where the largest number stands; of equals the first. */
export function largestOf(logits: ArrayLike<number>): number {
  let best = 0;
  for (let c = 1; c < logits.length; c++) if (logits[c]! > logits[best]!) best = c;
  return best;
}
