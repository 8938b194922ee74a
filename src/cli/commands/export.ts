// `deft export`: a run as a folder that peft, AdapterHub's adapters or transformers load.
import { type ConfigIssue, nearest } from "../../errors.ts";
import { shellLine, toJson } from "../../report/index.ts";
import { EXPORT_FORMATS, type ExportFormat } from "../../workflow/index.ts";
import type { Body } from "../command.ts";
import { collected } from "../own-flags.ts";
import { readTarget } from "../target.ts";
import { openWorkflow } from "../workflow.ts";

/** Named in the product's contract, and not built yet. */
const PLANNED = ["onnx"];

export const run: Body = async ({ args, flags, terminal, json }) => {
  const { format, output, ...rest } = flags;
  const issues = [...formatIssues(format), ...outputIssues(output)];
  const { opened } = collected(issues, { opened: () => readTarget({ args, flags: rest }) });
  const options = { format: format as ExportFormat, output: String(output) };
  const exported = await (await openWorkflow()).exportRun(opened.target, options, opened.overrides);
  if (json) {
    terminal.print(JSON.stringify(toJson(exported)));
    return 0;
  }
  terminal.print(exported.output);
  for (const note of exported.notes) terminal.warn(note);
  terminal.note(`\nIn Python:\n  ${exported.loads}`);
  if (exported.format === "merged")
    terminal.note(`Here:\n  ${shellLine(["deft", "eval", "--model", exported.output])}`);
  return 0;
};

function formatIssues(format: unknown): ConfigIssue[] {
  const expected = `one of ${EXPORT_FORMATS.join(", ")}`;
  const path = "--format";
  if (format === undefined) return [{ path, expected, got: "nothing" }];
  if ((EXPORT_FORMATS as readonly unknown[]).includes(format)) return [];
  const got = JSON.stringify(format);
  if (PLANNED.includes(String(format))) return [{ path, expected, got: `${got}, which is planned and not built yet` }];
  const near = nearest(String(format), EXPORT_FORMATS);
  return [{ path, expected, got, ...(near === undefined ? {} : { didYouMean: near }) }];
}

function outputIssues(output: unknown): ConfigIssue[] {
  if (typeof output === "string" && output !== "") return [];
  return [{ path: "--output", expected: "a new folder", got: "nothing" }];
}
