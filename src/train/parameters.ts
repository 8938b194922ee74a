// The first values of what is trained: from the checkpoint where it has them, else drawn from the seed.
import { CheckpointError, type CheckpointIssue, InternalError } from "../errors.ts";
import type { Init, ParameterSpec } from "../nn/index.ts";
import { elementCount, randomStream, type Tensor, type Weights, zeros } from "../tensor/index.ts";

/**
 * A value for each trainable parameter, independent of the order in which they are asked for.
 * @throws {CheckpointError} naming each that neither the checkpoint holds nor a method can begin, or whose shape differs.
 */
export async function initialParameters(
  specs: readonly ParameterSpec[],
  weights: Weights,
  seed: number,
): Promise<Map<string, Tensor>> {
  const values = new Map<string, Tensor>();
  const issues: CheckpointIssue[] = [];
  for (const { name, shape, init } of specs) {
    const stored = weights.get(name);
    if (stored && stored.shape.join() === shape.join()) values.set(name, copyOf(await stored.read()));
    else if (init?.kind === "rows") values.set(name, await rowsOf(weights, init, name));
    else if (init) values.set(name, drawInitial(init, shape, seed, name));
    else
      issues.push({
        name,
        expected: `float32[${shape.join(", ")}]`,
        got: stored ? `${stored.dtype}[${stored.shape.join(", ")}]` : "nothing",
      });
  }
  if (issues.length > 0) throw new CheckpointError("weights", issues);
  return values;
}

/** A first value by rule. */
export function drawInitial(init: Init, shape: readonly number[], seed: number, name: string): Tensor {
  const value = zeros("float32", shape);
  const data = value.data as Float32Array;
  const random = randomStream(seed, "init", name);
  switch (init.kind) {
    case "zeros":
      return value;
    case "ones":
      data.fill(1);
      return value;
    case "constant":
      data.fill(init.value);
      return value;
    case "normal":
      for (let i = 0; i < data.length; i++) data[i] = random.normal() * init.std;
      return value;
    case "kaiming": {
      const bound = 1 / Math.sqrt(elementCount(shape.slice(1)));
      for (let i = 0; i < data.length; i++) data[i] = (random.uniform() * 2 - 1) * bound;
      return value;
    }
    case "uniform":
      for (let i = 0; i < data.length; i++) data[i] = (random.uniform() * 2 - 1) * init.bound;
      return value;
    default:
      throw new InternalError(`no rule for ${JSON.stringify(init)}`);
  }
}

/** The rows of a stored table. @throws {InternalError} when the table is not there, or has no such row. */
async function rowsOf(
  weights: Weights,
  { table, ids }: Extract<Init, { kind: "rows" }>,
  name: string,
): Promise<Tensor> {
  const stored = await weights.get(table)?.read();
  if (!stored || ids.length === 0) throw new InternalError(`${name} begins as rows of ${table}: no rows to take`);
  const [size, width] = stored.shape as readonly [number, number];
  const value = zeros("float32", [ids.length, width]);
  const [data, rows] = [value.data as Float32Array, stored.data as Float32Array];
  ids.forEach((id, i) => {
    if (id >= size) throw new InternalError(`${name} begins as row ${id} of ${table}, which has ${size}`);
    data.set(rows.subarray(id * width, (id + 1) * width), i * width);
  });
  return value;
}

function copyOf({ dtype, shape, data }: Tensor): Tensor {
  return { dtype, shape, data: data.slice() };
}
