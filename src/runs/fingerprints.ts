// Content is compared by fingerprint: wherever it lies, and whatever it is called there.
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { isSameFingerprint } from "../hub/index.ts";

/** Fingerprints by what they are of: `base`, `data`, `teacher`, `adapter`. */
export type Fingerprints = Readonly<Record<string, string>>;

/** How a difference is told. */
export interface FingerprintWords {
  /** Where a person names the part, by part: `--model bert-base`. A part that is not here is not compared. */
  readonly paths: Readonly<Record<string, string>>;
  /** What the content should be: `the content the run was started with`. */
  readonly expected: string;
  readonly hint: string;
}

/** @throws {ConfigError} naming every part whose content is another. */
export function checkFingerprints(
  expected: Fingerprints,
  found: Fingerprints,
  { paths, expected: wanted, hint }: FingerprintWords,
): void {
  const issues: ConfigIssue[] = Object.entries(paths).flatMap(([part, path]) => {
    const [before, now] = [expected[part], found[part]];
    return isSameFingerprint(before, now) ? [] : [{ path, expected: `${wanted} (${brief(before)})`, got: brief(now) }];
  });
  if (issues.length > 0) throw new ConfigError(issues, { hint });
}

const brief = (print: string | undefined) => (print === undefined ? "nothing" : `${print.slice(0, 19)}…`);
