// The settings of tasks that answer with text: what is read and written, how texts are chosen.
import type { GenerationOptions } from "../infer/index.ts";
import type { SpanOptions } from "../tasks/index.ts";
import { DEFAULTS, TASK_DEFAULTS } from "./defaults.ts";
import type { SettingsInput, SettingsKey } from "./schema.ts";
import type { Settings, TaskName } from "./settings.ts";

/** What `squad` and `seq2seq` read besides a classifier's settings. */
export interface TextDataSettings {
  /** Null: the usual names, `source` and `target` first. */
  readonly sourceColumn: string | null;
  readonly targetColumn: string | null;
  /** Put before each source: `summarize: `. */
  readonly sourcePrefix: string;
  /** Tokens of a target at most, the one that ends it included. */
  readonly maxTargetLength: number;
  /** Tokens that neighbouring windows of a context share. */
  readonly docStride: number;
}

/** How answers are chosen; means nothing to a classifier. */
export interface AnswerSettings {
  /** Spans: starts and ends looked at. */
  readonly nBest: number;
  /** Spans: tokens at most. */
  readonly maxAnswerLength: number;
  /** No answer is given when its score passes the best answer's by more; only where questions may have none. */
  readonly nullThreshold: number;
  readonly numBeams: number;
  /** Null: as long as targets. */
  readonly maxNewTokens: number | null;
  readonly lengthPenalty: number;
  /** Tokens are drawn at random when one of the next three is given. */
  readonly temperature: number | null;
  readonly topK: number | null;
  readonly topP: number | null;
}

/** Keys that only `squad` uses, only `seq2seq`, and both. */
export const SQUAD_KEYS = ["doc-stride", "n-best", "max-answer-length", "null-threshold"] as const;
export const SEQ2SEQ_KEYS = ["source-column", "target-column", "source-prefix"] as const;
export const WRITING_KEYS = [
  "max-target-length",
  "num-beams",
  "max-new-tokens",
  "length-penalty",
  "temperature",
  "top-k",
  "top-p",
] as const;

type Values = SettingsInput &
  Readonly<
    Required<
      Pick<
        SettingsInput,
        | "max-target-length"
        | "doc-stride"
        | "n-best"
        | "max-answer-length"
        | "null-threshold"
        | "num-beams"
        | "length-penalty"
      >
    >
  >;

/** The part of the data settings that these tasks add. */
export function textData(v: Values): TextDataSettings {
  return {
    sourceColumn: v["source-column"] ?? null,
    targetColumn: v["target-column"] ?? null,
    sourcePrefix: v["source-prefix"] ?? "",
    maxTargetLength: v["max-target-length"],
    docStride: v["doc-stride"],
  };
}

/** Values by key as one record. */
export function answerSettings(v: Values): AnswerSettings {
  return {
    nBest: v["n-best"],
    maxAnswerLength: v["max-answer-length"],
    nullThreshold: v["null-threshold"],
    numBeams: v["num-beams"],
    maxNewTokens: v["max-new-tokens"] ?? null,
    lengthPenalty: v["length-penalty"],
    temperature: v.temperature ?? null,
    topK: v["top-k"] ?? null,
    topP: v["top-p"] ?? null,
  };
}

/** These settings as flags and files spell them; only what the task uses. */
export function answersInput(task: string, data: TextDataSettings, answers: AnswerSettings): Record<string, unknown> {
  const own: readonly string[] = task === "squad" ? SQUAD_KEYS : task === "seq2seq" ? SEQ2SEQ_KEYS : [];
  if (own.length === 0) return {};
  const all: { readonly [K in SettingsKey]?: unknown } = {
    "source-column": data.sourceColumn,
    "target-column": data.targetColumn,
    "source-prefix": data.sourcePrefix === "" ? null : data.sourcePrefix,
    "max-target-length": data.maxTargetLength,
    "doc-stride": data.docStride,
    "n-best": answers.nBest,
    "max-answer-length": answers.maxAnswerLength,
    "null-threshold": answers.nullThreshold,
    "num-beams": answers.numBeams,
    "max-new-tokens": answers.maxNewTokens,
    "length-penalty": answers.lengthPenalty,
    temperature: answers.temperature,
    "top-k": answers.topK,
    "top-p": answers.topP,
  };
  const used = [...own, ...WRITING_KEYS];
  return Object.fromEntries(Object.entries(all).filter(([key, value]) => value !== null && used.includes(key)));
}

/** What a run was trained with, under what is asked for now; a task's defaults where there was no run. */
export function answersFor(
  task: TaskName,
  run: Pick<Settings, "task" | "data" | "answers"> | null,
  asked: SettingsInput,
): { readonly answers: AnswerSettings; readonly data: TextDataSettings } {
  const stored = run === null ? {} : answersInput(run.task, run.data, run.answers);
  const v = { ...DEFAULTS, ...TASK_DEFAULTS[task], ...stored, ...asked };
  return { answers: answerSettings(v), data: textData(v) };
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
