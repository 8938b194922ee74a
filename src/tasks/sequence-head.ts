// What the heads over a whole text share: logits `[B, C]`, one row an example, and a loss that is a mean over examples.
import type { EncodedExamples } from "../data/index.ts";
import { DataError } from "../errors.ts";
import { add, type Graph, mul, type Value } from "../graph/index.ts";
import { encoderLogits } from "../models/index.ts";
import { float32, type Tensor } from "../tensor/index.ts";
import type { HeadKind, HeadNames, LossOptions, LossTerm, ReadingHead, TaskLoss } from "./head.ts";
import { examplesIn } from "./model-batch.ts";

/** What tells one head over a whole text from another. */
export interface SequenceHeadFacts
  extends Pick<ReadingHead, "kind" | "name" | "gives" | "numLogits" | "classNames" | "weighing"> {
  readonly problemType: string;
  readonly chanceLoss: ReadingHead["chanceLoss"];
  /** The input of a batch's labels. */
  readonly labelInput: (graph: Graph, head: HeadKind) => Value;
  /** The loss of each example `[B]` and what divides their sum, before a teacher has a share of it. */
  readonly labelLoss: (logits: Value, labels: Value, options: LossOptions) => LossTerm;
  /** How far each example's answer is from the teacher's: `[B, C]` twice → `[B]`. */
  readonly teacherLoss: (logits: Value, teacherLogits: Value) => Value;
  /** A batch's labels; null where one of them has none. */
  readonly labelsAt: (examples: EncodedExamples, indices: ArrayLike<number>, head: HeadKind) => Tensor | null;
  /** Zeros in the place of `rows` labels that are not read. */
  readonly noLabels: (rows: number, head: HeadKind) => Tensor;
  /** As `TeacherRules.chanceLoss`, over logits `[N, C]` of the examples at `indices`. */
  readonly taughtChance: ReadingHead["teacher"]["chanceLoss"];
}

/** The sum over examples, divided by their number. */
export const overExamples = (values: Value): LossTerm => ({ scale: "exampleScale", values, count: examplesIn });

const HF = {
  classSuffix: "ForSequenceClassification",
  classDoes: "which classifies a text",
  autoModelClass: "AutoModelForSequenceClassification",
  pipelineTag: "text-classification",
  peftTaskType: "SEQ_CLS",
} as const satisfies Partial<HeadNames>;

/** A head over a whole text. */
export function sequenceHead(facts: SequenceHeadFacts): ReadingHead {
  const { kind, name, gives, numLogits, classNames, weighing, problemType } = facts;
  return {
    kind,
    name,
    gives,
    numLogits,
    classNames,
    weighing,
    writes: false,
    readsFirstOnly: true,
    hf: { ...HF, problemType },
    modules: ["classifier"],
    outputs: (model, root, text, { head, firstOnly = false }) => ({
      logits: encoderLogits(model, root, text, numLogits(head), { firstOnly }),
    }),
    exportNames: { logits: "logits" },
    losses: ({ logits }, head, options) => sequenceLosses(facts, logits!, head, options),
    feeds(examples, indices, { isRequired, head }) {
      const labels = facts.labelsAt(examples, indices, head);
      if (labels === null && isRequired) throw noLabel();
      return { labels: labels ?? facts.noLabels(indices.length, head) };
    },
    chanceLoss: facts.chanceLoss,
    logitsPerExample: (head) => numLogits(head),
    exampleLogits({ logits }, row) {
      const width = logits!.shape[1]!;
      return [(logits!.data as Float32Array).subarray(row * width, (row + 1) * width)];
    },
    teacher: {
      perToken: false,
      tensor: (rows) =>
        float32(
          [rows.length, rows[0]!.length],
          rows.flatMap((row) => [...row]),
        ),
      chanceLoss: facts.taughtChance,
    },
  };
}

/**
 * The loss over logits `[B, C]`. With a teacher `(1 − weight) · that + weight · the distance from its answers`, fed as
 * `teacherLogits` `[B, C]` float32.
 */
function sequenceLosses(facts: SequenceHeadFacts, logits: Value, head: HeadKind, options: LossOptions): TaskLoss {
  const { graph } = logits;
  const { distillation = null } = options;
  const labels = facts.labelInput(graph, head);
  const hard = facts.labelLoss(logits, labels, options);
  if (distillation === null || distillation.weight === 0) return { labels: { labels }, losses: [hard] };
  const teacherLogits = graph.input("teacherLogits", "float32", ["B", facts.numLogits(head)]);
  const soft = mul(facts.teacherLoss(logits, teacherLogits), distillation.weight);
  const share = mul(hard.values, 1 - distillation.weight);
  const isOne = hard.scale === "exampleScale";
  return {
    labels: { labels, teacherLogits },
    losses: isOne ? [overExamples(add(share, soft))] : [{ ...hard, values: share }, overExamples(soft)],
  };
}

const noLabel = () => new DataError("batch", { expected: "a label for every example", got: "none for at least one" });

/** Labels that are one number an example, at `indices`; null where one is missing. */
export function numbersAt({ labels }: EncodedExamples, indices: ArrayLike<number>): number[] | null {
  const found = Array.from(indices, (index) => labels[index]!);
  return found.some(Number.isNaN) ? null : found;
}
