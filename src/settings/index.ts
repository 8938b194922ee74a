// Settings of a run: takes flags, a YAML file or plain options; gives one checked record, every mistake at once.
// Never opens a model or data.
export {
  type AnswerSettings,
  answersFor,
  answersInput,
  generationOptions,
  spanOptions,
  type TextDataSettings,
} from "./answers.ts";
export { DEFAULTS, PAPER_KEYS } from "./defaults.ts";
export {
  type DataSource,
  type DensityOptions,
  dataInput,
  densityInput,
  methodSettings,
  type PlainOptions,
  plainInput,
  type ScoreOptions,
  scoreInput,
} from "./options.ts";
export { type Preset, type PresetName, ROW_PRESETS, type RowPreset, rowPreset } from "./presets.ts";
export { METHODS, SETTINGS_KEYS, type SettingsInput, type SettingsKey, STORED_FORMATS, TASKS } from "./schema.ts";
export {
  type ComparisonCell,
  type DataSettings,
  type DensitySettings,
  type DistillationSettings,
  type MethodName,
  methodName,
  type OptimSettings,
  resolveComparison,
  resolvePartial,
  resolveSettings,
  type Settings,
  type SettingsSources,
  type TaskName,
  taskDefaults,
} from "./settings.ts";
export { settingsInput, settingText, trainCommand } from "./text.ts";
