// The training step that is timed against PyTorch's, and profiled: LoRA of rank 8 on query and value, dropout, the density loss, clipping, AdamW.
import { nodeFiles } from "../src/hub/files-node.ts";
import { openCheckpoint } from "../src/hub/index.ts";
import { stepMemory } from "../src/jobs/train/step-memory.ts";
import { anyModel, sanitize } from "../src/models/index.ts";
import { lora } from "../src/peft/index.ts";
import type { CompileOptions } from "../src/runtime/index.ts";
import { nodeBackend } from "../src/runtime/node.ts";
import type { Settings } from "../src/settings/index.ts";
import { type HeadKind, type ModelBatch, tokensPerRow } from "../src/tasks/index.ts";
import { openOptimizer, type TrainStep } from "../src/train/index.ts";

export interface TrainingOptions {
  readonly checkpoint: string;
  readonly threads: number;
  readonly density: boolean;
  readonly dropout: number;
  readonly targets?: readonly string[];
  readonly compile?: Omit<CompileOptions, "weights">;
  readonly memory?: Settings["memory"];
  readonly recompute?: boolean;
}

/** What a checkpoint is trained and evaluated as. */
export async function openTraining({ checkpoint, threads, dropout, targets, compile }: TrainingOptions) {
  const { config, weights } = await openCheckpoint(nodeFiles(), checkpoint);
  const model = anyModel(config, checkpoint, weights);
  const trained = targets ?? (model.writes ? ["q", "v"] : undefined);
  const head: HeadKind = model.writes ? { kind: "language-model" } : { kind: "classification", numLabels: 2 };
  return {
    model,
    method: lora({ dropout, ...(trained ? { targets: trained } : {}) }),
    head,
    weights: sanitize(model.config, weights),
    backend: nodeBackend({ threads, sleepThreads: true }),
    ...(compile ? { compile } : {}),
  };
}

/** Steps over batches of the shape of `largest`, by `--memory` as a run takes them. Errors as `Backend.compile`. */
export function openSteps(
  training: Awaited<ReturnType<typeof openTraining>>,
  { density, memory = "balanced", recompute = false }: Pick<TrainingOptions, "density" | "memory" | "recompute">,
  largest: ModelBatch,
): Promise<TrainStep> {
  const mostTokens = largest.indices.length * tokensPerRow(largest);
  const asked = { memory, recompute: recompute ? true : null, staged: null };
  const { compile, ...kept } = stepMemory(asked, { mostTokens }, training.backend);
  return openOptimizer({
    ...training,
    ...kept,
    compile: { ...compile, ...training.compile },
    seed: 0,
    accumulate: 1,
    weightDecay: 0.01,
    maxGradNorm: 1,
    density: density ? { positions: "attended" } : null,
  });
}

export const STEP_RATES = { learningRate: 3e-4, densityWeight: 1, epsilon: 1e-3 } as const;
