// Why a model gives NaN: weights that are none themselves, by name, or activations that grow beyond all numbers.
import { CheckpointError, type CheckpointIssue, NotFiniteError, TrainingError } from "../errors.ts";
import { firstNotFinite, memoryWeights, type Tensor, type TypedArray, type Weights } from "../tensor/index.ts";
import type { BaseModel } from "./base-model.ts";

/** Tensors named in one error. */
const MAX_NAMED = 10;
const DAMAGED = "Its file is damaged, or was written by a training that had diverged: fetch it, or train it, again.";

/**
 * Whether every number of what was trained is one.
 * @throws {CheckpointError} naming each tensor with another, and `place`, the folder it is in.
 */
export async function requireFiniteTensors(place: string, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  await requireFiniteWeights(place, memoryWeights(tensors));
}

async function requireFiniteWeights(place: string, weights: Weights): Promise<void> {
  const issues: CheckpointIssue[] = [];
  for (const [name, weight] of weights) {
    if (issues.length >= MAX_NAMED) break;
    if (weight.dtype !== "float32" && weight.dtype !== "float16") continue;
    const { data } = await weight.read();
    const issue = issueOf(name, data);
    if (issue !== null) issues.push(issue);
  }
  if (issues.length > 0) throw new CheckpointError(place, issues, { hint: DAMAGED });
}

function issueOf(name: string, data: TypedArray): CheckpointIssue | null {
  const at = firstNotFinite(data);
  return at < 0
    ? null
    : { name, expected: "finite numbers", got: `${Number(data[at])} at place ${at} of ${data.length}` };
}

/** Weights that are looked at as they are read. Reading throws {@link CheckpointError} where a number is none. */
export function finiteWeights(place: string, weights: Weights): Weights {
  const looked = Array.from(weights, ([name, weight]) => {
    const read = async () => {
      const tensor = await weight.read();
      const issue = issueOf(name, tensor.data);
      if (issue !== null) throw new CheckpointError(place, [issue], { hint: DAMAGED });
      return tensor;
    };
    return [name, { ...weight, read }] as const;
  });
  return new Map(looked);
}

/**
 * The error that says why: where `error` tells of NaN, the base's tensors that have some; else, and for other errors, itself.
 * Reads the whole base.
 */
export async function explainNotFinite(base: Pick<BaseModel, "name" | "weights">, error: unknown): Promise<unknown> {
  const isTold = error instanceof NotFiniteError || (error instanceof TrainingError && error.step <= 1);
  if (!isTold) return error;
  const found = await requireFiniteWeights(base.name, base.weights).then(
    () => null,
    (cause: unknown) => cause,
  );
  if (found !== null) return found;
  if (error instanceof TrainingError) return error;
  return new NotFiniteError(error.what, error.got, {
    cause: error,
    hint: `Every weight of ${base.name} is a finite number: its activations grow beyond float32. Look at the texts, or at what was trained.`,
  });
}
