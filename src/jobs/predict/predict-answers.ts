// Predictions that are texts: answers pointed at in a context, answers written, and texts written for texts.
import { encodeAnswers, encodeSpans, encodeTexts } from "../../data/index.ts";
import { InternalError } from "../../errors.ts";
import { bestTexts, extractiveAnswers, openTextGenerator, scoringBatches, writtenTexts } from "../../evaluate/index.ts";
import type { GenerationOptions } from "../../infer/index.ts";
import {
  backendOf,
  lengthLimit,
  type OpenedTarget,
  openTargetScorer,
  scoringLengthOf,
  writingOptions,
} from "../../load/index.ts";
import { cutTexts, type Environment } from "../../runs/index.ts";
import { generationOptions, spanOptions, type TaskName, type TextDataSettings } from "../../settings/index.ts";
import type { GroupPredictor, Prediction } from "./prediction.ts";

/** Windows scored at once: they are long. */
const WINDOW_BATCH = 8;
const QUESTIONS = { kind: "question-answering" } as const;

/** Opens what answers with text. Errors as `Backend.compile`. */
export function openAnswering(environment: Environment, opened: OpenedTarget): Promise<GroupPredictor> {
  const task: TaskName = opened.task ?? (opened.head.kind === "span" ? "squad" : "seq2seq");
  const { answers, data, seed, asked } = opened.options;
  const lengths = { ...data, maxLength: scoringLengthOf(opened) };
  if (opened.head.kind === "span") {
    const choices = spanOptions(answers, opened.unanswerable || asked.has("null-threshold"));
    return openPointing(environment, opened, lengths, choices);
  }
  const generation = writingOptions(opened.base.generation, opened.base.model.config.vocabSize, {
    own: generationOptions(answers, data.maxTargetLength, seed),
    asked,
    isRun: opened.settings !== null,
    seed,
    note: (message) => environment.note?.(message),
  });
  return openWriting(environment, opened, lengths, generation, task === "squad");
}

type Lengths = TextDataSettings & { readonly maxLength: number };

async function openPointing(
  environment: Environment,
  opened: OpenedTarget,
  { maxLength, docStride: stride }: Lengths,
  choices: ReturnType<typeof spanOptions>,
): Promise<GroupPredictor> {
  const scorer = await openTargetScorer(environment, opened, { density: false });
  const { tokenizer } = opened.base;
  return {
    asksQuestions: true,
    cut: null,
    async predict(group) {
      const spans = await encodeSpans(group, tokenizer, { maxLength, stride });
      const batches = scoringBatches(spans, QUESTIONS, "longest", WINDOW_BATCH);
      const { predictions } = await extractiveAnswers(scorer, opened.trained, spans, batches, choices);
      return predictions.map(({ text, score }) => ({ text, score }));
    },
    dispose: () => scorer.dispose(),
  };
}

async function openWriting(
  environment: Environment,
  opened: OpenedTarget,
  lengths: Lengths,
  generation: GenerationOptions,
  asksQuestions: boolean,
): Promise<GroupPredictor> {
  const { base, method, alsoTrains, trained } = opened;
  const { model, weights, tokenizer } = base;
  if (model.architecture !== "encoder-decoder") throw new InternalError("an encoder that is to write");
  const backend = backendOf(environment, opened);
  const generator = await openTextGenerator(
    { model, method, alsoTrains, weights, backend },
    { decoding: opened.decoding, isSparse: opened.options.sparseDecoding },
  );
  // answers are compared by their probability; other texts are not
  const scorer = asksQuestions ? await openTargetScorer(environment, opened, { density: false }) : null;
  const writing = { generator, scorer, tokenizer, generation };
  const { maxLength, maxTargetLength, docStride: stride, sourcePrefix: prefix } = lengths;
  const cut = cutTexts(maxLength, lengthLimit(opened));
  return {
    asksQuestions,
    cut,
    async predict(group) {
      if (asksQuestions) {
        const rows = await encodeAnswers(group, tokenizer, { maxLength, maxTargetLength, stride });
        const batches = scoringBatches(rows, QUESTIONS, "longest", WINDOW_BATCH);
        const texts = await writtenTexts(writing, trained, batches, rows.count, () => true);
        return bestTexts(rows, texts).map(({ text, score }) => ({ text, ...(score === null ? {} : { score }) }));
      }
      const rows = await encodeTexts(group, tokenizer, { maxLength, maxTargetLength, prefix });
      cut.add(rows);
      const batches = scoringBatches(rows, { kind: "seq2seq" }, "longest", WINDOW_BATCH);
      const texts = await writtenTexts(writing, trained, batches, rows.count, () => false);
      return texts.map(({ text }): Prediction => ({ text }));
    },
    async dispose() {
      await generator.dispose();
      await scorer?.dispose();
    },
  };
}
