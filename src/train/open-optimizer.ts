// Which optimiser a run gets: the whole step in one program, or stage by stage.
import { isOp, reachable } from "../graph/index.ts";
import { buildTaskGraph, type TaskGraphOptions } from "../tasks/index.ts";
import { elementBytes, elementCount } from "../tensor/index.ts";
import { Optimizer, type OptimizerOptions } from "./optimizer.ts";
import { StagedOptimizer } from "./staged/staged.ts";

/** What the trainer asks of an optimiser; which of them it drives it cannot tell. */
export type TrainStep = Pick<
  Optimizer,
  "graph" | "readState" | "readParameters" | "energies" | "gateReadings" | "restore" | "step" | "dispose"
>;

export interface OpenOptions extends OptimizerOptions {
  /** Stage by stage; absent: where one program would take too much memory. */
  readonly staged?: boolean;
}

/** Errors as `Optimizer.open`. */
export function openOptimizer({ staged, ...options }: OpenOptions): Promise<TrainStep> {
  return (staged ?? exceedsMemory(options)) ? StagedOptimizer.open(options) : Optimizer.open(options);
}

/** From here on a step takes over 8 GiB: measured at Flan-T5-base, all of it trained, 10 GiB against 5 stage by stage. */
const LARGE_BYTES = 6e9;
/** Parameters, m and v twice, since no step is written over the one before, and the gradient. */
const TRAINED_BYTES = 7 * 4;

/** Whether weights and training state alone would take `LARGE_BYTES` in one program: a rule that a resumed run meets again. */
export function exceedsMemory(options: TaskGraphOptions): boolean {
  const { outputs } = buildTaskGraph(options);
  let bytes = 0;
  for (const node of reachable(Object.values(outputs))) {
    if (!isOp(node, "parameter")) continue;
    const { dtype, shape } = node.outputs[0]!;
    bytes += elementCount(shape.map(Number)) * (node.attributes.trainable ? TRAINED_BYTES : elementBytes(dtype));
  }
  return bytes >= LARGE_BYTES;
}
