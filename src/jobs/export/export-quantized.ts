// A run merged and quantised again: restored matrices take the update in, and go back to few bits; what that costs is measured.
import type { StoredFormat } from "../../graph/index.ts";
import type { JsonObject } from "../../hub/index.ts";
import type { OpenedTarget, RunOverrides, RunTarget } from "../../load/index.ts";
import { configWithHead, linearSites, writeModelFolder } from "../../load/index.ts";
import { isBlockMatrix, quantizedCheckpoint } from "../../quant/index.ts";
import type { Environment } from "../../runs/index.ts";
import { answersInput, type Settings, settingsInput } from "../../settings/index.ts";
import type { Evaluation } from "../../tasks/index.ts";
import type { Weights } from "../../tensor/index.ts";
import { evaluateRun } from "../evaluate/evaluate.ts";

/** Scores of the same examples: base and update apart, and merged into few bits. */
export interface RequantizedScores {
  readonly apart: Evaluation;
  readonly merged: Evaluation;
}

/**
 * Writes `output`: `merged` with its block matrices as `format`. NF4 folders load in transformers with bitsandbytes.
 * Gives the scores before and after; null for a model without a run, which names no data.
 */
export async function writeRequantized(
  environment: Environment,
  opened: OpenedTarget,
  merged: Weights,
  { target, output, format }: { readonly target: RunTarget; readonly output: string; readonly format: StoredFormat },
  overrides: RunOverrides,
): Promise<RequantizedScores | null> {
  const { base, head, labels, settings } = opened;
  const keptWhole = format === "nf4" ? KEPT_WHOLE[base.model.config.modelType] : undefined;
  const names = linearSites({ model: base.model, weights: merged }).flatMap((site) =>
    isBlockMatrix(site) && keptWhole?.test(site) !== true ? [`${site}.weight`] : [],
  );
  const config = configWithHead(base.config, head, labels);
  await writeModelFolder(environment.files, output, {
    source: base.folder,
    tokenizer: base.tokenizer,
    config: format === "nf4" ? { ...config, quantization_config: NF4_CONFIG } : config,
    weights: quantizedCheckpoint(merged, new Set(names), format),
  });
  if (target.kind !== "run" || settings === null) return null;
  const apart = await evaluateRun(environment, target, overrides);
  const model: RunTarget = { kind: "model", model: output, adapter: null };
  return { apart, merged: await evaluateRun(environment, model, { ...dataOf(settings), ...overrides }) };
}

/** Block matrices that transformers never takes in few bits. @see transformers `T5PreTrainedModel._keep_in_fp32_modules` */
const KEPT_WHOLE: Readonly<Record<string, RegExp>> = { t5: /\.wo$/ };

/** What transformers needs to load NF4; what is no block matrix is not quantised. */
const NF4_CONFIG: JsonObject = {
  quant_method: "bitsandbytes",
  load_in_4bit: true,
  load_in_8bit: false,
  bnb_4bit_quant_type: "nf4",
  bnb_4bit_use_double_quant: true,
  bnb_4bit_compute_dtype: "float32",
  llm_int8_skip_modules: ["classifier", "pooler.dense", "qa_outputs", "lm_head"],
};

/** The settings that say which examples a run was scored on, and how. */
function dataOf(settings: Settings): RunOverrides {
  const input = settingsInput(settings);
  const keys = [
    "task",
    "data",
    "text-column",
    "pair-column",
    "label-column",
    "limit-eval",
    "max-length",
    "padding",
    "threads",
  ] as const;
  const given = Object.fromEntries(keys.flatMap((key) => (input[key] === undefined ? [] : [[key, input[key]]])));
  return { ...given, ...answersInput(settings.task, settings.data, settings.answers) };
}
