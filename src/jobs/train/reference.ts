// The run of plain PEFT that a density weight found by feedback is measured against.
import { ConfigError } from "../../errors.ts";
import { effectiveEvents, readRun } from "../../runs/index.ts";
import { FREE_OF_REFERENCE, type Settings, settingsInput } from "../../settings/index.ts";
import type { Files } from "../../tensor/index.ts";
import type { TrainEvent } from "../../train/index.ts";

/**
 * The task loss of each step of the plain run, from `events` or from the run that the settings name; null where the
 * weight is not found by feedback.
 * @throws {ConfigError} when that run is another model, task or seed, has a density loss, or fewer steps.
 */
export async function referenceLosses(
  files: Files,
  settings: Settings,
  totalSteps: number,
  events?: readonly TrainEvent[],
): Promise<readonly number[] | null> {
  const { auto } = settings.density;
  if (!auto) return null;
  const folder = auto.reference;
  const found = events ?? (folder === null ? [] : await plainEvents(files, folder, settings));
  const losses = effectiveEvents(found).flatMap((event) => (event.type === "step" ? [event.taskLoss] : []));
  if (losses.length < totalSteps) {
    throw new ConfigError(
      [{ path: "--reference", expected: `a run of ${totalSteps} steps or more`, got: `one of ${losses.length}` }],
      { hint: "Finish it first, without --patience." },
    );
  }
  return losses;
}

async function plainEvents(files: Files, folder: string, settings: Settings): Promise<readonly TrainEvent[]> {
  const { record, events } = await readRun(files, folder);
  const [wanted, stored] = [settingsInput(settings), settingsInput(record.settings)];
  const keys = [...new Set([...Object.keys(wanted), ...Object.keys(stored)])] as (keyof typeof wanted)[];
  const issues = keys
    .filter((key) => !FREE_OF_REFERENCE.has(key) && JSON.stringify(wanted[key]) !== JSON.stringify(stored[key]))
    .map((key) => ({
      path: `--reference ${folder}, ${key}`,
      expected: `${JSON.stringify(wanted[key]) ?? "none"}, as this run`,
      got: JSON.stringify(stored[key]) ?? "none",
    }));
  if (record.settings.density.weight !== 0) {
    issues.push({
      path: `--reference ${folder}, density-weight`,
      expected: "0: a run of plain PEFT",
      got: String(record.settings.density.weight),
    });
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return events;
}
