// A run merged and quantised again: restored matrices take the update in, and go back to few bits; what that costs is measured.
import type { StoredFormat } from "../../graph/index.ts";
import type { JsonObject } from "../../hub/index.ts";
import {
  configWithHead,
  type OpenedTarget,
  type RunOverrides,
  type RunTarget,
  writeModelFolder,
} from "../../load/index.ts";
import { blockLinears, type Model, topologyOf } from "../../models/index.ts";
import { quantizedCheckpoint } from "../../quant/index.ts";
import type { Environment } from "../../runs/index.ts";
import { scoringInput } from "../../settings/index.ts";
import type { Evaluation } from "../../tasks/index.ts";
import type { Weights } from "../../tensor/index.ts";
import { evaluateRun } from "../evaluate/evaluate.ts";
import { exportedLength } from "./exported-length.ts";

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
  // what transformers never takes in few bits
  const whole = format === "nf4" ? base.model.facts.float32Layers : [];
  const names = blockLinears(base.model).flatMap(({ path }) =>
    whole.includes(path.slice(path.lastIndexOf(".") + 1)) ? [] : [`${path}.weight`],
  );
  const config = configWithHead(base.config, head, labels);
  await writeModelFolder(environment.files, output, {
    source: base,
    maxLength: exportedLength(opened),
    config: format === "nf4" ? { ...config, quantization_config: nf4Config(base.model) } : config,
    weights: quantizedCheckpoint(merged, new Set(names), format),
  });
  if (target.kind !== "run" || settings === null) return null;
  const apart = await evaluateRun(environment, target, overrides);
  const model: RunTarget = { kind: "model", model: output, adapter: null };
  return { apart, merged: await evaluateRun(environment, model, { ...scoringInput(settings), ...overrides }) };
}

/** Linear layers that stay whole in every model. */
const USUALLY_WHOLE = ["classifier", "pooler.dense", "qa_outputs", "lm_head"];

/** What transformers needs to load NF4; what is no block matrix is not quantised. */
function nf4Config(model: Model): JsonObject {
  const { prefix } = model.facts.names;
  const isKnown = (path: string) =>
    USUALLY_WHOLE.some((name) => path === name || path.startsWith(`${name}.`) || path.endsWith(name));
  const outside = topologyOf(model).linears.flatMap(({ path, part }) =>
    part?.kind === "block" || isKnown(path) ? [] : [path.replace(new RegExp(`^${prefix}\\.`), "")],
  );
  return {
    quant_method: "bitsandbytes",
    load_in_4bit: true,
    load_in_8bit: false,
    bnb_4bit_quant_type: "nf4",
    bnb_4bit_use_double_quant: true,
    bnb_4bit_compute_dtype: "float32",
    llm_int8_skip_modules: [...USUALLY_WHOLE, ...outside],
  };
}
