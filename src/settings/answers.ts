// The choices of answers: of spans that are pointed at, and of texts that are written.
import type { GenerationOptions } from "../infer/index.ts";
import type { SpanOptions } from "../tasks/index.ts";
import type { AnswerSettings } from "./generated/options.ts";
import { placed } from "./places.ts";
import type { Settings, TextDataSettings } from "./record.ts";
import { DEFAULTS, type SettingsInput, type TaskName, taskDefaults } from "./table/index.ts";
import { settingsInput } from "./text.ts";

/** What a run was trained with, under what is asked for now; a task's defaults where there was no run. */
export function answersFor(
  task: TaskName,
  run: Settings | null,
  asked: SettingsInput,
): { readonly answers: AnswerSettings; readonly data: TextDataSettings } {
  const stored = run === null ? {} : settingsInput(run);
  const v = { ...DEFAULTS, ...taskDefaults(task), ...stored, ...asked };
  const { answers, data } = placed(v) as { answers: AnswerSettings; data: TextDataSettings };
  const { sourceColumn, targetColumn, sourcePrefix, maxTargetLength, docStride } = data;
  return { answers, data: { sourceColumn, targetColumn, sourcePrefix, maxTargetLength, docStride } };
}

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
