// Files that this program wrote, checked when they are read back: they may have been changed, damaged, or made by somebody else.
import type * as z from "zod";
import { DataError, type DataIssue, shownValue } from "../errors.ts";

/** Mistakes that are shown of one file; all are counted. */
const MOST_SHOWN = 10;

/** @throws {DataError} with every place where `value` is not what `schema` asks for. */
export function requireShape(file: string, schema: z.ZodType, value: unknown, line?: number): void {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return;
  throw damaged(
    file,
    parsed.error.issues.map((issue) => issueOf(issue, line)),
  );
}

/** The error of a file with these mistakes, of which there is one at least. */
export function damaged(file: string, issues: readonly DataIssue[]): DataError {
  const [first, ...others] = issues.slice(0, MOST_SHOWN);
  return new DataError(file, { ...first!, others, total: issues.length, hint: "The file was changed or damaged." });
}

function issueOf(issue: z.core.$ZodIssue, line: number | undefined): DataIssue {
  const [, expected = issue.message] = /expected (.+?), received/.exec(issue.message) ?? [];
  // a key may be a symbol, which is no text by itself
  const path = issue.path.map(String).join(".");
  return { ...(line === undefined ? {} : { line }), path, expected, got: shownValue(issue.input) };
}
