// `deft export`: a run as a folder that peft, AdapterHub's adapters, transformers or Transformers.js load.

import type { ConfigIssue } from "../../errors.ts";
import { type ExportFormat, exportFormatIssues } from "../../jobs/index.ts";
import { shellLine, toJson } from "../../report/index.ts";
import { BASE_FORMS, weightForm } from "../../settings/index.ts";
import type { Body } from "../command.ts";
import { collected, weightFormIssue } from "../own-flags.ts";
import { readTarget } from "../target.ts";
import { openWorkflow } from "../workflow.ts";

export const run: Body = async (call) => {
  const { args, flags, terminal, json } = call;
  if (flags.format === "onnx") return (await import("./export-onnx.ts")).run(call);
  const { format, output, quantize: word, ...rest } = flags;
  const quantize = weightForm(word, BASE_FORMS);
  const issues = [...exportFormatIssues(format), ...outputIssues(output), ...quantizeIssues(word)];
  const { opened } = collected(issues, { opened: () => readTarget({ args, flags: rest }) });
  const options = {
    format: format as ExportFormat,
    output: String(output),
    ...(quantize === undefined || quantize === "none" ? {} : { quantize }),
  };
  const exported = await (await openWorkflow(terminal)).exportModel(opened.target, options, opened.overrides);
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

function quantizeIssues(word: unknown): ConfigIssue[] {
  return word === undefined || weightForm(word, BASE_FORMS) !== undefined
    ? []
    : [weightFormIssue("quantize", word, BASE_FORMS)];
}

function outputIssues(output: unknown): ConfigIssue[] {
  if (typeof output === "string" && output !== "") return [];
  return [{ path: "--output", expected: "a new folder", got: "nothing" }];
}
