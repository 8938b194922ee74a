// Several classes an example, each true or not: a sigmoid for each logit, binary cross-entropy.
import { sigmoid } from "../graph/index.ts";
import { binaryCrossEntropy } from "../nn/index.ts";
import { zeros } from "../tensor/index.ts";
import { classesOf } from "./head.ts";
import { overExamples, sequenceHead } from "./sequence-head.ts";

export const multiLabelHead = sequenceHead({
  kind: "multi-label",
  name: "a classification head of several labels",
  gives: (head) => `${classesOf(head)} labels, of which several may be true`,
  problemType: "multi_label_classification",
  numLogits: classesOf,
  classNames: (labels) => labels,
  labelInput: (graph, head) => graph.input("labels", "float32", ["B", classesOf(head)]),
  labelLoss: (logits, labels) => overExamples(binaryCrossEntropy(logits, labels)),
  teacherLoss: (logits, teacher) => binaryCrossEntropy(logits, sigmoid(teacher)),
  labelsAt: () => null,
  noLabels: (rows, head) => zeros("float32", [rows, classesOf(head)]),
  chanceLoss: () => Number.NaN,
  taughtChance: () => Number.NaN,
});
