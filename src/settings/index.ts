// Settings of a run: takes flags, a YAML file or plain options; gives one checked record, every mistake at once.
// Never opens a model or data.
export { generationOptions, spanOptions } from "./answers.ts";
export { FREE_OF_REFERENCE, FREE_ON_RESUME, keySettings, resumedSettings } from "./compared.ts";
export { isUsed } from "./conflicts.ts";
export { PAPER_KEYS, PRESETS } from "./defaults.ts";
export { type EffectiveOptions, effectiveOptions, SCORING_BATCH } from "./effective.ts";
export type {
  AnswerSettings,
  DataSettings,
  DensityOptions,
  DistillationSettings,
  OptimSettings,
  PlainOptions,
} from "./generated/options.ts";
export { metricsOf } from "./metrics.ts";
export {
  type DataSource,
  dataInput,
  densityInput,
  methodSettings,
  plainInput,
  type ScoreOptions,
  scoreInput,
} from "./options.ts";
export { completed } from "./places.ts";
export { PRESET_NAMES, type Preset, type PresetName, ROW_PRESETS, type RowPreset, rowPreset } from "./presets.ts";
export type { DensitySettings, Settings, TextDataSettings } from "./record.ts";
export {
  type ComparisonCell,
  resolveComparison,
  resolvePartial,
  resolveSettings,
  type SettingsSources,
  storedFormat,
} from "./settings.ts";
export { storedIssues } from "./stored.ts";
export {
  BASE_FORMS,
  DEFAULTS,
  DEPLOYED_FORMS,
  METHODS,
  type MethodName,
  SETTINGS_KEYS,
  type SettingsInput,
  type SettingsKey,
  STORED_FORMATS,
  settingText,
  TASKS,
  type TaskName,
  taskDefaults,
  type WeightForm,
  weightForm,
} from "./table/index.ts";
export { choicesOf } from "./table/kinds.ts";
export type { SettingCommand } from "./table/names.ts";
export { lossDefaults, SETTINGS } from "./table/rows.ts";
export type { Heading, Setting } from "./table/setting.ts";
export { camelCase, optionName, otherDefaults, unlistedChoices, valueName } from "./table/words.ts";
export { methodName, scoringInput, settingsInput, trainCommand } from "./text.ts";
