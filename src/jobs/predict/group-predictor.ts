// Programs that answer for a group of examples at once: logits turned into answers, or texts written.
import { InternalError } from "../../errors.ts";
import { logitRows, openTextGenerator, scoringBatches, writtenTexts } from "../../evaluate/index.ts";
import {
  backendOf,
  knownTask,
  maxLengthOf,
  type OpenedTarget,
  openTargetScorer,
  type RunOverrides,
  SCORING_BATCH,
  usableLength,
} from "../../load/index.ts";
import type { Environment } from "../../runs/index.ts";
import { answersFor, DEFAULTS, generationOptions, spanOptions } from "../../settings/index.ts";
import {
  type AnyTask,
  type EncodingOptions,
  headRecord,
  readingTask,
  taskRecord,
  writingTask,
} from "../../tasks/index.ts";
import type { GroupPredictor } from "./prediction.ts";

/** Windows scored at once: they are long. */
const WINDOW_BATCH = 8;

/** Opens what answers for a target. Errors as `Backend.compile`. */
export function openGroupPredictor(
  environment: Environment,
  opened: OpenedTarget,
  overrides: RunOverrides,
): Promise<GroupPredictor> {
  const record = taskRecord(opened.kind);
  const { writes } = headRecord(opened.head);
  const task = opened.task ?? knownTask(record.names[0]) ?? "text-classification";
  const { answers, data } = answersFor(task, opened.settings, overrides);
  const encoding: EncodingOptions = {
    maxLength: usableLength(opened.base, maxLengthOf(opened, overrides)),
    maxTargetLength: data.maxTargetLength,
    stride: data.docStride,
    prefix: data.sourcePrefix,
    unanswerable: false,
    writes,
    forTraining: false,
  };
  if (!writes) {
    const pointing = spanOptions(answers, opened.unanswerable || overrides["null-threshold"] !== undefined);
    return openReading(environment, opened, overrides, { record, encoding, pointing });
  }
  const seed = overrides.seed ?? opened.settings?.seed ?? DEFAULTS.seed;
  const generation = generationOptions(answers, data.maxTargetLength, seed);
  return openWriting(environment, opened, overrides, { record, encoding, generation });
}

interface Answering {
  readonly record: AnyTask;
  readonly encoding: EncodingOptions;
}

async function openReading(
  environment: Environment,
  opened: OpenedTarget,
  overrides: RunOverrides,
  { record, encoding, pointing }: Answering & { readonly pointing: ReturnType<typeof spanOptions> },
): Promise<GroupPredictor> {
  const { base, head, labels, trained } = opened;
  const { tokenizer } = base;
  const scorer = await openTargetScorer(environment, opened, overrides, { density: false });
  const batchSize = record.asksQuestions ? WINDOW_BATCH : (overrides["batch-size"] ?? SCORING_BATCH);
  return {
    async predict(group) {
      const examples = await record.encode(group, tokenizer, encoding);
      const rows = logitRows(head, examples);
      for (const batch of scoringBatches(examples, head, "longest", batchSize))
        rows.add(await scorer.run(trained, batch), batch.indices);
      return readingTask(record.kind).answers(rows.logits, examples, { labels, pointing, tokenizer });
    },
    dispose: () => scorer.dispose(),
  };
}

async function openWriting(
  environment: Environment,
  opened: OpenedTarget,
  overrides: RunOverrides,
  { record, encoding, generation }: Answering & { readonly generation: ReturnType<typeof generationOptions> },
): Promise<GroupPredictor> {
  const { base, method, head, alsoTrains, trained, settings } = opened;
  const { model, weights, tokenizer } = base;
  if (model.architecture !== "encoder-decoder") throw new InternalError("an encoder that is to write");
  const backend = backendOf(environment, overrides, settings);
  const generator = await openTextGenerator(
    { model, method, alsoTrains, weights, backend },
    { decoding: opened.decoding, isSparse: overrides["sparse-decoding"] ?? false },
  );
  // answers are compared by their probability; other texts are not
  const isScored = record.asksQuestions;
  const scorer = isScored ? await openTargetScorer(environment, opened, overrides, { density: false }) : null;
  const writing = { generator, scorer, tokenizer, generation };
  return {
    async predict(group) {
      const rows = await record.encode(group, tokenizer, encoding);
      const batches = scoringBatches(rows, head, "longest", WINDOW_BATCH);
      const texts = await writtenTexts(writing, trained, batches, rows.count, () => isScored);
      return writingTask(record.kind).answers(texts, rows);
    },
    async dispose() {
      await generator.dispose();
      await scorer?.dispose();
    },
  };
}
