// A task's splits encoded for a model, and their batches.
import {
  type Batch,
  batches,
  type Dataset,
  type EncodedExamples,
  encodeExamples,
  evaluationPlan,
  labelsRequired,
  makeBatch,
  openDataset,
  type Split,
  type Task,
  trainingPlan,
} from "../data/index.ts";
import type { HeadKind, ModelBatch } from "../infer/index.ts";
import { type Files, type Tensor, zeros } from "../tensor/index.ts";
import type { BatchSource } from "../train/index.ts";
import { type BaseModel, usableLength } from "./base-model.ts";
import type { DataSettings, Settings } from "./settings.ts";

/** The data set behind the settings. Errors as `openDataset`. */
export function openData(
  files: Files,
  { task, data }: Pick<Settings, "task" | "data">,
  options: {
    readonly splits?: readonly string[];
    readonly labels?: readonly string[];
    readonly labelsRequired?: boolean;
    readonly heldOutShare?: number | null;
  } = {},
): Promise<Dataset> {
  return openDataset(files, {
    task,
    data: data.path,
    textColumn: data.textColumn ?? undefined,
    pairColumn: data.pairColumn ?? undefined,
    labelColumn: data.labelColumn ?? undefined,
    limitTrain: data.limitTrain ?? undefined,
    limitEval: data.limitEval ?? undefined,
    ...options,
  });
}

/** The head a task needs. */
export function headOf(task: Task): HeadKind {
  return task.kind === "regression"
    ? { kind: "regression" }
    : { kind: "classification", numLabels: task.labels.length };
}

/** A split as token ids. */
export function encodeSplit(
  split: Split,
  base: BaseModel,
  data: Pick<DataSettings, "maxLength">,
): Promise<EncodedExamples> {
  return encodeExamples(split.examples(), base.tokenizer, { maxLength: usableLength(base, data.maxLength) });
}

/** Rounds padded lengths up: fewer distinct shapes, so that the runtime's memory settles. */
const LENGTH_STEP = 8;

/** Training batches; their order is a pure function of seed and epoch. */
export function trainingBatches(examples: EncodedExamples, task: Task, settings: Settings): BatchSource {
  const { padding } = settings.data;
  const { batchSize } = settings.optim;
  const options = { kind: task.kind, padding, padToMultiple: LENGTH_STEP };
  return {
    batchesPerEpoch: Math.ceil(examples.count / batchSize),
    epoch(epoch) {
      // padded to the maximum there is nothing to gain from grouping by length
      const grouping = padding === "max" ? { bucketBatches: 0 } : {};
      const plan = trainingPlan(examples.lengths, { batchSize, seed: settings.seed, epoch, ...grouping });
      return {
        batch: (index) => labelled(makeBatch(examples, plan.indices(index), options)),
        describe: (index) => `lines ${Array.from(plan.indices(index), (i) => examples.lines[i]).join(", ")}`,
      };
    },
  };
}

/** Scoring batches, longest examples first. */
export function* scoringBatches(
  examples: EncodedExamples,
  task: Pick<Task, "kind">,
  padding: DataSettings["padding"],
  batchSize: number,
): Generator<ModelBatch> {
  for (const batch of batches(examples, evaluationPlan(examples.lengths, batchSize), {
    kind: task.kind,
    padding,
    padToMultiple: LENGTH_STEP,
  })) {
    yield batch.labels === null ? unlabelled(batch, task) : labelled(batch);
  }
}

/** Loss of the best constant answer: the entropy of the labels' shares, or their variance. */
export function chanceLoss(examples: EncodedExamples, task: Task): number {
  const { labels, count } = examples;
  if (task.kind === "regression") {
    const mean = labels.reduce((sum, label) => sum + label, 0) / count;
    return labels.reduce((sum, label) => sum + (label - mean) ** 2, 0) / count;
  }
  const shares = task.labels.map((_, c) => labels.reduce((sum, label) => sum + (label === c ? 1 : 0), 0) / count);
  return -shares.reduce((sum, share) => sum + (share > 0 ? share * Math.log(share) : 0), 0);
}

/** A batch by input name. */
export function modelBatch(
  { tokenIds, attentionMask, tokenTypeIds, indices, attendedTokens }: Batch,
  labels: Tensor,
): ModelBatch {
  return { inputs: { tokenIds, attentionMask, typeIds: tokenTypeIds, labels }, indices, attendedTokens };
}

function labelled(batch: Batch): ModelBatch {
  return modelBatch(batch, labelsRequired(batch));
}

/** The program computes losses too; without labels they are fed as zeros and not read. */
function unlabelled(batch: Batch, task: Pick<Task, "kind">): ModelBatch {
  return modelBatch(batch, zeros(task.kind === "regression" ? "float32" : "int64", [batch.indices.length]));
}
