// A head that writes: a vocabulary's logits of every label token.
import { type EncodedTargets, isTargets } from "../data/index.ts";
import { InternalError } from "../errors.ts";
import { reduceSum, reshape, type Value } from "../graph/index.ts";
import { encode, languageModelLogits } from "../models/index.ts";
import { flattenRows, sparseCrossEntropy } from "../nn/index.ts";
import { int64, type Tensor } from "../tensor/index.ts";
import { entropyOfCounts } from "./entropy.ts";
import type { LossTerm, WritingHead } from "./head.ts";
import { IGNORED_LABEL, labelTokensIn } from "./model-batch.ts";

export const languageModelHead: WritingHead = {
  kind: "language-model",
  name: "a language-model head",
  gives: () => "text",
  hf: {
    classSuffix: "ForConditionalGeneration",
    classDoes: "which writes a text",
    autoModelClass: "AutoModelForSeq2SeqLM",
    pipelineTag: "text2text-generation",
    peftTaskType: "SEQ_2_SEQ_LM",
    problemType: null,
  },
  modules: ["lm_head"],
  classNames: () => null,
  weighing: null,
  writes: true,
  outputs: (model, root, text, labels) => ({
    logits: languageModelLogits(model, root, encode(model, root, text), labels),
  }),
  losses: ({ logits }, labels) => tokenLosses(logits!, labels),
  feeds(examples, indices, { padding }) {
    if (!isTargets(examples)) throw new InternalError("a model that writes is fed examples without targets");
    return { labels: targetsOf(examples, indices, padding) };
  },
  // a guess by how often each token is written
  chanceLoss: (examples) => (isTargets(examples) ? entropyOfCounts(tokenCounts(examples)) : Number.NaN),
  teacher: null,
};

/** Cross entropy of each label token, added up over a row: logits `[B, T, V]`, labels `[B, T]` int64, −100 where none counts. */
function tokenLosses(logits: Value, labels: Value): readonly LossTerm[] {
  const rows = flattenRows(logits);
  const perToken = reshape(sparseCrossEntropy(rows, reshape(labels, [rows.shape[0]!])), labels.shape);
  return [{ scale: "labelTokenScale", values: reduceSum(perToken, { axes: [-1] }), count: labelTokensIn }];
}

/** Targets `[B, T]`, −100 behind their ends; of the largest length with padding `max`, as in the paper. */
function targetsOf(examples: EncodedTargets, indices: ArrayLike<number>, padding: "longest" | "max"): Tensor {
  const rows = Array.from(indices, (i) => examples.target(i));
  const longest = rows.reduce((most, row) => Math.max(most, row.length), 1);
  const columns = padding === "max" ? Math.max(longest, examples.maxTargetLength) : longest;
  return int64([rows.length, columns], paddedLabels(rows, columns));
}

/** Rows of labels behind one another, −100 up to `columns` in each. */
export function paddedLabels(rows: readonly ArrayLike<number>[], columns: number): number[] {
  return rows.flatMap((row) => Array.from({ length: columns }, (_, column) => row[column] ?? IGNORED_LABEL));
}

function tokenCounts(examples: EncodedTargets): number[] {
  const counts = new Map<number, number>();
  for (let i = 0; i < examples.count; i++)
    for (const id of examples.target(i)) counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...counts.values()];
}
