// Encoded examples as batches by input name: labels, positions or targets as the head asks for them.
import {
  type Batch,
  type EncodedExamples,
  evaluationPlan,
  isTargets,
  isWindows,
  makeBatch,
  trainingPlan,
} from "../data/index.ts";
import type { DataSettings, Settings } from "../settings/index.ts";
import { type HeadKind, headRecord, type ModelBatch, paddedLabels } from "../tasks/index.ts";
import { int64, type Tensor } from "../tensor/index.ts";
import type { BatchSource, EpochBatches } from "../train/index.ts";

/** Rounds padded lengths up: fewer distinct shapes, so that the runtime's memory settles. */
const LENGTH_STEP = 8;

/** Training batches that also say which examples are in which. */
export interface PlannedBatches extends BatchSource {
  /** The most padded tokens that a batch may have, those of its answers counted in. */
  readonly mostTokens: number;
  epoch(epoch: number): EpochBatches & { indices(index: number): ArrayLike<number> };
}

/** Training batches; their order is a pure function of seed and epoch. */
export function trainingBatches(
  examples: EncodedExamples,
  head: HeadKind,
  settings: Pick<Settings, "data" | "optim" | "seed">,
): PlannedBatches {
  const { padding } = settings.data;
  const { batchSize } = settings.optim;
  return {
    mostTokens: batchSize * widestRow(examples, padding),
    batchesPerEpoch: Math.ceil(examples.count / batchSize),
    epoch(epoch) {
      // padded to the maximum there is nothing to gain from grouping by length
      const grouping = padding === "max" ? { bucketBatches: 0 } : {};
      const plan = trainingPlan(examples.lengths, { batchSize, seed: settings.seed, epoch, ...grouping });
      return {
        indices: (index) => plan.indices(index),
        batch: (index) => batchOf(examples, plan.indices(index), head, padding, true),
        describe: (index) => {
          const lines = new Set(Array.from(plan.indices(index), (i) => examples.lines[i]));
          return `${isWindows(examples) ? "questions" : "lines"} ${[...lines].join(", ")}`;
        },
      };
    },
  };
}

/** Padded tokens of the longest example, its answer counted in. */
function widestRow(examples: EncodedExamples, padding: DataSettings["padding"]): number {
  const longest = (lengths: Int32Array, most: number) =>
    padding === "max" ? most : lengths.reduce((widest, length) => Math.max(widest, length), 0);
  const read = longest(examples.lengths, examples.maxLength);
  return isTargets(examples) ? read + longest(examples.targetLengths, examples.maxTargetLength) : read;
}

/** Scoring batches, longest examples first; throws the signal's reason instead of a batch once it is aborted. */
export function* scoringBatches(
  examples: EncodedExamples,
  head: HeadKind,
  padding: DataSettings["padding"],
  batchSize: number,
  signal?: AbortSignal,
): Generator<ModelBatch> {
  const plan = evaluationPlan(examples.lengths, batchSize);
  for (let i = 0; i < plan.batchCount; i++) {
    signal?.throwIfAborted();
    yield batchOf(examples, plan.indices(i), head, padding, false);
  }
}

/** One batch; without labels, where they are not required, zeros are fed and not read. */
export function batchOf(
  examples: EncodedExamples,
  indices: ArrayLike<number>,
  head: HeadKind,
  padding: DataSettings["padding"],
  needsLabels: boolean,
): ModelBatch {
  const batch = makeBatch(examples, indices, { padding, padToMultiple: LENGTH_STEP });
  const length = batch.tokenIds.shape[1]!;
  const labels = headRecord(head).feeds(examples, indices, { length, padding, isRequired: needsLabels, head });
  return modelBatch(batch, labels);
}

/** A batch by input name. */
export function modelBatch(
  { tokenIds, attentionMask, tokenTypeIds, indices, attendedTokens }: Batch,
  labels: Readonly<Record<string, Tensor>>,
): ModelBatch {
  return { inputs: { tokenIds, attentionMask, typeIds: tokenTypeIds, ...labels }, indices, attendedTokens };
}

/** Labels for texts that a model wrote, to ask how likely it finds them. */
export function writtenBatch(batch: ModelBatch, texts: readonly (readonly number[])[]): ModelBatch {
  const columns = texts.reduce((most, ids) => Math.max(most, ids.length), 1);
  const labels = int64([texts.length, columns], paddedLabels(texts, columns));
  return { ...batch, inputs: { ...batch.inputs, labels } };
}
