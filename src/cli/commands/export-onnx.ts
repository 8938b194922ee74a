// `deft export --format onnx`: a folder for Transformers.js.

import { ConfigError } from "../../errors.ts";
import { bytes, renderTable, toJson } from "../../report/index.ts";
import { DEPLOYED_FORMS } from "../../settings/index.ts";
import type { Body } from "../command.ts";
import { onnxPrecision, onnxPrecisions, weightFormIssue } from "../own-flags.ts";
import { readTarget } from "../target.ts";
import { openWorkflow } from "../workflow.ts";

export const run: Body = async ({ args, flags, terminal, json }) => {
  const { format: _, output, precision, quantize, ...rest } = flags;
  const { precisions, issues: ofPrecision } = precisionsOf(precision, quantize);
  const hasOutput = typeof output === "string" && output !== "";
  const issues = [
    ...(hasOutput ? [] : [{ path: "--output", expected: "a new folder", got: "nothing" }]),
    ...ofPrecision,
  ];
  if (issues.length > 0) throw new ConfigError(issues);
  const { target, overrides } = readTarget({ args, flags: rest });
  const options = {
    output: String(output),
    ...(precisions.length === 0 ? {} : { precisions }),
  };
  const exported = await (await openWorkflow(terminal)).exportOnnx(target, options, overrides);
  if (json) {
    terminal.print(JSON.stringify(toJson(exported)));
    return 0;
  }
  const rows = exported.files.map(({ path, precision: of, sizeBytes }) => [
    `${exported.output}/${path}`,
    of,
    bytes(sizeBytes),
  ]);
  terminal.print(renderTable({ head: ["file", "weights", "size"], rows, align: ["left", "left"] }).join("\n"));
  for (const note of exported.notes) terminal.warn(note);
  terminal.note(`\nIn JavaScript, with @huggingface/transformers:\n  ${exported.loads}`);
  return 0;
};

/** The files to write: one for each of `--precision`, or the single one of `--quantize`; none where nothing is said. */
function precisionsOf(precision: unknown, quantize: unknown): ReturnType<typeof onnxPrecisions> {
  if (quantize === undefined)
    return typeof precision === "string" ? onnxPrecisions(precision) : { precisions: [], issues: [] };
  const found = onnxPrecision(quantize);
  const both = { path: "--quantize", expected: "either --quantize or --precision", got: "both" };
  return {
    precisions: found === undefined ? [] : [found],
    issues: [
      ...(found === undefined ? [weightFormIssue("quantize", quantize, DEPLOYED_FORMS)] : []),
      ...(precision === undefined ? [] : [both]),
    ],
  };
}
