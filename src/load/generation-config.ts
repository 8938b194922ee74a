// generation_config.json of a model that writes: the choices that transformers' generate would make of it, under what is asked for here.
import { ConfigError } from "../errors.ts";
import { type JsonObject, readJsonObject } from "../hub/index.ts";
import type { GenerationOptions, SamplingOptions } from "../infer/index.ts";
import type { Model } from "../models/index.ts";
import type { SettingsKey } from "../settings/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";
import { GENERATION_KEYS, type StoredGeneration, storedGeneration } from "./generation-keys.ts";

/** What a model's folder says about writing, as it stands there. */
export interface GenerationConfig {
  /** Where it says it: generation_config.json, or where there is none config.json. */
  readonly file: string;
  readonly json: JsonObject;
}

const FILE = "generation_config.json";

/** What a folder says about how its model writes; null for a model that does not. Errors as `readJsonObject`. */
export async function readGenerationConfig(
  files: Files,
  folder: string,
  { writes }: Pick<Model, "writes">,
  config: JsonObject,
): Promise<GenerationConfig | null> {
  if (!writes) return null;
  const file = joinPath(folder, FILE);
  if ((await files.stat(file)) !== null)
    return { file, json: await readJsonObject(files, folder, FILE, "Copy the file again, or remove it.") };
  const entries = Object.entries(config).filter(([key]) => GENERATION_KEYS.has(key));
  return { file: joinPath(folder, "config.json"), json: Object.fromEntries(entries) };
}

export interface WritingChoices {
  /** What the settings say, asked for or by default. */
  readonly own: GenerationOptions;
  /** What was asked for in this call. */
  readonly asked: ReadonlySet<SettingsKey>;
  /** Whether the settings are a run's: it keeps the choices that it was scored by. */
  readonly isRun: boolean;
  /** Fixes what is drawn. */
  readonly seed: number;
  /** Is told what of the file is not followed, and changes no text or is the run's. */
  readonly note?: ((message: string) => void) | undefined;
}

/**
 * How a model's texts are written: as its folder says, with what was asked for, or what a run was scored by, in its place. Where the
 * folder names no length, texts may be as long as the settings say.
 * @throws {ConfigError} naming every key of the file that is malformed, or changes texts and is not built.
 * @see transformers 5.23 `GenerationMixin._prepare_generation_config`
 */
export function writingOptions(
  config: GenerationConfig | null,
  vocabSize: number,
  { own, asked, isRun, seed, note }: WritingChoices,
): GenerationOptions {
  if (config === null) return own;
  const isAsked = (...flags: readonly SettingsKey[]) => flags.some((flag) => asked.has(flag));
  const draws = isAsked("temperature", "top-k", "top-p");
  const stored = storedGeneration(config.file, config.json, vocabSize, { draws });
  if (note) for (const message of stored.notes) note(message);
  const taken = <T>(flags: readonly SettingsKey[], ofFile: T | undefined, ofSettings: T): T =>
    isRun || isAsked(...flags) ? ofSettings : (ofFile ?? ofSettings);
  const maxNewTokens = taken(["max-new-tokens", "max-target-length"], stored.maxNewTokens, own.maxNewTokens);
  const numBeams = taken(["num-beams"], stored.numBeams, own.numBeams ?? 1);
  const sampling = isRun
    ? (own.sampling ?? null)
    : samplingOf(stored, draws ? (own.sampling ?? null) : null, asked, seed);
  if (sampling !== null && numBeams > 1) throw beamsThatDraw(config.file, numBeams);
  const most = maxNewTokens ?? Number.POSITIVE_INFINITY;
  const options = {
    ...own,
    numBeams,
    ...(maxNewTokens === undefined ? {} : { maxNewTokens }),
    lengthPenalty: taken(["length-penalty"], stored.lengthPenalty, own.lengthPenalty ?? 1),
    minNewTokens: Math.min(stored.minNewTokens, most),
    earlyStopping: stored.earlyStopping,
    sampling,
    rules: stored.rules,
    special: stored.special,
  };
  if (isRun && note) tellRunsOwn(config.file, stored, options, isAsked, note);
  return options;
}

/** Drawing as the flags say over what the file says, or as the file says; null where neither draws. `own` is null without such flags. */
function samplingOf(
  { doSample, temperature, topK, topP }: StoredGeneration,
  own: SamplingOptions | null,
  asked: ReadonlySet<SettingsKey>,
  seed: number,
): SamplingOptions | null {
  if (own === null && !doSample) return null;
  const usualTopK = own === null ? 50 : null;
  const most = topK === undefined ? usualTopK : topK === 0 ? null : topK;
  return {
    seed,
    temperature: (asked.has("temperature") ? own?.temperature : temperature) ?? 1,
    topK: asked.has("top-k") ? (own?.topK ?? null) : most,
    topP: (asked.has("top-p") ? own?.topP : topP) ?? 1,
  };
}

function beamsThatDraw(file: string, numBeams: number): ConfigError {
  const issue = {
    path: `${file}, do_sample`,
    expected: "false with beams, which do not draw",
    got: `${numBeams} beams`,
  };
  return new ConfigError([issue], { hint: `Give --num-beams 1, or set do_sample to false in ${file}.` });
}

/** Says where a run was scored by other choices than its model's folder names, with the flags that would follow the folder. */
function tellRunsOwn(
  file: string,
  stored: StoredGeneration,
  options: GenerationOptions,
  isAsked: (...flags: SettingsKey[]) => boolean,
  note: (message: string) => void,
): void {
  const flags = (
    [
      ["num-beams", stored.numBeams, options.numBeams],
      ["max-new-tokens", stored.maxNewTokens, options.maxNewTokens],
      ["length-penalty", stored.lengthPenalty, options.lengthPenalty],
    ] as const
  ).filter(([flag, ofFile, ofRun]) => ofFile !== undefined && ofFile !== ofRun && !isAsked(flag));
  if (flags.length === 0) return;
  const own = flags.map(([flag, , ofRun]) => `--${flag} ${ofRun}`).join(" ");
  const others = flags.map(([flag, ofFile]) => `--${flag} ${ofFile}`).join(" ");
  note(`${file} asks for other choices than the run was trained with, ${own}; to follow the file: ${others}`);
}
