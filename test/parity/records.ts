// Reads the records that scripts/golden/encoders.py, hooks.py, ia3.py, t5.py, distillation.py and class_weights.py write; their format is described at the top of those.

import { nodeFiles } from "../../src/hub/files-node.ts";
import { float32Checkpoint, openCheckpoint, openSafetensors } from "../../src/hub/index.ts";
import { anyModel, type Model, sanitize } from "../../src/models/index.ts";
import { compose, type Hooks } from "../../src/nn/index.ts";
import { adapter, full, headOnly, ia3, lora, type Method, prefix, prompt } from "../../src/peft/index.ts";
import type { Distillation, HeadKind, ModelBatch } from "../../src/tasks/index.ts";
import { memoryWeight, type Tensor, type Weights } from "../../src/tensor/index.ts";

export interface Objective {
  readonly positions: "attended" | "all" | null;
  readonly epsilon: number;
  readonly weight: number;
}

export interface LoraRecord {
  readonly kind: "lora";
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: 0;
  readonly rslora: boolean;
  readonly bias: "none" | "lora_only" | "all";
  readonly targets: readonly string[] | "all-linear";
  readonly maskSafe?: true;
}

export type MethodRecord =
  | LoraRecord
  | {
      readonly kind: "adapter";
      readonly style: "pfeiffer" | "houlsby";
      readonly reductionFactor: number;
      readonly nonLinearity: string;
      readonly originalLnBefore: boolean;
    }
  | {
      readonly kind: "ia3";
      readonly targets: readonly string[] | "all-linear";
      readonly feedforward: readonly string[];
    }
  | { readonly kind: "head" }
  | { readonly kind: "full" }
  | { readonly kind: "prompt"; readonly virtualTokens: number }
  | {
      readonly kind: "prefix";
      readonly virtualTokens: number;
      readonly projection: boolean;
      readonly projectionSize: number | null;
    }
  | { readonly kind: "skip-mlp"; readonly layers: readonly number[]; readonly lora: LoraRecord };

type TrainingLog = "learningRates" | "taskLosses" | "densityLosses" | "totalLosses" | "gradNorms";

export interface TrainingRecord extends Readonly<Record<TrainingLog, readonly number[]>> {
  readonly steps: number;
  readonly learningRate: number;
  readonly schedule: "linear";
  readonly warmupSteps: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  readonly noise: Readonly<Record<TrainingLog, number>> | null;
  readonly finalNoise: Readonly<Record<string, number>> | null;
}

export interface LayerRecord {
  readonly site: string;
  readonly neurons: number;
  readonly samples: number;
  readonly tokens: number;
  readonly entriesAll: number;
  readonly nonzeroAll: number;
  readonly nonzeroAllNear: number;
  readonly entries: number;
  readonly nonzero: number;
  readonly nonzeroNear: number;
  readonly above: Readonly<Record<string, number>>;
  readonly aboveNear: Readonly<Record<string, number>>;
  readonly paper: number;
  readonly deadNeurons: number;
  readonly rareNeurons: number;
}

/** The scalars of one case. */
export interface EncoderRecord {
  readonly format: number;
  readonly case: string;
  readonly checkpoint: string | null;
  readonly problem:
    | "single_label_classification"
    | "regression"
    | "multi_label_classification"
    | "language_modeling"
    | "question_answering"
    | "token_classification";
  readonly numLabels: number;
  readonly method: MethodRecord;
  readonly trainables: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly decays: boolean;
    readonly start: "record" | "checkpoint";
  }[];
  readonly batches: number;
  /** Of distillation.py: the task losses are a teacher's too. */
  readonly distillation?: Distillation;
  /** Of class_weights.py: the labels' losses weigh classes. */
  readonly classWeights?: readonly number[];
  readonly virtualTokens: number;
  readonly objectives: Readonly<Record<string, Objective>>;
  readonly forward: {
    readonly taskLoss: number;
    readonly taskLossNoise: number;
    readonly logitsNoise: number;
    readonly taps: readonly string[];
    readonly density: Readonly<
      Record<string, { readonly loss: number; readonly layers: readonly number[]; readonly noise: number }>
    >;
  };
  readonly gradients: Readonly<
    Record<
      string,
      {
        readonly total: number;
        readonly totalNoise: number;
        readonly of: Readonly<Record<string, { readonly max: number; readonly noise: number }>>;
      }
    >
  >;
  readonly training: Readonly<Record<string, TrainingRecord>>;
  readonly measurement: readonly LayerRecord[];
}

/** A record with its tensors, and the model it is about. */
export interface ParityCase {
  readonly record: EncoderRecord;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly config: unknown;
  readonly model: Model;
  /** The checkpoint, with the record's own starts of trainables laid over it. */
  readonly weights: Weights;
  readonly head: HeadKind;
  readonly batches: readonly ModelBatch[];
}

const files = nodeFiles();

/** The names of the cases in a folder, sorted. */
export async function caseNames(folder: string): Promise<string[]> {
  return (await files.list(folder))
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -".json".length));
}

/** One case; `checkpoint` is the folder of a record that names none, `cache` is for converted 16-bit weights. */
export async function openCase(folder: string, name: string, cache: string, checkpoint?: string): Promise<ParityCase> {
  const record = JSON.parse(await files.readText(`${folder}/${name}.json`)) as EncoderRecord;
  if (record.format !== 1) throw new Error(`${name}: expected format 1, got ${record.format}`);
  const tensors = new Map<string, Tensor>();
  for (const [key, weight] of await openSafetensors(files, `${folder}/${name}.safetensors`)) {
    tensors.set(key, await weight.read());
  }
  const { config, weights } = await openCheckpoint(
    files,
    record.checkpoint === null ? checkpoint! : `${folder}/${record.checkpoint}`,
  );
  const model = anyModel(config, name, weights);
  const converted = (await float32Checkpoint(files, sanitize(model.config, weights), cache)).weights;
  const starts = named(tensors, "init/").map(([key, value]) => [key, memoryWeight(value)] as const);
  return {
    record,
    tensors,
    config,
    model,
    weights: new Map([...converted, ...starts]),
    head: headOf(record),
    batches: Array.from({ length: record.batches }, (_, i) => batchOf(tensors, i)),
  };
}

/** The tensors whose names begin with `prefix`, without it. */
export function named(tensors: ReadonlyMap<string, Tensor>, prefix: string): [string, Tensor][] {
  return [...tensors]
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value]) => [name.slice(prefix.length), value]);
}

/** The method of a record, as our API makes it. */
export function methodOf(method: MethodRecord): Method {
  switch (method.kind) {
    case "lora": {
      const { rank, alpha, dropout, targets, bias, rslora, maskSafe = false } = method;
      return lora({ rank, alpha, dropout, targets, bias, rslora, maskSafe });
    }
    case "adapter": {
      const { style, reductionFactor, nonLinearity } = method;
      return adapter({ style, reductionFactor, nonLinearity });
    }
    case "ia3":
      return ia3({ targets: method.targets, feedforward: method.feedforward });
    case "head":
      return headOnly();
    case "full":
      return full();
    case "prompt":
      return prompt({ virtualTokens: method.virtualTokens });
    case "prefix": {
      const { virtualTokens, projection, projectionSize } = method;
      return prefix({ virtualTokens, projection, projectionSize });
    }
    case "skip-mlp": {
      const over = methodOf(method.lora);
      return { ...over, hooks: compose(over.hooks, skipMlp(method.layers)) };
    }
  }
}

/** The listed layers end behind their attention. */
function skipMlp(layers: readonly number[]): Hooks {
  const skipped = layers.map((layer) => `.layer.${layer}.output`);
  return { sublayer: (site, _x, h) => (skipped.some((end) => site.path.endsWith(end)) ? null : h) };
}

function headOf({ problem, numLabels }: EncoderRecord): HeadKind {
  if (problem === "regression") return { kind: "regression" };
  if (problem === "language_modeling") return { kind: "language-model" };
  if (problem === "question_answering") return { kind: "span" };
  if (problem === "token_classification") return { kind: "token-classification", numLabels };
  return { kind: problem === "multi_label_classification" ? "multi-label" : "classification", numLabels };
}

/** Our names of what a model is fed. */
const INPUTS = {
  tokenIds: "input_ids",
  attentionMask: "attention_mask",
  typeIds: "token_type_ids",
  labels: "labels",
  teacherLogits: "teacher_logits",
  startPositions: "start_positions",
  endPositions: "end_positions",
};

function batchOf(tensors: ReadonlyMap<string, Tensor>, i: number): ModelBatch {
  const inputs = Object.fromEntries(
    Object.entries(INPUTS).flatMap(([ours, theirs]) => {
      const tensor = tensors.get(`batch/${i}/${theirs}`);
      return tensor ? [[ours, tensor]] : [];
    }),
  );
  return {
    inputs,
    indices: Array.from({ length: inputs.tokenIds!.shape[0]! }, (_, row) => row),
    attendedTokens: attendedIn(inputs.attentionMask!),
  };
}

/** Attended tokens of a mask. */
export function attendedIn({ data }: Tensor): number {
  return Array.from(data as BigInt64Array, Number).reduce((sum, one) => sum + one, 0);
}
