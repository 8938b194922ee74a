// What goes into linear layers: the squares of each input feature, summed inside the graph over calibration batches.

import { InternalError } from "../errors.ts";
import { cast, type Dim, matmul, multiplyDims, reshape, square, type Value } from "../graph/index.ts";
import { compose, type Hooks } from "../nn/index.ts";
import type { Backend, CompileOptions } from "../runtime/index.ts";
import type { ModelBatch } from "../tasks/index.ts";
import { buildTaskGraph, type TaskGraphOptions } from "../tasks/index.ts";
import type { Tensor, Weights } from "../tensor/index.ts";

export interface InputSquaresOptions extends Omit<TaskGraphOptions, "training"> {
  readonly weights: Weights;
  readonly backend: Backend;
  /** The linear layers to tap, by path; only what they need of the model is computed. */
  readonly sites: (path: string) => boolean;
  readonly compile?: Omit<CompileOptions, "weights">;
}

/** Records the input of linear layers by path. */
function linearTap(sites: (path: string) => boolean): {
  readonly hooks: Hooks;
  readonly inputs: ReadonlyMap<string, Value>;
} {
  const inputs = new Map<string, Value>();
  const hooks: Hooks = {
    linear(site, x, y) {
      if (sites(site.path)) inputs.set(site.path, x);
      return y;
    },
  };
  return { hooks, inputs };
}

/**
 * `Σ x²` of each input feature over the attended tokens of all batches, `[in]` float64 by the layer's path; layers that share an
 * input share its array. Memory does not grow with the number of batches. Errors as `buildTaskGraph` and `Backend.compile`.
 */
export async function inputSquares(
  options: InputSquaresOptions,
  trained: ReadonlyMap<string, Tensor>,
  batches: Iterable<ModelBatch> | AsyncIterable<ModelBatch>,
): Promise<Map<string, Float64Array>> {
  const { method, backend, weights } = options;
  const tap = linearTap(options.sites);
  const graph = buildTaskGraph({ ...options, method: { ...method, hooks: compose(method.hooks, tap.hooks) } });
  const masks = Object.values(graph.attended);
  const outputs: Record<string, Value> = {};
  const nameOf = new Map<Value["node"], string>();
  for (const x of tap.inputs.values()) {
    if (nameOf.has(x.node)) continue;
    nameOf.set(x.node, `squares.${nameOf.size}`);
    outputs[nameOf.get(x.node)!] = squareSums(x, masks);
  }
  const program = await backend.compile(outputs, { ...options.compile, weights });
  const sums = new Map<string, Float64Array>();
  try {
    const feeds = Object.fromEntries(trained);
    for await (const batch of batches) {
      for (const [name, { data }] of Object.entries(await program.run({ ...feeds, ...batch.inputs }))) {
        const sum = sums.get(name) ?? new Float64Array(data.length);
        for (let i = 0; i < sum.length; i++) sum[i]! += Number(data[i]);
        sums.set(name, sum);
      }
    }
  } finally {
    await program.dispose();
  }
  return new Map([...tap.inputs].map(([path, x]) => [path, sums.get(nameOf.get(x.node)!)!]));
}

/** `[B, S, in]` → `[in]`, over the tokens that the mask of the input's own length attends to. */
function squareSums(x: Value, masks: readonly Value[]): Value {
  const [batch, length, features] = x.shape as readonly [Dim, Dim, number];
  const tokens = multiplyDims(batch, length);
  const rows = square(reshape(x, [tokens, features]));
  const mask = masks.find(({ shape }) => shape[1] === length);
  if (!mask) throw new InternalError(`no attention mask of length ${length} for ${x.node.site}`);
  return reshape(matmul(reshape(cast(mask, "float32"), [1, tokens]), rows), [features]);
}
