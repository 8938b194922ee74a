// Encoded examples as batches by input name: labels, positions or targets as the head asks for them.
import {
  type Batch,
  type EncodedExamples,
  type EncodedSpans,
  type EncodedTargets,
  evaluationPlan,
  isSpans,
  isTargets,
  isWindows,
  labelsRequired,
  makeBatch,
  type Task,
  trainingPlan,
} from "../data/index.ts";
import type { DataSettings, Settings } from "../settings/index.ts";
import { IGNORED_LABEL, type ModelBatch } from "../tasks/index.ts";
import { int64, type Tensor, zeros } from "../tensor/index.ts";
import type { BatchSource, EpochBatches } from "../train/index.ts";

/** Rounds padded lengths up: fewer distinct shapes, so that the runtime's memory settles. */
const LENGTH_STEP = 8;

/** Training batches that also say which examples are in which. */
export interface PlannedBatches extends BatchSource {
  epoch(epoch: number): EpochBatches & { indices(index: number): ArrayLike<number> };
}

/** Training batches; their order is a pure function of seed and epoch. */
export function trainingBatches(
  examples: EncodedExamples,
  task: Pick<Task, "kind">,
  settings: Pick<Settings, "data" | "optim" | "seed">,
): PlannedBatches {
  const { padding } = settings.data;
  const { batchSize } = settings.optim;
  return {
    batchesPerEpoch: Math.ceil(examples.count / batchSize),
    epoch(epoch) {
      // padded to the maximum there is nothing to gain from grouping by length
      const grouping = padding === "max" ? { bucketBatches: 0 } : {};
      const plan = trainingPlan(examples.lengths, { batchSize, seed: settings.seed, epoch, ...grouping });
      return {
        indices: (index) => plan.indices(index),
        batch: (index) => batchOf(examples, plan.indices(index), task, padding, true),
        describe: (index) => {
          const lines = new Set(Array.from(plan.indices(index), (i) => examples.lines[i]));
          return `${isWindows(examples) ? "questions" : "lines"} ${[...lines].join(", ")}`;
        },
      };
    },
  };
}

/** Scoring batches, longest examples first; throws the signal's reason instead of a batch once it is aborted. */
export function* scoringBatches(
  examples: EncodedExamples,
  task: Pick<Task, "kind">,
  padding: DataSettings["padding"],
  batchSize: number,
  signal?: AbortSignal,
): Generator<ModelBatch> {
  const plan = evaluationPlan(examples.lengths, batchSize);
  for (let i = 0; i < plan.batchCount; i++) {
    signal?.throwIfAborted();
    yield batchOf(examples, plan.indices(i), task, padding, false);
  }
}

/** One batch; without labels, where they are not required, zeros are fed and not read. */
export function batchOf(
  examples: EncodedExamples,
  indices: ArrayLike<number>,
  task: Pick<Task, "kind">,
  padding: DataSettings["padding"],
  needsLabels: boolean,
): ModelBatch {
  const batch = makeBatch(examples, indices, { kind: task.kind, padding, padToMultiple: LENGTH_STEP });
  if (isSpans(examples)) return modelBatch(batch, positionsOf(examples, indices));
  if (isTargets(examples)) return modelBatch(batch, { labels: targetsOf(examples, indices, padding) });
  if (needsLabels) return modelBatch(batch, { labels: labelsRequired(batch) });
  const none = () => zeros(task.kind === "regression" ? "float32" : "int64", [indices.length]);
  return modelBatch(batch, { labels: batch.labels ?? none() });
}

/** A batch by input name. */
export function modelBatch(
  { tokenIds, attentionMask, tokenTypeIds, indices, attendedTokens }: Batch,
  labels: Readonly<Record<string, Tensor>>,
): ModelBatch {
  return { inputs: { tokenIds, attentionMask, typeIds: tokenTypeIds, ...labels }, indices, attendedTokens };
}

function positionsOf({ startPositions, endPositions }: EncodedSpans, indices: ArrayLike<number>) {
  const of = (all: Int32Array) =>
    int64(
      [indices.length],
      Array.from(indices, (i) => all[i]!),
    );
  return { startPositions: of(startPositions), endPositions: of(endPositions) };
}

/** Targets `[B, T]`, −100 behind their ends; of the largest length with padding `max`, as in the paper. */
function targetsOf(examples: EncodedTargets, indices: ArrayLike<number>, padding: DataSettings["padding"]): Tensor {
  const rows = Array.from(indices, (i) => examples.target(i));
  const longest = rows.reduce((most, row) => Math.max(most, row.length), 1);
  const columns = padding === "max" ? Math.max(longest, examples.maxTargetLength) : longest;
  const labels = rows.flatMap((row) => Array.from({ length: columns }, (_, column) => row[column] ?? IGNORED_LABEL));
  return int64([rows.length, columns], labels);
}

/** Labels for texts that a model wrote, to ask how likely it finds them. */
export function writtenBatch(batch: ModelBatch, texts: readonly (readonly number[])[]): ModelBatch {
  const columns = texts.reduce((most, ids) => Math.max(most, ids.length), 1);
  const labels = texts.flatMap((ids) => Array.from({ length: columns }, (_, column) => ids[column] ?? IGNORED_LABEL));
  return { ...batch, inputs: { ...batch.inputs, labels: int64([texts.length, columns], labels) } };
}

/** Loss of the best constant answer: of labels the entropy of their shares, or their variance; of positions and tokens a guess. */
export function chanceLoss(examples: EncodedExamples, task: Task): number {
  const { labels, lengths, count } = examples;
  if (isSpans(examples)) return lengths.reduce((sum, length) => sum + Math.log(length), 0) / count;
  if (isTargets(examples)) return entropyOf(tokenCounts(examples));
  if (task.kind === "regression") {
    const mean = labels.reduce((sum, label) => sum + label, 0) / count;
    return labels.reduce((sum, label) => sum + (label - mean) ** 2, 0) / count;
  }
  return entropyOf(task.labels.map((_, c) => labels.reduce((sum, label) => sum + (label === c ? 1 : 0), 0)));
}

function tokenCounts(examples: EncodedTargets): number[] {
  const counts = new Map<number, number>();
  for (let i = 0; i < examples.count; i++)
    for (const id of examples.target(i)) counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...counts.values()];
}

function entropyOf(counts: readonly number[]): number {
  const total = counts.reduce((sum, n) => sum + n, 0);
  return -counts.reduce((sum, n) => sum + (n > 0 ? (n / total) * Math.log(n / total) : 0), 0);
}
