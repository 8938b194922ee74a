// What goes into one MLP of a changed model, and what must come out of it so that the next layer sees what it sees in the unchanged model.
import type { EncodedExamples } from "../../data/index.ts";
import { scoringBatches } from "../../evaluate/index.ts";
import { cast, Graph, transplant, type Value } from "../../graph/index.ts";
import { anyModel, type MlpSite } from "../../models/index.ts";
import type { Hooks } from "../../nn/index.ts";
import { untrained } from "../../peft/index.ts";
import type { PlainModel } from "../../prune/index.ts";
import type { Backend, Outputs, Program } from "../../runtime/index.ts";
import { SCORING_BATCH } from "../../settings/index.ts";
import { buildTaskGraph, type HeadKind } from "../../tasks/index.ts";
import type { Tensor } from "../../tensor/index.ts";

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

/** Two models that are compared at one MLP after the other. */
export interface MlpWalk {
  /** Runs both over the texts, from the MLPs that were reached before to this one. Errors as `Backend.compile`. */
  next(changed: PlainModel, site: MlpSite): Promise<MlpData>;
}

/**
 * Starts before the first MLP of `unchanged`. MLPs are asked for in the order of the layers, and a changed model must be the one before up to the
 * residual of the last MLP that was asked for: from there on it is computed. Holds `[B, S, D]` for each batch, stack and model.
 */
export function walkMlps(backend: Backend, unchanged: PlainModel, { head, examples }: Texts): MlpWalk {
  const batches = [...scoringBatches(examples, head, "longest", SCORING_BATCH)].map(({ inputs }) => inputs);
  const before: Reached = new Map();
  const after: Reached = new Map();
  return {
    async next(changed, site) {
      const wanted: Float32Array[] = [];
      await advance(backend, { model: unchanged, head, reached: before }, site, batches, (was) => {
        const added = numbers(was, "added");
        wanted.push(numbers(was, "residual").map((value, i) => value + added[i]!));
      });
      const [inputs, targets]: [Float32Array[], Float32Array[]] = [[], []];
      let tokens = 0;
      await advance(backend, { model: changed, head, reached: after }, site, batches, (is) => {
        const [own, counted] = [numbers(is, "residual"), numbers(is, "counted")];
        const missing = wanted[targets.length]!.map((value, i) => value - own[i]!);
        tokens += counted.reduce((sum, one) => sum + one, 0);
        inputs.push(countedRows(numbers(is, "read"), counted));
        targets.push(countedRows(missing, counted));
      });
      return { tokens, inputs: joined(inputs), targets: joined(targets) };
    },
  };
}

/** By stack, the last MLP that a model was computed to, and its residual `[B, S, D]` for each batch. */
type Reached = Map<MlpSite["stack"], { readonly site: MlpSite; readonly residuals: readonly Tensor[] }>;

/** A model on its way through its MLPs. */
interface Walking {
  readonly model: PlainModel;
  readonly head: HeadKind;
  readonly reached: Reached;
}

async function advance(
  backend: Backend,
  walking: Walking,
  site: MlpSite,
  batches: readonly Readonly<Record<string, Tensor>>[],
  each: (outputs: Outputs) => void,
): Promise<void> {
  const program = await openTap(backend, walking, site);
  const residuals: Tensor[] = [];
  try {
    for (const [i, inputs] of batches.entries()) {
      const carried = [...walking.reached].map(([stack, at]) => [carriedName(stack), at.residuals[i]!] as const);
      const outputs = await program.run({ ...inputs, ...Object.fromEntries(carried) });
      residuals.push(outputs["residual"]!);
      each(outputs);
    }
  } finally {
    await program.dispose();
  }
  walking.reached.set(site.stack, { site, residuals });
}

const carriedName = (stack: string) => `carried.${stack}`;
const numbers = (outputs: Outputs, name: string) => outputs[name]!.data as Float32Array;

/**
 * A program that gives what an MLP reads, its residual, what it adds, and which positions count. It begins behind the residuals that were reached
 * before, its inputs `carried.STACK`; nothing behind the MLP is computed.
 */
async function openTap(
  backend: Backend,
  { model: { config, weights }, head, reached }: Walking,
  site: MlpSite,
): Promise<Program> {
  const seen: Record<string, Value> = {};
  const residuals = new Map<string, Value>();
  const hooks: Hooks = {
    linear(at, x, y) {
      if (at.path === site.into[0]) seen["read"] = x;
      return y;
    },
    sublayer(at, x, h, _norm, kind) {
      if (kind !== "mlp") return h;
      residuals.set(at.path, x);
      if (at.path === site.sublayer) Object.assign(seen, { residual: x, added: h });
      return h;
    },
  };
  const model = anyModel(config, undefined, weights);
  const { attended } = buildTaskGraph({ model, method: { ...untrained(), hooks }, head });
  const wanted = { ...seen, counted: cast(attended[site.stack]!, "float32") };
  const graph = new Graph();
  const given = [...reached].map(([stack, at]) => {
    const residual = residuals.get(at.site.sublayer)!;
    return [residual, graph.input(carriedName(stack), residual.dtype, residual.shape)] as const;
  });
  const made = transplant(Object.values(wanted), graph, new Map(given));
  return backend.compile(Object.fromEntries(Object.keys(wanted).map((name, i) => [name, made[i]!])), { weights });
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
