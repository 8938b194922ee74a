// The table of settings: one row each. Light enough for help and completion: it loads nothing of the other rooms.
export { choicesOf, type Kind, type ValueOf } from "./kinds.ts";
export {
  METHODS,
  type MethodName,
  SETTING_COMMANDS,
  type SettingCommand,
  STORED_FORMATS,
  TASK_FACTS,
  TASKS,
  type TaskName,
} from "./names.ts";
export {
  DEFAULTS,
  isSettingsKey,
  lossDefaults,
  methodDefaults,
  SETTINGS,
  SETTINGS_KEYS,
  type SettingsInput,
  type SettingsKey,
  settingsThatAffect,
  taskDefaults,
} from "./rows.ts";
export { type Affects, HEADINGS, type Heading, type Need, type Setting } from "./setting.ts";
export type { ClassWeights, Range } from "./values.ts";
export { BASE_FORMS, DEPLOYED_FORMS, WEIGHT_FORMS, type WeightForm, weightForm } from "./weight-forms.ts";
export {
  camelCase,
  optionHelp,
  optionName,
  otherDefaults,
  settingText,
  unlistedChoices,
  valueName,
} from "./words.ts";
