// The choices of answers: of spans that are pointed at, and of texts that are written.
import type { GenerationOptions } from "../infer/index.ts";
import type { SpanOptions } from "../tasks/index.ts";
import type { AnswerSettings } from "./generated/options.ts";

/** The choices of a span's post-processing. */
export function spanOptions(answers: AnswerSettings, unanswerable: boolean): SpanOptions {
  const { nBest, maxAnswerLength, nullThreshold } = answers;
  return { nBest, maxAnswerLength, nullThreshold, unanswerable };
}

/** The choices of generation; `seed` fixes what is drawn. */
export function generationOptions(answers: AnswerSettings, maxTargetLength: number, seed: number): GenerationOptions {
  const { numBeams, maxNewTokens, lengthPenalty, temperature, topK, topP } = answers;
  const draws = temperature !== null || topK !== null || topP !== null;
  return {
    numBeams,
    maxNewTokens: maxNewTokens ?? maxTargetLength,
    lengthPenalty,
    sampling: draws ? { seed, temperature: temperature ?? 1, topK, topP: topP ?? 1 } : null,
  };
}
