// `compression.json`: what a compressed model was made from and what it costs, beside the model.

import { checkSums, type JsonObject, readJsonObject, requireShape } from "../hub/index.ts";
import type { MethodSettings } from "../peft/index.ts";
import type { Measured, Plan, Sizes } from "../prune/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";
import { checkedSettings } from "./run-folder.ts";
import type { RunRecord } from "./run-record.ts";
import { COMPRESSION_RECORD } from "./stored-schema.ts";

/** The record's name in a compressed model's folder. */
export const COMPRESSION_FILE = "compression.json";

/** Size of a model: MLP neurons in all layers, and parameters. */
export interface ModelSize {
  readonly neurons: number;
  /** Layers that have an MLP. */
  readonly mlps: number;
  readonly parameters: number;
}

/** One measured candidate of a search. */
export interface Candidate extends Partial<Measured> {
  readonly sizes: Sizes;
  /** From the dense model's: mean squared distance of the logits, of models that write the mean divergence of the next token in nats. */
  readonly divergence?: number;
  /** Share of the dense model's latency. */
  readonly latency?: number;
  /** The shares that it is made of, for models that write: of reading a text, and of writing a token. */
  readonly latencyParts?: { readonly reading: number; readonly token: number };
}

/** A budget and what came of it on examples that the choice did not see. */
export interface BudgetOutcome {
  readonly kind: "score" | "latency";
  readonly asked: number;
  readonly reached: number;
  readonly met: boolean;
  /** Of a score budget: where what was lost lies with 95 %, had the examples been others. */
  readonly interval?: { readonly low: number; readonly high: number };
}

/** An activation and how many of its values are not zero, as shares by stack. */
export interface ActivationDensity {
  readonly name: string;
  readonly density: { readonly encoder: number; readonly decoder?: number };
}

/** The JSON of `deft compress --json`, and `compression.json` beside the model. */
export interface Compression {
  readonly schema: 1;
  readonly createdAt: string;
  /** The target's folder or model. */
  readonly source: string;
  readonly folder: string;
  readonly exactness: Plan["exactness"];
  /** The method that could not be merged and stays beside the model, in `adapter/`; absent where everything is in the weights. */
  readonly beside?: MethodSettings["kind"];
  /** Decoding by the rows of active neurons, where it was asked for: layers that are read so, and what thresholds and predictions may have cost. */
  readonly decoding?: {
    readonly exactness: Plan["exactness"];
    readonly gathered: number;
    /** Of these, layers whose rows are predicted, so that of all matrices rows are read; absent in files of before. */
    readonly predicted?: number;
    readonly of: number;
    readonly lost: number;
    readonly keepActive: number | null;
  };
  readonly quantization: Plan["quantization"];
  /** Another activation of all MLPs, where there is one: names as transformers has them, and shares of exact non-zeros on the stated examples, by stack. */
  readonly activation?: { readonly before: ActivationDensity; readonly after: ActivationDensity };
  readonly chosen: Plan["chosen"];
  readonly before: ModelSize & { readonly metrics: Readonly<Record<string, number>> };
  readonly after: ModelSize & { readonly metrics: Readonly<Record<string, number>> };
  /** Metrics of the smaller model in the plan's weights, on the same examples. */
  readonly quantized?: Readonly<Record<string, number>>;
  /** Kept neurons by layer. */
  readonly layers: readonly { readonly site: string; readonly kept: number; readonly of: number }[];
  readonly metricName: string;
  /** What `before` and `after` were measured on: half of the split, which no choice has seen. */
  readonly stated: { readonly split: string; readonly examples: number };
  readonly calibration: {
    readonly split: string;
    readonly examples: number;
    readonly tokens: number;
    /** Tokens to write that a decoder was calibrated on. */
    readonly targetTokens?: number;
  };
  /** Largest difference between the two models' logits on the stated examples; of texts at the tokens that were to be written. */
  readonly logitsDifference: number;
  readonly budget: BudgetOutcome | null;
  readonly candidates: readonly Candidate[];
  /** The run's own settings and labels, so that the folder can be scored without naming task and data again. */
  readonly run: Pick<RunRecord, "settings" | "labels" | "metricName"> | null;
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * The record of a compressed model's folder; null for other folders.
 * @throws {DataError} when it is not JSON, {CheckpointError} when it is not as it was written.
 */
export async function readCompression(files: Files, folder: string): Promise<Compression | null> {
  if ((await files.stat(joinPath(folder, COMPRESSION_FILE))) === null) return null;
  await checkSums(files, folder, [COMPRESSION_FILE]);
  const json: JsonObject = await readJsonObject(files, folder, COMPRESSION_FILE, "Compress the run again.");
  const path = joinPath(folder, COMPRESSION_FILE);
  requireShape(path, COMPRESSION_RECORD, json);
  const record = json as unknown as Compression;
  if (!record.run) return record;
  return { ...record, run: { ...record.run, settings: checkedSettings(path, record.run.settings) } };
}
