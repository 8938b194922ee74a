// What a model is measured and asked with: what was asked for now, over what its run was trained with, over the task's defaults.
import type { AnswerSettings, DataSettings, RunSettings } from "./generated/options.ts";
import { placed } from "./places.ts";
import type { Settings } from "./record.ts";
import { DEFAULTS, type SettingsInput, type SettingsKey, type TaskName, taskDefaults } from "./table/index.ts";
import { scoringInput } from "./text.ts";

/** Examples scored at once unless a number is asked for: nothing is kept for a backward pass. */
export const SCORING_BATCH = 32;

/** Settings of a call that opens a run or model, resolved once: below the door nothing is looked up again. */
export interface EffectiveOptions extends Pick<RunSettings, "backend" | "threads" | "seed"> {
  /** What was asked for, or the run's; null where neither says. */
  readonly task: TaskName | null;
  /** As the run has them, where nothing else was asked for; `path` is null where neither says. */
  readonly data: Omit<DataSettings, "path"> & { readonly path: string | null };
  readonly answers: AnswerSettings;
  /** Examples at once: as asked for, not as the run was trained. */
  readonly batchSize: number;
  /** Null: the task's evaluation split. */
  readonly split: string | null;
  readonly sparseDecoding: boolean;
  /** What was asked for in this call. */
  readonly asked: ReadonlySet<SettingsKey>;
}

/**
 * The options of a call on a run with these settings, or on a model without any; `usualTask` is what such a model does, and decides
 * defaults where nothing says the task.
 */
export function effectiveOptions(
  settings: Settings | null,
  asked: SettingsInput,
  usualTask: TaskName | null = null,
): EffectiveOptions {
  const stored = settings === null ? {} : storedInput(settings);
  const task = asked.task ?? settings?.task ?? null;
  const v = { ...DEFAULTS, ...taskDefaults(task ?? usualTask ?? undefined), ...stored, ...asked };
  const { data, answers, backend, threads, seed } = placed(v) as unknown as Settings;
  return {
    task,
    data: { ...data, path: v.data ?? null },
    answers,
    backend,
    threads,
    seed,
    batchSize: asked["batch-size"] ?? SCORING_BATCH,
    split: asked.split ?? null,
    sparseDecoding: asked["sparse-decoding"] ?? false,
    asked: new Set(Object.keys(asked) as SettingsKey[]),
  };
}

function storedInput(settings: Settings): SettingsInput {
  const { seed, backend } = settings;
  return { ...scoringInput(settings), seed, backend };
}
