// A text to write for each text, which only a model that writes can do.
import { encodeTexts } from "../data/index.ts";
import { scoreTexts } from "./answer-scores.ts";
import { languageModelHead } from "./language-model.ts";
import type { TaskRecord } from "./task.ts";

/** A text that was written. */
export interface TextPrediction {
  readonly text: string;
}

export const seq2seq: TaskRecord<TextPrediction> = {
  kind: "seq2seq",
  names: ["seq2seq"],
  asksQuestions: false,
  takesWords: false,
  hasClasses: false,
  exampleInput: ["--text", "…"],
  encode: (examples, tokenizer, { maxLength, maxTargetLength, prefix }) =>
    encodeTexts(examples, tokenizer, { maxLength, maxTargetLength, prefix }),
  reading: null,
  writing: {
    head: languageModelHead,
    needsScore: () => () => false,
    score: scoreTexts,
    answers: (texts) => texts.map(({ text }) => ({ text })),
  },
};
