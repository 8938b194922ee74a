// `deft export --format onnx`: a folder for Transformers.js.

import { ConfigError, type ConfigIssue } from "../../errors.ts";
import { ONNX_DTYPES, type OnnxExportOptions } from "../../jobs/index.ts";
import { bytes, renderTable, toJson } from "../../report/index.ts";
import type { Body } from "../command.ts";
import { readTarget } from "../target.ts";
import { openWorkflow } from "../workflow.ts";

type Precisions = NonNullable<OnnxExportOptions["precisions"]>;

export const run: Body = async ({ args, flags, terminal, json }) => {
  const { format: _, output, precision, ...rest } = flags;
  const precisions = typeof precision === "string" ? precision.split(",") : undefined;
  const issues: ConfigIssue[] = [];
  if (typeof output !== "string" || output === "")
    issues.push({ path: "--output", expected: "a new folder", got: "nothing" });
  const known = Object.keys(ONNX_DTYPES);
  const unknown = precisions?.filter((name) => !known.includes(name)) ?? [];
  if (unknown.length > 0)
    issues.push({ path: "--precision", expected: `some of ${known.join(", ")}`, got: unknown.join(", ") });
  if (issues.length > 0) throw new ConfigError(issues);
  const { target, overrides } = readTarget({ args, flags: rest });
  const options = {
    output: String(output),
    ...(precisions === undefined ? {} : { precisions: precisions as Precisions }),
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
