// The run's folder before a run: free for a new one, or holding the run to go on with.
import { ConfigError, type ConfigIssue } from "../errors.ts";
import {
  FREE_ON_RESUME,
  resolveSettings,
  resumedSettings,
  type Settings,
  type SettingsInput,
  type SettingsKey,
  type SettingsSources,
  settingsInput,
  settingText,
} from "../settings/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";
import { checkUnlocked } from "./folder-lock.ts";
import { readRun } from "./run-folder.ts";

/**
 * Settings of a new run, or with `--resume` those the run in `--output` was started with.
 *
 * @throws {ConfigError} with every mistake; also when the folder holds another run, or none to resume.
 */
export async function openSettings(files: Files, sources: SettingsSources): Promise<Settings> {
  const { output, resume } = sources.flags;
  if (resume === true && typeof output === "string") return resumeSettings(files, output, sources);
  if (resume === true) {
    throw new ConfigError([{ path: "--resume", expected: "--output RUN, the run to resume", got: "no --output" }]);
  }
  const settings = resolveSettings(sources);
  if (settings.output !== null) await checkFree(files, settings.output);
  return settings;
}

/** @throws {ConfigError} when the folder holds a run, or is a file. @throws {FileError} where somebody writes it. */
export async function checkFree(files: Files, output: string): Promise<void> {
  if ((await files.stat(output))?.isFolder) await checkUnlocked(files, output);
  await checkHoldsNoRun(files, output);
}

/** @throws {ConfigError} when the folder holds a run, or is a file. */
export async function checkHoldsNoRun(files: Files, output: string): Promise<void> {
  const stat = await files.stat(output);
  if (stat === null) return;
  if (!stat.isFolder) throw new ConfigError([{ path: "--output", expected: "a folder", got: `a file, ${output}` }]);
  if ((await files.stat(joinPath(output, "run.json"))) !== null) {
    throw new ConfigError([{ path: "--output", expected: "a folder without a run", got: `the run in ${output}` }], {
      hint: "Add --resume to go on with it, or choose another folder.",
    });
  }
  for (const part of ["checkpoints", "adapter", "events.jsonl"]) {
    if ((await files.stat(joinPath(output, part))) === null) continue;
    throw new ConfigError(
      [{ path: "--output", expected: "a folder without a run", got: `${part} of one in ${output}` }],
      { hint: "Its run.json is missing, so it cannot be resumed: choose another folder, or remove this one." },
    );
  }
}

async function resumeSettings(files: Files, output: string, sources: SettingsSources): Promise<Settings> {
  if ((await files.stat(joinPath(output, "run.json"))) === null) {
    throw new ConfigError([{ path: "--resume", expected: "--output to hold a run", got: `none in ${output}` }], {
      hint: "Leave out --resume to start it.",
    });
  }
  await checkUnlocked(files, output);
  const { record } = await readRun(files, output);
  const stored = settingsInput(record.settings);
  const asked = resolveSettings({ ...sources, flags: { ...withoutUnused(stored, sources), ...sources.flags } });
  checkUnchanged(stored, settingsInput(asked));
  return { ...resumedSettings(record.settings, asked), output, resume: true };
}

/** @throws {ConfigError} listing each setting that differs from those a run was started with and changes its steps. */
export function checkUnchanged(stored: SettingsInput, given: SettingsInput): void {
  const issues: ConfigIssue[] = [];
  for (const key of new Set([...Object.keys(stored), ...Object.keys(given)]) as Set<SettingsKey>) {
    if (FREE_ON_RESUME.has(key) || settingText(given[key]) === settingText(stored[key])) continue;
    issues.push({
      path: `--${key}`,
      expected: `${settingText(stored[key] ?? "nothing")}, as the run was started`,
      got: settingText(given[key] ?? "nothing"),
    });
  }
  if (issues.length > 0) throw new ConfigError(issues, { hint: "Leave these out, or start a new run." });
}

// a file's own keys are compared as given, so stored ones must not hide them
function withoutUnused(stored: SettingsInput, { file }: SettingsSources): SettingsInput {
  if (file === undefined) return stored;
  const written = new Set(file.text.match(/^[\w-]+(?=\s*:)/gm) ?? []);
  return Object.fromEntries(Object.entries(stored).filter(([key]) => !written.has(key)));
}
