// `deft export`: a run, or a model with an adapter, as other tools load it: peft's folder, AdapterHub's, or a merged checkpoint.
import { ConfigError, type ConfigIssue, nearest, UnsupportedError } from "../../errors.ts";
import type { StoredFormat } from "../../graph/index.ts";
import {
  checkNewFolder,
  frozen,
  type MergedModel,
  type OpenedTarget,
  openTarget,
  publicAdapter,
  type RunOverrides,
  type RunTarget,
  writeModelFolder,
  writeWhole,
} from "../../load/index.ts";
import { isHeadName, type Model } from "../../models/index.ts";
import {
  type Adapter,
  kindsOf,
  MERGEABLE,
  type MethodSettings,
  recordOf,
  recordsOfLibrary,
  writeAdapter,
} from "../../peft/index.ts";
import { type PaddedModel, padded } from "../../prune/index.ts";
import { type Environment, PRUNING_FILE, type Pruning, pruningText } from "../../runs/index.ts";
import { headRecord } from "../../tasks/index.ts";
import type { Weights } from "../../tensor/index.ts";
import { zerosKept } from "../prune/pruned-model.ts";
import { writeRequantized } from "./export-quantized.ts";
import { exportedLength } from "./exported-length.ts";

/** Folders that can be written. */
const EXPORT_FORMATS = ["peft", "adapters", "merged"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** The mistake of what is no format to export in, `onnx` among them. */
export function exportFormatIssues(format: unknown): ConfigIssue[] {
  const formats: readonly string[] = [...EXPORT_FORMATS, "onnx"];
  const expected = `one of ${formats.join(", ")}`;
  const path = "--format";
  if (format === undefined) return [{ path, expected, got: "nothing" }];
  if (typeof format === "string" && formats.includes(format)) return [];
  const near = typeof format === "string" ? nearest(format, formats) : undefined;
  return [{ path, expected, got: JSON.stringify(format), ...(near === undefined ? {} : { didYouMean: near }) }];
}

/** What `deft export` is told. */
export interface ExportOptions {
  readonly format: ExportFormat;
  /** A new folder. */
  readonly output: string;
  /** With `merged`: the block matrices of the merged model in few bits. */
  readonly quantize?: StoredFormat;
}

/** What was written, and what a person should know of it. */
export interface Exported {
  readonly output: string;
  readonly format: ExportFormat;
  /** How Python loads it. */
  readonly loads: string;
  readonly notes: readonly string[];
}

/**
 * Writes the folder, whole or not at all.
 * @throws {ConfigError} when the folder is taken, or the method has no such form; errors as `openTarget`.
 */
export async function exportRun(
  environment: Environment,
  target: RunTarget,
  { format, output, quantize }: ExportOptions,
  overrides: RunOverrides = {},
): Promise<Exported> {
  if (quantize !== undefined && format !== "merged") {
    throw new ConfigError([{ path: "--quantize", expected: "--format merged", got: `--format ${format}` }], {
      hint: "An adapter keeps its base in few bits as it is, and loses nothing.",
    });
  }
  await checkNewFolder(environment.files, output);
  const opened = await openTarget(environment, target, overrides);
  if (quantize !== undefined)
    return exportRequantized(environment, opened, { target, output, format: quantize }, overrides);
  return format === "merged"
    ? exportMerged(environment, opened, output)
    : exportAdapter(environment, opened, format, output);
}

async function exportAdapter(
  { files }: Environment,
  opened: OpenedTarget,
  format: Exclude<ExportFormat, "merged">,
  output: string,
): Promise<Exported> {
  const { base, method, trained } = opened;
  const adapter = publicAdapter(method.settings, trained, base, opened);
  if (adapter === null || recordOf(method.settings).format?.library !== format)
    throw noSuchForm(format, method.settings, base);
  await writeWhole(files, output, (folder) => writeAdapter(files, folder, adapter));
  const loads =
    format === "peft"
      ? `peft.PeftModel.from_pretrained(base, "${output}")`
      : [
          `model.load_adapter("${output}"${AS_SAFETENSORS}, set_active=True)`,
          ...headLoads(adapter, base.model, output),
        ].join("; ");
  return { output, format, loads, notes: [] };
}

/** AdapterHub looks for its pickle files unless it is told. */
const AS_SAFETENSORS = ", use_safetensors=True";

function headLoads({ tensors }: Adapter, model: Model, output: string): string[] {
  return [...tensors.keys()].some((name) => isHeadName(model, name))
    ? [`model.load_head("${output}"${AS_SAFETENSORS})`]
    : [];
}

const writes = ({ model }: OpenedTarget["base"]): boolean => model.writes;

/** What a library's folder can hold, in words. */
const HOLDS = {
  peft: `a run that peft has a type for (${recordsOfLibrary("peft")
    .map(({ kind }) => kind)
    .join(", ")})`,
  adapters: "a run of bottleneck adapters",
} as const;

function noSuchForm(
  format: Exclude<ExportFormat, "merged">,
  settings: MethodSettings,
  base: OpenedTarget["base"],
): ConfigError {
  const own = recordOf(settings).format;
  const obstacle = own?.obstacle?.(settings, { writes: writes(base) }) ?? null;
  const other = own === null || obstacle ? "merged" : own.library;
  const {
    expected = HOLDS[format],
    got,
    hint = `Export it with --format ${other}.`,
  } = obstacle ?? { got: `a run of ${settings.kind}` };
  return new ConfigError([{ path: `--format ${format}`, expected, got }], { hint });
}

async function exportMerged(environment: Environment, opened: OpenedTarget, output: string): Promise<Exported> {
  const { base, head } = opened;
  const { config, model, weights: merged } = await mergedOrRefused(environment, opened);
  const { weights, ...plain } = await padded({ config, weights: merged }, model.mlps);
  const { pruning, notes } = await prunedAgain(opened, weights);
  await writeModelFolder(environment.files, output, {
    source: base,
    maxLength: exportedLength(opened),
    config: plain.config,
    weights,
    also: pruning ? { [PRUNING_FILE]: pruningText(pruning) } : {},
  });
  const loads = `${headRecord(head).hf.autoModelClass}.from_pretrained("${output}")`;
  return { output, format: "merged", loads, notes: [...paddingNotes(plain), ...notes] };
}

/** What a compressed model is in other hands. */
function paddingNotes({ isPadded, lostBiases }: Pick<PaddedModel, "isPadded" | "lostBiases">): string[] {
  const zeros =
    "what was removed is zeros here, as transformers knows one size for all layers: right, not faster than the largest layer";
  const lost = `left out: the biases that stand for removed neurons in ${lostBiases.length} MLPs, which transformers' T5 has no place for, so that its outputs differ from this model's; deft eval measures the folder without them`;
  return [...(isPadded ? [zeros] : []), ...(lostBiases.length > 0 ? [lost] : [])];
}

async function exportRequantized(
  environment: Environment,
  opened: OpenedTarget,
  place: { readonly target: RunTarget; readonly output: string; readonly format: StoredFormat },
  overrides: RunOverrides,
): Promise<Exported> {
  const { output, format } = place;
  const scores = await writeRequantized(
    environment,
    opened,
    (await mergedOrRefused(environment, opened)).weights,
    place,
    overrides,
  );
  const loads =
    format === "nf4" ? `${headRecord(opened.head).hf.autoModelClass}.from_pretrained("${output}")` : "no library";
  if (scores === null) return { output, format: "merged", loads, notes: [] };
  const [metric, apart] = Object.entries(scores.apart.metrics)[0] ?? ["loss", scores.apart.loss];
  const merged = scores.merged.metrics[metric] ?? scores.merged.loss;
  const note = `merging into ${format} changes ${metric} from ${apart?.toFixed(4)} to ${merged.toFixed(4)}, and loss from ${scores.apart.loss.toFixed(4)} to ${scores.merged.loss.toFixed(4)}`;
  return { output, format: "merged", loads, notes: [`${note}; the run itself, base and update apart, loses nothing`] };
}

async function mergedOrRefused({ files }: Environment, opened: OpenedTarget): Promise<MergedModel> {
  const { model, name } = opened.base;
  if (model.writes && model.config.mlpInputBias) {
    const expected = "a model that transformers' T5 has a place for";
    const got = `${name}, whose activations have thresholds, in biases that transformers' T5 has not`;
    throw new ConfigError([{ path: "--format merged", expected, got }], { hint: "Export it with --format onnx." });
  }
  try {
    return await frozen(files, opened);
  } catch (cause) {
    const { base, method } = opened;
    const record = recordOf(method.settings);
    // a method that can be merged is refused for where it stands, and says so
    if (!(cause instanceof UnsupportedError) || record.merge) throw cause;
    const { kind, format } = record;
    const expected = `a run of ${kindsOf(MERGEABLE)}`;
    const obstacle = format?.obstacle?.(method.settings, { writes: writes(base) });
    const hint = obstacle?.hint ?? `Export it with --format ${format?.library}, or train with --method lora.`;
    throw new ConfigError([{ path: "--format merged", expected, got: `${kind}, which is no change of the weights` }], {
      hint,
    });
  }
}

/** A pruned base's file for the merged model, with its zeros counted again; none when zeros were lost, which is said. */
async function prunedAgain(
  { base }: OpenedTarget,
  weights: Weights,
): Promise<{ pruning: Pruning | null; notes: string[] }> {
  if (base.pruning === null) return { pruning: null, notes: [] };
  const { pruning, lost } = await zerosKept(base.pruning, base.weights, weights);
  if (lost === 0) return { pruning, notes: [] };
  const share = (100 * lost).toFixed(1);
  return {
    pruning: null,
    notes: [`${share} % of the base's zeros are filled by the update; train with --mask-safe to keep them`],
  };
}
