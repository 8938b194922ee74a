// What goes into one MLP of a changed model, and what must come out of it so that the next layer sees what it sees in the unchanged model.
import type { EncodedExamples } from "../../data/index.ts";
import { scoringBatches } from "../../evaluate/index.ts";
import { cast, type Value } from "../../graph/index.ts";
import { anyModel, type MlpSite } from "../../models/index.ts";
import type { Hooks } from "../../nn/index.ts";
import { untrained } from "../../peft/index.ts";
import type { PlainModel } from "../../prune/index.ts";
import type { Backend, Outputs, Program } from "../../runtime/index.ts";
import { SCORING_BATCH } from "../../settings/index.ts";
import { buildTaskGraph, type HeadKind } from "../../tasks/index.ts";

/** One MLP over the counted tokens of the calibration texts. */
export interface MlpData {
  readonly tokens: number;
  /** What the MLP reads in the changed model, `[tokens, D]`. */
  readonly inputs: Float32Array;
  /** What it is to give there, `[tokens, D]`: the unchanged model's sum behind it, less the changed model's residual. */
  readonly targets: Float32Array;
}

export interface Texts {
  readonly head: HeadKind;
  readonly examples: EncodedExamples;
}

/** Runs both models over `examples` as far as one MLP. Errors as `Backend.compile`. */
export async function mlpData(
  backend: Backend,
  models: { readonly unchanged: PlainModel; readonly changed: PlainModel },
  site: MlpSite,
  { head, examples }: Texts,
): Promise<MlpData> {
  const before = await openTap(backend, models.unchanged, site, head);
  const now = await openTap(backend, models.changed, site, head);
  const [inputs, targets]: [Float32Array[], Float32Array[]] = [[], []];
  let tokens = 0;
  try {
    for (const batch of scoringBatches(examples, head, "longest", SCORING_BATCH)) {
      const [was, is] = [await before.run(batch.inputs), await now.run(batch.inputs)];
      const [residual, added, own] = [numbers(was, "residual"), numbers(was, "added"), numbers(is, "residual")];
      const missing = residual.map((value, i) => value + added[i]! - own[i]!);
      const counted = numbers(is, "counted");
      tokens += counted.reduce((sum, one) => sum + one, 0);
      inputs.push(countedRows(numbers(is, "read"), counted));
      targets.push(countedRows(missing, counted));
    }
  } finally {
    await before.dispose();
    await now.dispose();
  }
  return { tokens, inputs: joined(inputs), targets: joined(targets) };
}

const numbers = (outputs: Outputs, name: string) => outputs[name]!.data as Float32Array;

/** A program that gives what an MLP reads, its residual, what it adds, and which positions count; nothing behind it is computed. */
async function openTap(
  backend: Backend,
  { config, weights }: PlainModel,
  site: MlpSite,
  head: HeadKind,
): Promise<Program> {
  const seen: Record<string, Value> = {};
  const hooks: Hooks = {
    linear(at, x, y) {
      if (at.path === site.into[0]) seen["read"] = x;
      return y;
    },
    sublayer(at, x, h, _norm, kind) {
      if (kind === "mlp" && at.path === site.sublayer) Object.assign(seen, { residual: x, added: h });
      return h;
    },
  };
  const model = anyModel(config, undefined, weights);
  const { attended } = buildTaskGraph({ model, method: { ...untrained(), hooks }, head });
  return backend.compile({ ...seen, counted: cast(attended[site.stack]!, "float32") }, { weights });
}

function countedRows(values: Float32Array, counted: Float32Array): Float32Array {
  const width = values.length / counted.length;
  const rows = new Float32Array(counted.reduce((sum, one) => sum + one, 0) * width);
  let at = 0;
  for (let token = 0; token < counted.length; token++) {
    if (counted[token] === 0) continue;
    rows.set(values.subarray(token * width, (token + 1) * width), at);
    at += width;
  }
  return rows;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
