// Predictions that are texts: answers pointed at in a context, answers written, and texts written for texts.
import { encodeAnswers, encodeSpans, encodeTexts } from "../../data/index.ts";
import { InternalError } from "../../errors.ts";
import { bestTexts, extractiveAnswers, openTextGenerator, scoringBatches, writtenTexts } from "../../evaluate/index.ts";
import type { GenerationOptions } from "../../infer/index.ts";
import type { RunOverrides } from "../../load/index.ts";
import { backendOf, maxLengthOf, type OpenedTarget, openTargetScorer, usableLength } from "../../load/index.ts";
import type { Environment } from "../../runs/index.ts";
import {
  answersFor,
  DEFAULTS,
  generationOptions,
  spanOptions,
  type TaskName,
  type TextDataSettings,
} from "../../settings/index.ts";
import type { GroupPredictor, Prediction } from "./prediction.ts";

/** Windows scored at once: they are long. */
const WINDOW_BATCH = 8;
const QUESTIONS = { kind: "question-answering" } as const;

/** Opens what answers with text. Errors as `Backend.compile`. */
export function openAnswering(
  environment: Environment,
  opened: OpenedTarget,
  overrides: RunOverrides,
): Promise<GroupPredictor> {
  const task: TaskName = opened.task ?? (opened.head.kind === "span" ? "squad" : "seq2seq");
  const { answers, data } = answersFor(task, opened.settings, overrides);
  const lengths = { ...data, maxLength: usableLength(opened.base, maxLengthOf(opened, overrides)) };
  if (opened.head.kind === "span") {
    const choices = spanOptions(answers, opened.unanswerable || overrides["null-threshold"] !== undefined);
    return openPointing(environment, opened, overrides, lengths, choices);
  }
  const seed = overrides.seed ?? opened.settings?.seed ?? DEFAULTS.seed;
  const generation = generationOptions(answers, data.maxTargetLength, seed);
  return openWriting(environment, opened, overrides, lengths, generation, task === "squad");
}

type Lengths = TextDataSettings & { readonly maxLength: number };

async function openPointing(
  environment: Environment,
  opened: OpenedTarget,
  overrides: RunOverrides,
  { maxLength, docStride: stride }: Lengths,
  choices: ReturnType<typeof spanOptions>,
): Promise<GroupPredictor> {
  const scorer = await openTargetScorer(environment, opened, overrides, { density: false });
  const { tokenizer } = opened.base;
  return {
    asksQuestions: true,
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
  overrides: RunOverrides,
  lengths: Lengths,
  generation: GenerationOptions,
  asksQuestions: boolean,
): Promise<GroupPredictor> {
  const { model, trained, settings } = opened;
  const { tokenizer } = opened.base;
  if (model.architecture !== "encoder-decoder") throw new InternalError("an encoder that is to write");
  const backend = backendOf(environment, overrides, settings);
  const generator = await openTextGenerator(
    { ...opened, model, backend },
    { decoding: opened.decoding, isSparse: overrides["sparse-decoding"] ?? false },
  );
  // answers are compared by their probability; other texts are not
  const scorer = asksQuestions ? await openTargetScorer(environment, opened, overrides, { density: false }) : null;
  const writing = { generator, scorer, tokenizer, generation };
  const { maxLength, maxTargetLength, docStride: stride, sourcePrefix: prefix } = lengths;
  return {
    asksQuestions,
    async predict(group) {
      if (asksQuestions) {
        const rows = await encodeAnswers(group, tokenizer, { maxLength, maxTargetLength, stride });
        const batches = scoringBatches(rows, QUESTIONS, "longest", WINDOW_BATCH);
        const texts = await writtenTexts(writing, trained, batches, rows.count, () => true);
        return bestTexts(rows, texts).map(({ text, score }) => ({ text, ...(score === null ? {} : { score }) }));
      }
      const rows = await encodeTexts(group, tokenizer, { maxLength, maxTargetLength, prefix });
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
