// Programs that answer for a group of examples at once: logits turned into answers, or texts written.
import { InternalError } from "../../errors.ts";
import { logitRows, openTextGenerator, scoringBatches, writtenTexts } from "../../evaluate/index.ts";
import {
  backendOf,
  lengthLimit,
  type OpenedTarget,
  openTargetScorer,
  scoringLengthOf,
  writingOptions,
} from "../../load/index.ts";
import { type CutTexts, cutTexts, type Environment } from "../../runs/index.ts";
import { generationOptions, spanOptions } from "../../settings/index.ts";
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
export function openGroupPredictor(environment: Environment, opened: OpenedTarget): Promise<GroupPredictor> {
  const record = taskRecord(opened.kind);
  const { writes } = headRecord(opened.head);
  const { answers, data, seed, asked } = opened.options;
  const encoding: EncodingOptions = {
    maxLength: scoringLengthOf(opened),
    maxTargetLength: data.maxTargetLength,
    stride: data.docStride,
    prefix: data.sourcePrefix,
    unanswerable: false,
    writes,
    forTraining: false,
  };
  if (!writes) {
    const pointing = spanOptions(answers, opened.unanswerable || asked.has("null-threshold"));
    return openReading(environment, opened, { record, encoding, pointing });
  }
  const generation = writingOptions(opened.base.generation, opened.base.model.config.vocabSize, {
    own: generationOptions(answers, data.maxTargetLength, seed),
    asked,
    isRun: opened.settings !== null,
    seed,
    note: (message) => environment.note?.(message),
  });
  return openWriting(environment, opened, { record, encoding, generation });
}

interface Answering {
  readonly record: AnyTask;
  readonly encoding: EncodingOptions;
}

/** Counts the texts that are cut; of questions' contexts nothing is, they are read in windows. */
function cutOf(opened: OpenedTarget, { maxLength }: EncodingOptions, { asksQuestions }: AnyTask): CutTexts | null {
  return asksQuestions ? null : cutTexts(maxLength, lengthLimit(opened));
}

async function openReading(
  environment: Environment,
  opened: OpenedTarget,
  { record, encoding, pointing }: Answering & { readonly pointing: ReturnType<typeof spanOptions> },
): Promise<GroupPredictor> {
  const { base, head, labels, trained } = opened;
  const { tokenizer } = base;
  const scorer = await openTargetScorer(environment, opened, { density: false });
  const batchSize = record.asksQuestions ? WINDOW_BATCH : opened.options.batchSize;
  const cut = cutOf(opened, encoding, record);
  return {
    cut,
    async predict(group) {
      const examples = await record.encode(group, tokenizer, encoding);
      cut?.add(examples);
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
  { record, encoding, generation }: Answering & { readonly generation: ReturnType<typeof generationOptions> },
): Promise<GroupPredictor> {
  const { model, head, trained, options } = opened;
  const { tokenizer } = opened.base;
  if (!model.writes) throw new InternalError("an encoder that is to write");
  const backend = backendOf(environment, opened);
  const generator = await openTextGenerator(
    { ...opened, model, backend },
    { decoding: opened.decoding, isSparse: options.sparseDecoding },
  );
  // answers are compared by their probability; other texts are not
  const isScored = record.asksQuestions;
  const scorer = isScored ? await openTargetScorer(environment, opened, { density: false }) : null;
  const writing = { generator, scorer, tokenizer, generation };
  const cut = cutOf(opened, encoding, record);
  return {
    cut,
    async predict(group) {
      const rows = await record.encode(group, tokenizer, encoding);
      cut?.add(rows);
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
