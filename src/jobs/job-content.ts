// Whether a machine's files hold what a job was made for.
import { openDataset } from "../data/index.ts";
import { adapterPrint, type OpenedTarget, type RunTarget, targetData, targetName } from "../load/index.ts";
import { checkFingerprints, type Environment, type Fingerprints } from "../runs/index.ts";

/** What a person calls the parts: `--model bert-base`. */
export type PartNames = Readonly<Record<string, string>>;

/**
 * Compares the parts that `expected` names; none where it is undefined.
 * @throws {ConfigError} naming every part whose content is another, or that there is not.
 */
export function checkContent(expected: Fingerprints | undefined, found: Fingerprints, names: PartNames): void {
  const parts = Object.keys(expected ?? {});
  checkFingerprints(expected ?? {}, found, {
    paths: Object.fromEntries(parts.map((part) => [part, names[part] ?? part])),
    expected: "the content the job was made for",
    hint: "Bring these files to this machine as they were, or make the job anew for those that are here.",
  });
}

/**
 * Compares a target's base, data (every split, as a run's record has it) and adapter with those that a job was made for.
 * @throws {ConfigError} as `checkContent`; errors as `openDataset`.
 */
export async function checkTargetContent(
  { files }: Environment,
  target: RunTarget,
  opened: OpenedTarget,
  expected: Fingerprints | undefined,
): Promise<void> {
  if (expected === undefined) return;
  const { base, trained } = opened;
  const { data } = "data" in expected ? targetData(opened) : {};
  const found: Fingerprints = {
    base: base.fingerprint,
    ...(data === undefined ? {} : { data: (await openDataset(files, targetData(opened))).fingerprint }),
    ...(trained.size === 0 ? {} : { adapter: await adapterPrint(files, trained) }),
  };
  const names = {
    base: `--model ${base.name}`,
    data: `--data ${data}`,
    adapter: `the adapter of ${targetName(target)}`,
  };
  checkContent(expected, found, names);
}
