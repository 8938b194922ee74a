// Export of a tuned or compressed model, as a user of the library asks for it.
import { ConfigError, type ConfigIssue } from "../errors.ts";
import {
  type Exported,
  type ExportOptions,
  exportFormatIssues,
  exportOnnx,
  exportRun,
  ONNX_DTYPES,
  type OnnxExport,
  type OnnxExportOptions,
} from "../jobs/index.ts";
import type { RunTarget } from "../load/index.ts";
import type { Environment } from "../runs/index.ts";
import { BASE_FORMS, type DataSource, dataInput, resolvePartial, weightForm } from "../settings/index.ts";
import { mount } from "./rows.ts";
import { speaking } from "./wording.ts";

/** What `deft export` takes for Python's libraries. */
export interface FolderExport {
  /** peft's adapter folder, AdapterHub's, or the whole model with the adapter in its weights. */
  readonly format: ExportOptions["format"];
  /** A new folder. */
  readonly output: string;
  /** With `merged`: the block matrices of the merged model in few bits. */
  readonly quantize?: "nf4" | "int8" | "int4";
  /** With `quantize`: what the cost in score is measured on. Default: the data of the run. */
  readonly data?: DataSource;
}

/** What `deft export --format onnx` takes for Transformers.js. */
export interface TransformersJsExport {
  /** A folder that Transformers.js loads. */
  readonly format: "onnx";
  /** A new folder. */
  readonly output: string;
  /** One file for each. Default: `fp32`, and what the compression was made for, or else `int8`. */
  readonly precisions?: NonNullable<OnnxExportOptions["precisions"]>;
  /** With the precision `qdq`: what is calibrated on. Default: the data of the run. */
  readonly data?: DataSource;
}

/** A model that can be written for other tools. */
export interface Exportable {
  /** Writes a new folder, whole or not at all. Errors as `deft export`. */
  export(options: TransformersJsExport): Promise<OnnxExport>;
  export(options: FolderExport): Promise<Exported>;
}

/** Exports of a target. */
export function exportable(environment: Environment, target: RunTarget): Exportable {
  async function written(options: TransformersJsExport | FolderExport): Promise<Exported | OnnxExport> {
    const mounted = mount(environment, options.data);
    return speaking(async () => {
      const issues = exportIssues(options);
      if (issues.length > 0) throw new ConfigError(issues);
      const overrides = mounted.data === undefined ? {} : resolvePartial({ flags: { ...dataInput(mounted.data) } });
      const { output } = options;
      if (options.format === "onnx") {
        const { precisions } = options;
        const asked = { output, ...(precisions === undefined ? {} : { precisions }) };
        return exportOnnx(mounted.environment, target, asked, overrides);
      }
      const { format, quantize } = options;
      const asked = { format, output, ...(quantize === undefined ? {} : { quantize }) };
      return exportRun(mounted.environment, target, asked, overrides);
    }, mounted.name);
  }
  return { export: written as Exportable["export"] };
}

/** What types do not keep a program from asking for. */
function exportIssues(options: TransformersJsExport | FolderExport): ConfigIssue[] {
  const { format, output } = options as { readonly format: unknown; readonly output: unknown };
  const hasOutput = typeof output === "string" && output !== "";
  const issues = [
    ...exportFormatIssues(format),
    ...(hasOutput
      ? []
      : [
          {
            path: "--output",
            expected: "a new folder",
            got: output === undefined ? "nothing" : JSON.stringify(output),
          },
        ]),
  ];
  const { precisions, quantize } = options as { readonly precisions?: readonly string[]; readonly quantize?: unknown };
  if (precisions !== undefined && format !== "onnx")
    issues.push({ path: "--precision", expected: "--format onnx", got: `--format ${String(format)}` });
  const known = Object.keys(ONNX_DTYPES);
  const unknown = (precisions ?? []).filter((one) => !known.includes(one));
  if (unknown.length > 0)
    issues.push({ path: "--precision", expected: `some of ${known.join(", ")}`, got: unknown.join(", ") });
  const form = quantize === undefined ? "none" : weightForm(quantize, BASE_FORMS);
  if (form === undefined || (form === "none" && quantize !== undefined))
    issues.push({ path: "--quantize", expected: "nf4, int8 or int4", got: JSON.stringify(quantize) });
  return issues;
}
