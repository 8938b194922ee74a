// Answers to questions about a context: pointed at by a model that reads, written by one that writes.
import { type EncodedExamples, type EncodedSpans, encodeAnswers, encodeSpans, isSpans } from "../data/index.ts";
import { InternalError } from "../errors.ts";
import { bestTexts, hasRivals, scoreAnswers, windowsOf } from "./answer-scores.ts";
import type { ExampleLogits } from "./example-logits.ts";
import { languageModelHead } from "./language-model.ts";
import { bestSpan, type SpanOptions, type SpanPrediction, type WindowLogits } from "./span.ts";
import { spanHead } from "./span-head.ts";
import type { TaskRecord, WrittenText } from "./task.ts";

/** The answer to a question, empty for none, and its probability. */
export interface AnswerPrediction {
  readonly text: string;
  readonly score?: number;
}

export const questionAnswering: TaskRecord<AnswerPrediction> = {
  kind: "question-answering",
  names: ["squad"],
  asksQuestions: true,
  takesWords: false,
  hasClasses: false,
  exampleInput: ["--question", "…", "--context", "…"],
  encode(examples, tokenizer, { writes, forTraining: targetsOnly, maxLength, stride, maxTargetLength, unanswerable }) {
    if (!writes) return encodeSpans(examples, tokenizer, { maxLength, stride, placedOnly: targetsOnly });
    return encodeAnswers(examples, tokenizer, { maxLength, stride, maxTargetLength, unanswerable, targetsOnly });
  },
  reading: {
    head: spanHead,
    score: (logits, examples, { task, pointing }) =>
      scoreAnswers(bestSpans(spansOf(examples), logits, pointing), spansOf(examples), task),
    answers: (logits, examples, { pointing }) =>
      bestSpans(spansOf(examples), logits, pointing).map(({ text, score }) => ({ text, score })),
  },
  writing: {
    head: languageModelHead,
    needsScore: (examples) => hasRivals(windowsOf(examples)),
    score: (texts, examples, task) =>
      scoreAnswers(
        bestTexts(windowsOf(examples), texts).map((text) => ({ ...text, nullScore: null })),
        windowsOf(examples),
        task,
      ),
    answers: (texts, examples) => bestTexts(windowsOf(examples), texts).map(written),
  },
};

const written = ({ text, score }: WrittenText) => ({ text, ...(score === null ? {} : { score }) });

function spansOf(examples: EncodedExamples): EncodedSpans {
  if (isSpans(examples)) return examples;
  throw new InternalError("answers pointed at in examples without positions");
}

/** The best answer of each question, from the logits of all windows. */
export function bestSpans(spans: EncodedSpans, logits: ExampleLogits, options: SpanOptions): SpanPrediction[] {
  const windows: WindowLogits[][] = spans.questions.map(() => []);
  spans.owners.forEach((owner, index) => {
    const [both, length] = [logits.of(index), spans.lengths[index]!];
    windows[owner]!.push({
      start: both.subarray(0, length),
      end: both.subarray(length),
      offsets: spans.offsets(index),
    });
  });
  return spans.questions.map(({ pair = "" }, i) => bestSpan(pair, windows[i]!, options));
}
