// Text to text over a table of the user's own: one column to read, one to write.

import type { DatasetOptions } from "../split.ts";
import type { ColumnWish } from "../tables/columns.ts";
import type { Task } from "../task.ts";

const USUAL_SOURCE = ["source", "input", "text", "document", "article", "dialogue", "question", "prompt"];
const USUAL_TARGET = ["target", "output", "summary", "highlights", "answer", "completion", "label"];

/** A text for a text; ROUGE-L decides, which is sensible for single words and for summaries alike. */
export function seq2seqTask(): Task {
  return {
    name: "seq2seq",
    kind: "seq2seq",
    labels: [],
    isPair: false,
    scoreRange: null,
    metrics: ["exact_match", "rouge1", "rouge2", "rougeL"],
    mainMetric: "rougeL",
    trainSplit: "train",
    evalSplits: ["dev"],
    testSplits: ["test"],
  };
}

/** The columns such a task reads. */
export function seq2seqWishes(
  { sourceColumn, targetColumn }: Pick<DatasetOptions, "sourceColumn" | "targetColumn">,
  targetRequired: boolean,
): ColumnWish[] {
  return [
    { role: "source", given: sourceColumn ?? null, usual: USUAL_SOURCE, required: true },
    { role: "target", given: targetColumn ?? null, usual: USUAL_TARGET, required: targetRequired },
  ];
}
