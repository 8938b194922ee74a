// Several classes an example, each true or not: a sigmoid for each logit, binary cross-entropy.
import { type EncodedExamples, encodeLists, type Task } from "../data/index.ts";
import { sigmoid } from "../graph/index.ts";
import { binaryCrossEntropy } from "../nn/index.ts";
import { float32, type Tensor, zeros } from "../tensor/index.ts";
import { sigmoidOf } from "./entropy.ts";
import type { Outcome } from "./evaluation.ts";
import type { ExampleLogits } from "./example-logits.ts";
import { classesOf } from "./head.ts";
import { countLabels, multiLabelMetrics, noLabelCounts } from "./multi-label-metrics.ts";
import { overExamples, sequenceHead } from "./sequence-head.ts";
import type { TaskRecord, TaskScore } from "./task.ts";

export const multiLabelHead = sequenceHead({
  kind: "multi-label",
  name: "a classification head of several labels",
  gives: (head) => `${classesOf(head)} labels, of which several may be true`,
  problemType: "multi_label_classification",
  numLogits: classesOf,
  classNames: (labels) => labels,
  weighing: {
    // examples without a label over examples with it
    balanced: (examples, classes) => sharesOf(examples, allOf(examples), classes).map((share) => (1 - share) / share),
    needs: "training examples with and without every label",
  },
  labelInput: (graph, head) => graph.input("labels", "float32", ["B", classesOf(head)]),
  labelLoss: (logits, labels, { classWeights = null }) =>
    overExamples(binaryCrossEntropy(logits, labels, classWeights)),
  teacherLoss: (logits, teacher) => binaryCrossEntropy(logits, sigmoid(teacher)),
  labelsAt: (examples, indices, head) => onesAt(examples, indices, classesOf(head)),
  noLabels: (rows, head) => zeros("float32", [rows, classesOf(head)]),
  chanceLoss(examples, { labels }, { classWeights = null }) {
    const shares = sharesOf(examples, allOf(examples), labels.length);
    if (classWeights === null) return meanEntropy(shares);
    return meanSurprise(shares.map((share, c) => [classWeights[c]! * share, 1 - share]));
  },
  // the best constant answer is the mean of labels and teacher, class by class
  taughtChance(examples, indices, rows, { task, weight, classWeights = null }) {
    const shares = sharesOf(examples, indices, task.labels.length);
    const told = shares.map((_, c) => rows.reduce((sum, logits) => sum + sigmoidOf(logits[c]!), 0) / rows.length);
    const both = (own: number, teacher: number) => (1 - weight) * own + weight * teacher;
    if (classWeights === null) return meanEntropy(shares.map((share, c) => both(share, told[c]!)));
    return meanSurprise(
      shares.map((share, c) => [both(classWeights[c]! * share, told[c]!), both(1 - share, 1 - told[c]!)]),
    );
  },
});

const allOf = ({ count }: EncodedExamples) => Array.from({ length: count }, (_, index) => index);

/** Labels `[B, C]` of 1 and 0; null where an example has none. */
function onesAt({ labelList }: EncodedExamples, indices: ArrayLike<number>, classes: number): Tensor | null {
  const data = new Float32Array(indices.length * classes);
  for (let row = 0; row < indices.length; row++) {
    const labels = labelList?.(indices[row]!) ?? null;
    if (labels === null) return null;
    for (let i = 0; i < labels.length; i++) data[row * classes + labels[i]!] = 1;
  }
  return float32([indices.length, classes], data);
}

/** How often each class is true. */
function sharesOf({ labelList }: EncodedExamples, indices: readonly number[], classes: number): number[] {
  const counts = Array.from({ length: classes }, () => 0);
  for (const index of indices) for (const label of setOf(labelList?.(index) ?? null)) counts[label]!++;
  return counts.map((count) => count / indices.length);
}

function meanEntropy(shares: readonly number[]): number {
  const part = (share: number) => (share > 0 ? -share * Math.log(share) : 0);
  return shares.reduce((sum, share) => sum + part(share) + part(1 - share), 0) / shares.length;
}

/** `mean over C of −a·log(a / (a + b)) − b·log(b / (a + b))`: what the best constant answers to such masses of true and false cost. */
function meanSurprise(masses: readonly (readonly [number, number])[]): number {
  const part = (mass: number, all: number) => (mass > 0 ? -mass * Math.log(mass / all) : 0);
  return masses.reduce((sum, [a, b]) => sum + part(a, a + b) + part(b, a + b), 0) / masses.length;
}

const setOf = (labels: ArrayLike<number> | null): ReadonlySet<number> =>
  new Set(labels === null ? [] : Array.from(labels));

/** Classes whose probability is above a half. */
function givenBy(logits: ArrayLike<number>): ReadonlySet<number> {
  return new Set(Array.from(logits, (logit, c) => (logit > 0 ? c : -1)).filter((c) => c >= 0));
}

/** The labels of a probability above a half, and the probability of each. */
export interface LabelsPrediction {
  readonly labels: readonly string[];
  readonly scores: Readonly<Record<string, number>>;
  readonly logits: readonly number[];
}

export const multiLabel: TaskRecord<LabelsPrediction> = {
  kind: "multi-label",
  names: ["multi-label"],
  asksQuestions: false,
  takesWords: false,
  hasClasses: true,
  exampleInput: ["--text", "…"],
  encode: (examples, tokenizer, { maxLength }) => encodeLists(examples, tokenizer, { maxLength }),
  reading: {
    head: multiLabelHead,
    score: (logits, examples, { task }) => scoreLists(logits, examples, task),
    answers: (rows, { count }, { labels }) =>
      Array.from({ length: count }, (_, index) => {
        const logits = Array.from(rows.of(index));
        return {
          labels: labels.filter((_name, c) => logits[c]! > 0),
          scores: Object.fromEntries(labels.map((name, c) => [name, sigmoidOf(logits[c]!)])),
          logits,
        };
      }),
  },
  writing: null,
};

function scoreLists(logits: ExampleLogits, examples: EncodedExamples, task: Task): TaskScore {
  const { count, lines, labelList } = examples;
  const given = Array.from({ length: count }, (_, index) => givenBy(logits.of(index)));
  const right = Array.from({ length: count }, (_, index) => labelList?.(index) ?? null);
  const metricsOn = (indices: Iterable<number>) => {
    const counts = noLabelCounts(task.labels.length);
    for (const index of indices) if (right[index] !== null) countLabels(counts, given[index]!, setOf(right[index]!));
    return multiLabelMetrics(counts);
  };
  const metrics = metricsOn(given.keys());
  const named = (labels: Iterable<number>) => Array.from(labels, (label) => task.labels[label]!).join(", ");
  const outcomeOf = (index: number): Outcome => {
    const target = right[index]!;
    const prediction = named([...given[index]!].sort((a, b) => a - b));
    if (target === null) return { line: lines[index]!, prediction, target, score: null };
    const words = named(Array.from(setOf(target)).sort((a, b) => a - b));
    return { line: lines[index]!, prediction, target: words, score: Number(prediction === words) };
  };
  return {
    metrics,
    score: metrics[task.mainMetric]!,
    count,
    scoreOn: (indices) => metricsOn(indices)[task.mainMetric]!,
    outcomes: () => given.map((_, index) => outcomeOf(index)),
  };
}
