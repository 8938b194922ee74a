// Keeps an error on one screen when a checkpoint has hundreds of faults of the same kind.
import type { CheckpointIssue } from "../errors.ts";

const SHOWN = 20;

/** The first twenty issues, and one more that counts the rest. */
export function issueList(issues: readonly CheckpointIssue[]): CheckpointIssue[] {
  if (issues.length <= SHOWN) return [...issues];
  const rest = issues.length - SHOWN;
  return [...issues.slice(0, SHOWN), { name: `${rest} more`, expected: "as above", got: "as above" }];
}
