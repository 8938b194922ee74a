// A head that points: start and end logits of every token, and where an answer stands among them.
import { type EncodedExamples, isSpans } from "../data/index.ts";
import { add, max, mul, select, type Value } from "../graph/index.ts";
import { encoderSpans } from "../models/index.ts";
import { crossEntropy, teacherDivergence } from "../nn/index.ts";
import { int64, type Tensor, zeros } from "../tensor/index.ts";
import { entropyOfShares, softmaxOf } from "./entropy.ts";
import type { LossOptions, LossTerm, ReadingHead, TaskLoss } from "./head.ts";
import { positionsInside } from "./model-batch.ts";
import { overExamples } from "./sequence-head.ts";

/** So little that a softmax makes 0 of it. */
const NOWHERE = -1e9;

export const spanHead: ReadingHead = {
  kind: "span",
  name: "a question-answering head",
  gives: () => "answer spans",
  hf: {
    classSuffix: "ForQuestionAnswering",
    classDoes: "which points at answers in a text",
    autoModelClass: "AutoModelForQuestionAnswering",
    pipelineTag: "question-answering",
    peftTaskType: "QUESTION_ANS",
    problemType: null,
  },
  modules: ["qa_outputs"],
  classNames: () => null,
  weighing: null,
  writes: false,
  readsFirstOnly: false,
  numLogits: () => 0,
  outputs: (model, root, text) => ({ ...encoderSpans(model, root, text) }),
  exportNames: { startLogits: "start_logits", endLogits: "end_logits" },
  losses: ({ startLogits, endLogits }, _head, options) => spanLosses(startLogits!, endLogits!, options),
  feeds: (examples, indices) => positionsOf(examples, indices),
  // a guess among the window's tokens
  chanceLoss: ({ lengths, count }) => lengths.reduce((sum, length) => sum + Math.log(length), 0) / count,
  logitsPerExample: (_head, length) => 2 * length,
  exampleLogits({ startLogits, endLogits }, row, length) {
    const width = startLogits!.shape[1]!;
    const ofTokens = ({ data }: Tensor) => (data as Float32Array).subarray(row * width, row * width + length);
    return [ofTokens(startLogits!), ofTokens(endLogits!)];
  },
  teacher: {
    perToken: true,
    tensor(rows, length) {
      const data = new Float32Array(rows.length * length * 2).fill(NOWHERE);
      rows.forEach((logits, row) => {
        const tokens = logits.length / 2;
        logits.forEach((logit, i) => {
          const [which, t] = i < tokens ? [0, i] : [1, i - tokens];
          data[(row * length + t) * 2 + which] = logit;
        });
      });
      return { dtype: "float32", shape: [rows.length, length, 2], data };
    },
    chanceLoss({ lengths }, indices, rows, { weight }) {
      const surprise = (logits: Float32Array) => {
        const middle = logits.length / 2;
        return (entropyOf(logits.subarray(0, middle)) + entropyOf(logits.subarray(middle))) / 2;
      };
      const chance = indices.map((index, i) => Math.log(lengths[index]!) - weight * surprise(rows[i]!));
      return chance.reduce((sum, value) => sum + value, 0) / indices.length;
    },
  },
};

const entropyOf = (logits: Float32Array) => entropyOfShares(softmaxOf(logits));

/**
 * Half the cross entropy of the start and half that of the end, over logits `[B, S]`. A position from S up counts
 * nowhere: its example's answer lies outside the text. With a teacher `(1 − weight) · that`, and `weight` times the mean
 * over all examples of half of either's KL(teacher ‖ student) over the positions; its logits are fed as `teacherLogits` `[B, S, 2]` float32.
 * @see transformers `BertForQuestionAnswering`
 */
function spanLosses(startLogits: Value, endLogits: Value, { distillation = null }: LossOptions): TaskLoss {
  const { graph } = startLogits;
  const startPositions = graph.input("startPositions", "int64", ["B"]);
  const endPositions = graph.input("endPositions", "int64", ["B"]);
  const weight = distillation?.weight ?? 0;
  // a label that no logit stands for gives a loss of 0
  const half = (logits: Value, positions: Value) => mul(crossEntropy(logits, max(positions, 0)), (1 - weight) / 2);
  const losses: LossTerm[] = [
    { scale: "startScale", values: half(startLogits, startPositions), count: positionsInside("startPositions") },
    { scale: "endScale", values: half(endLogits, endPositions), count: positionsInside("endPositions") },
  ];
  if (weight === 0) return { labels: { startPositions, endPositions }, losses };
  const teacherLogits = graph.input("teacherLogits", "float32", [...startLogits.shape, 2]);
  const apart = (logits: Value, which: 0 | 1) => teacherDivergence(logits, select(teacherLogits, 2, which));
  const soft = mul(add(apart(startLogits, 0), apart(endLogits, 1)), weight / 2);
  return {
    labels: { startPositions, endPositions, teacherLogits },
    losses: [...losses, overExamples(soft)],
  };
}

/** Where each window's answer starts and ends; at 0 where nothing says. */
function positionsOf(examples: EncodedExamples, indices: ArrayLike<number>): Record<string, Tensor> {
  const none = () => zeros("int64", [indices.length]);
  if (!isSpans(examples)) return { startPositions: none(), endPositions: none() };
  const of = (all: Int32Array) =>
    int64(
      [indices.length],
      Array.from(indices, (i) => all[i]!),
    );
  return { startPositions: of(examples.startPositions), endPositions: of(examples.endPositions) };
}
