// Settings as the command line gives them: a file's text and the flags.

import type { SettingsSources } from "../settings/index.ts";
import type { Files } from "../tensor/index.ts";

/** Flags with the YAML file of the first argument, when there is one. */
export async function settingsSources(
  files: Files,
  config: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): Promise<SettingsSources> {
  return config === undefined ? { flags } : { flags, file: { name: config, text: await files.readText(config) } };
}
