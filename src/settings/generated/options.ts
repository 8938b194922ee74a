// Types of settings and options, with their hover text. Written by `npm run settings` from the table; do not edit.

import type { PresetName } from "../presets.ts";
import type { TaskName } from "../table/index.ts";

/** Settings of a run that stand for themselves. */
export interface RunSettings {
  /** Use this model: a Hugging Face id, or a model's folder. */
  readonly model: string;
  /** Take the head, the loss and the metrics of this task. */
  readonly task: TaskName;
  /** Store the matrices of the frozen base in 4 or 8 bits; `method` qlora is lora with nf4. Null where nothing was given. */
  readonly quantize: "nf4" | "int8" | "int4" | null;
  /** Keep weights that are zero in the base at zero; a pruned base has this on. Null where nothing was given. */
  readonly maskSafe: boolean | null;
  /** Weigh each class in the training loss: by its rarity (of several labels, negatives over positives), or by the number given for its name. Null where nothing was given. */
  readonly classWeights: "balanced" | Readonly<Record<string, number>> | null;
  /** Put this activation in place of every MLP's own before training, fitted again to what each gave on the task's texts. Null where nothing was given. */
  readonly activation: "relu" | null;
  /** With `activation`, leave this share of the activations non-zero before training: 0.03. A number > 0 and < 1. Null where nothing was given. */
  readonly densityBudget: number | null;
  /** With `activation`, train each MLP alone for this many steps towards what it gave before; 0 fits output matrices only. A whole number ≥ 0. Null where nothing was given. */
  readonly fitSteps: number | null;
  /** Fix the order of examples, dropout and the values of new weights by this number. A whole number from 0 to 4294967295. */
  readonly seed: number;
  /** Evaluate every N steps, in place of after each epoch. A whole number ≥ 1. Null where nothing was given. */
  readonly evalSteps: number | null;
  /** Save a checkpoint every N steps, in place of at each evaluation. A whole number ≥ 1. Null where nothing was given. */
  readonly saveSteps: number | null;
  /** Stop after N evaluations without a better score. A whole number ≥ 1. Null where nothing was given. */
  readonly patience: number | null;
  /** Keep what was trained at the best evaluation, or at the last step. */
  readonly keep: "best" | "last" | "earliest";
  /** Tell the best evaluation by this metric, and show it as the main one, in place of the task's own. Null where nothing was given. */
  readonly metric: string | null;
  /** Write the run into this folder. Null where nothing was given. */
  readonly output: string | null;
  /** Continue the run in `output`. */
  readonly resume: boolean;
  /** Compute on this backend. */
  readonly backend: "cpu" | "webgpu" | "cuda";
  /** Use this many threads, in place of one for each physical core. A whole number ≥ 1. Null where nothing was given. */
  readonly threads: number | null;
  /** Train on a copy of the model's weights in the cache, so that other programs may write to the model's own files meanwhile. */
  readonly copyBase: boolean;
  /** Take a step with the least memory, in small parts of a batch, or fastest, with all results kept and matrices packed. */
  readonly memory: "low" | "balanced" | "fast";
  /** Keep less until the backward pass and train a little slower; large models, and `memory` low, do so without being asked. Null where nothing was given. */
  readonly recompute: boolean | null;
  /** Train block by block, with far less memory and about 1.5 times the time; very large models do so without being asked. Null where nothing was given. */
  readonly staged: boolean | null;
}

/** Where examples come from and how they become token ids. */
export interface DataSettings {
  /** Read examples from here: GLUE's folder, SQuAD JSON, or a CSV, TSV, JSONL or Parquet file. */
  readonly path: string;
  /** Read the text from this column. Null where nothing was given. */
  readonly textColumn: string | null;
  /** Read the second text of a pair from this column. Null where nothing was given. */
  readonly pairColumn: string | null;
  /** Read the label from this column. Null where nothing was given. */
  readonly labelColumn: string | null;
  /** Take these names as the classes, in the order of their logits, in place of those found in the data. Null where nothing was given. */
  readonly labels: readonly string[] | null;
  /** For seq2seq, read source texts from this column. Null where nothing was given. */
  readonly sourceColumn: string | null;
  /** For seq2seq, read target texts from this column. Null where nothing was given. */
  readonly targetColumn: string | null;
  /** For seq2seq, put this before each source text, such as "summarize: ". */
  readonly sourcePrefix: string;
  /** Cut examples to at most this many tokens. A whole number from 4 to 100000. */
  readonly maxLength: number;
  /** Pad a batch to its longest example, or to `maxLength`. */
  readonly padding: "longest" | "max";
  /** Use only the first N training examples. A whole number ≥ 1. Null where nothing was given. */
  readonly limitTrain: number | null;
  /** Use only the first N evaluation examples. A whole number ≥ 1. Null where nothing was given. */
  readonly limitEval: number | null;
  /** Write at most this many tokens, the end token included. A whole number from 2 to 100000. */
  readonly maxTargetLength: number;
  /** For squad, let neighbouring windows of a long context share this many tokens. A whole number ≥ 0. */
  readonly docStride: number;
}

/** How answers are chosen; means nothing to a classifier. */
export interface AnswerSettings {
  /** For squad, consider this many start and end positions of an answer. A whole number ≥ 1. */
  readonly nBest: number;
  /** For squad, take at most this many tokens of the context as an answer. A whole number ≥ 1. */
  readonly maxAnswerLength: number;
  /** For SQuAD v2, give no answer when its score exceeds the best answer's by more than this. A number. */
  readonly nullThreshold: number;
  /** Write with this many beams. A whole number ≥ 1. */
  readonly numBeams: number;
  /** Write at most this many tokens, in place of `maxTargetLength`. A whole number ≥ 1. Null where nothing was given. */
  readonly maxNewTokens: number | null;
  /** Divide the scores of beams by their length to this power. A number. */
  readonly lengthPenalty: number;
  /** Draw tokens at random, after dividing logits by this. A number > 0. Null where nothing was given. */
  readonly temperature: number | null;
  /** Draw tokens at random among the N most probable. A whole number ≥ 1. Null where nothing was given. */
  readonly topK: number | null;
  /** Draw tokens at random among the most probable ones that together have this probability. A number > 0 and ≤ 1. Null where nothing was given. */
  readonly topP: number | null;
}

/** The density loss; `weight` 0 is plain fine-tuning. */
export interface DensityLossSettings {
  /** Multiply the density loss by this; 0 is plain fine-tuning, and auto finds the weight by feedback. */
  readonly weight: number;
  /** Lower the activations of single tokens, or with neurons those of whole neurons, which can then be removed. */
  readonly loss: "activations" | "neurons";
  /** Raise the weight from 0 over this first share of the steps. A number from 0 to 1. */
  readonly warmupRatio: number;
  /** Lower the weight to 0 over this last share of the steps. A number from 0 to 1. */
  readonly cooldownRatio: number;
  /** Set ε of a² / (a² + ε), which the density loss adds up; FROM:TO anneals it. */
  readonly epsilon: { readonly from: number; readonly to: number };
  /** Count the attended tokens, or all tokens with padding. */
  readonly positions: "attended" | "all";
}

/** The density weight by feedback. */
export interface AutoWeightSettings {
  /** With `density.weight` auto, let the task loss rise above that of plain fine-tuning by this share of the loss of guessing. A number > 0. */
  readonly margin: number;
  /** With `density.weight` auto, stop raising the weight once at most this share of activations exceeds 0.01 in magnitude. A number > 0 and < 1. Null where nothing was given. */
  readonly targetDensity: number | null;
  /** With `density.weight` auto, measure against this run of plain fine-tuning with the same seed and settings. Null where nothing was given. */
  readonly reference: string | null;
}

/** ADA-DEFT: a learned gate for each MLP. */
export interface GateSettings {
  /** Read the gates off the gradient (the default), or train each as a factor of its MLP (with `gateWeight` or `gateRate`). */
  readonly kind: "importance" | "sigmoid";
  /** Add the mean of the gates, times this, to the loss; with it gates are trained (`gates` sigmoid). A number ≥ 0. */
  readonly weight: number;
  /** Train the gates (`gates` sigmoid) at this learning rate. A number > 0. */
  readonly rate: number;
}

/** Gradual removal of MLP neurons while training. */
export interface RemovalSettings {
  /** Remove MLP neurons while training, until this share is left. A number > 0 and ≤ 1. */
  readonly keep: number;
  /** Keep that share in each layer, or over all layers together. */
  readonly scope: "layer" | "global";
  /** Remove the first neurons after this share of the steps. A number from 0 to 1. */
  readonly start: number;
  /** Remove the last neurons after this share of the steps. A number from 0 to 1. */
  readonly end: number;
}

/** Learning from the answers of a model trained before, beside the labels. */
export interface DistillationSettings {
  /** Learn from the logits of this run of the same task and labels too (distillation). */
  readonly teacher: string;
  /** Give the teacher's logits this share of the task loss; the labels have the rest. A number from 0 to 1. */
  readonly weight: number;
}

/** AdamW and its schedule. */
export interface OptimSettings {
  /** Pass over the training data this many times. A number > 0. */
  readonly epochs: number;
  /** Stop after N steps, in place of after `epochs`. A whole number ≥ 1. Null where nothing was given. */
  readonly maxSteps: number | null;
  /** Put this many examples in a batch. A whole number ≥ 1. */
  readonly batchSize: number;
  /** Add up the gradients of this many batches for one step. A whole number ≥ 1. */
  readonly accumulate: number;
  /** Use this learning rate at the peak of the schedule. A number > 0. */
  readonly learningRate: number;
  /** After warm-up, lower the learning rate linearly, along a cosine, or not at all (constant). */
  readonly schedule: "linear" | "cosine" | "constant";
  /** Raise the learning rate from 0 over this first share of the steps. A number from 0 to 1. */
  readonly warmupRatio: number;
  /** Apply this weight decay (AdamW) to matrices. A number ≥ 0. */
  readonly weightDecay: number;
  /** Train the model's own biases at this multiple of `learningRate`. A number > 0. */
  readonly biasRate: number;
  /** Clip gradients to this global norm. A number > 0. Null where nothing was given. */
  readonly maxGradNorm: number | null;
}

/** Options of a run that are single values; what is left out has its default. */
export interface PlainOptions {
  /** Cut examples to at most this many tokens. A whole number from 4 to 100000. Default: `128`; squad: 384, seq2seq: 512. */
  readonly maxLength?: number | undefined;
  /** Pad a batch to its longest example, or to `maxLength`. Default: `longest`. */
  readonly padding?: "longest" | "max" | undefined;
  /** Write at most this many tokens, the end token included. A whole number from 2 to 100000. Default: `128`; squad: 30. */
  readonly maxTargetLength?: number | undefined;
  /** For squad, let neighbouring windows of a long context share this many tokens. A whole number ≥ 0. Default: `128`. */
  readonly docStride?: number | undefined;
  /** For squad, consider this many start and end positions of an answer. A whole number ≥ 1. Default: `20`. */
  readonly nBest?: number | undefined;
  /** For squad, take at most this many tokens of the context as an answer. A whole number ≥ 1. Default: `30`. */
  readonly maxAnswerLength?: number | undefined;
  /** For SQuAD v2, give no answer when its score exceeds the best answer's by more than this. A number. Default: `0`. */
  readonly nullThreshold?: number | undefined;
  /** Write with this many beams. A whole number ≥ 1. Default: `1`. */
  readonly numBeams?: number | undefined;
  /** Write at most this many tokens, in place of `maxTargetLength`. A whole number ≥ 1. */
  readonly maxNewTokens?: number | undefined;
  /** Divide the scores of beams by their length to this power. A number. Default: `1`. */
  readonly lengthPenalty?: number | undefined;
  /** Draw tokens at random, after dividing logits by this. A number > 0. */
  readonly temperature?: number | undefined;
  /** Draw tokens at random among the N most probable. A whole number ≥ 1. */
  readonly topK?: number | undefined;
  /** Draw tokens at random among the most probable ones that together have this probability. A number > 0 and ≤ 1. */
  readonly topP?: number | undefined;
  /** Store the matrices of the frozen base in 4 or 8 bits; `method` qlora is lora with nf4. Default of qlora: nf4. */
  readonly quantize?: "nf4" | "int8" | "int4" | "none" | undefined;
  /** Keep weights that are zero in the base at zero; a pruned base has this on. */
  readonly maskSafe?: boolean | undefined;
  /** Take the values of the paper, or a row of it with model, task and method (deft init --list). */
  readonly preset?: PresetName | undefined;
  /** Learn a gate for each MLP, so that those with closed gates can be removed (ADA-DEFT). Default: `false`. */
  readonly ada?: boolean | undefined;
  /** Read the gates off the gradient (the default), or train each as a factor of its MLP (with `gateWeight` or `gateRate`). */
  readonly gates?: "importance" | "sigmoid" | undefined;
  /** Add the mean of the gates, times this, to the loss; with it gates are trained (`gates` sigmoid). A number ≥ 0. Default: `0.1`. */
  readonly gateWeight?: number | undefined;
  /** Train the gates (`gates` sigmoid) at this learning rate. A number > 0. Default: `0.05`. */
  readonly gateRate?: number | undefined;
  /** Remove MLP neurons while training, until this share is left. A number > 0 and ≤ 1. */
  readonly keepNeurons?: number | undefined;
  /** Keep that share in each layer, or over all layers together. Default: `layer`. */
  readonly keepScope?: "layer" | "global" | undefined;
  /** Remove the first neurons after this share of the steps. A number from 0 to 1. Default: `0.2`. */
  readonly removalStart?: number | undefined;
  /** Remove the last neurons after this share of the steps. A number from 0 to 1. Default: `0.6`. */
  readonly removalEnd?: number | undefined;
  /** Learn from the logits of this run of the same task and labels too (distillation). */
  readonly teacher?: string | undefined;
  /** Give the teacher's logits this share of the task loss; the labels have the rest. A number from 0 to 1. Default: `0.5`. */
  readonly distillationWeight?: number | undefined;
  /** Pass over the training data this many times. A number > 0. Default: `3`. */
  readonly epochs?: number | undefined;
  /** Stop after N steps, in place of after `epochs`. A whole number ≥ 1. */
  readonly maxSteps?: number | undefined;
  /** Put this many examples in a batch. A whole number ≥ 1. Default: `32`; squad: 12, seq2seq: 8. */
  readonly batchSize?: number | undefined;
  /** Add up the gradients of this many batches for one step. A whole number ≥ 1. Default: `1`. */
  readonly accumulate?: number | undefined;
  /** Use this learning rate at the peak of the schedule. A number > 0. Default: `0.0003`; ia3: 0.003, prompt: 0.01, prefix: 0.01, head: 0.001, full: 0.00002. */
  readonly learningRate?: number | undefined;
  /** After warm-up, lower the learning rate linearly, along a cosine, or not at all (constant). Default: `linear`. */
  readonly schedule?: "linear" | "cosine" | "constant" | undefined;
  /** Raise the learning rate from 0 over this first share of the steps. A number from 0 to 1. Default: `0.06`. */
  readonly warmupRatio?: number | undefined;
  /** Apply this weight decay (AdamW) to matrices. A number ≥ 0. Default: `0.01`. */
  readonly weightDecay?: number | undefined;
  /** Train the model's own biases at this multiple of `learningRate`. A number > 0. Default: `1`. */
  readonly biasRate?: number | undefined;
  /** Clip gradients to this global norm. A number > 0. */
  readonly maxGradNorm?: number | undefined;
  /** Weigh each class in the training loss: by its rarity (of several labels, negatives over positives), or by the number given for its name. */
  readonly classWeights?: "balanced" | Readonly<Record<string, number>> | undefined;
  /** Put this activation in place of every MLP's own before training, fitted again to what each gave on the task's texts. */
  readonly activation?: "relu" | undefined;
  /** With `activation`, leave this share of the activations non-zero before training: 0.03. A number > 0 and < 1. */
  readonly densityBudget?: number | undefined;
  /** With `activation`, train each MLP alone for this many steps towards what it gave before; 0 fits output matrices only. A whole number ≥ 0. Default of relu: 400. */
  readonly fitSteps?: number | undefined;
  /** Fix the order of examples, dropout and the values of new weights by this number. A whole number from 0 to 4294967295. Default: `42`. */
  readonly seed?: number | undefined;
  /** Evaluate every N steps, in place of after each epoch. A whole number ≥ 1. */
  readonly evalSteps?: number | undefined;
  /** Save a checkpoint every N steps, in place of at each evaluation. A whole number ≥ 1. */
  readonly saveSteps?: number | undefined;
  /** Stop after N evaluations without a better score. A whole number ≥ 1. */
  readonly patience?: number | undefined;
  /** Keep what was trained at the best evaluation, or at the last step. Default: `best`. */
  readonly keep?: "best" | "last" | undefined;
  /** Tell the best evaluation by this metric, and show it as the main one, in place of the task's own. */
  readonly metric?: string | undefined;
  /** Continue the run in `output`. Default: `false`. */
  readonly resume?: boolean | undefined;
  /** Compute on this backend. Default: `cpu`. */
  readonly backend?: "cpu" | "webgpu" | "cuda" | undefined;
  /** Use this many threads, in place of one for each physical core. A whole number ≥ 1. */
  readonly threads?: number | undefined;
  /** Train on a copy of the model's weights in the cache, so that other programs may write to the model's own files meanwhile. Default: `false`. */
  readonly copyBase?: boolean | undefined;
  /** Take a step with the least memory, in small parts of a batch, or fastest, with all results kept and matrices packed. Default: `balanced`. */
  readonly memory?: "low" | "balanced" | "fast" | undefined;
  /** Keep less until the backward pass and train a little slower; large models, and `memory` low, do so without being asked. */
  readonly recompute?: boolean | undefined;
  /** Train block by block, with far less memory and about 1.5 times the time; very large models do so without being asked. */
  readonly staged?: boolean | undefined;
}

/** Options of a data source: columns, classes and limits. */
export interface DataOptions {
  /** Read the text from this column. */
  readonly textColumn?: string | undefined;
  /** Read the second text of a pair from this column. */
  readonly pairColumn?: string | undefined;
  /** Read the label from this column. */
  readonly labelColumn?: string | undefined;
  /** Take these names as the classes, in the order of their logits, in place of those found in the data. */
  readonly labels?: readonly string[] | undefined;
  /** For seq2seq, read source texts from this column. */
  readonly sourceColumn?: string | undefined;
  /** For seq2seq, read target texts from this column. */
  readonly targetColumn?: string | undefined;
  /** For seq2seq, put this before each source text, such as "summarize: ". */
  readonly sourcePrefix?: string | undefined;
  /** Use only the first N training examples. A whole number ≥ 1. */
  readonly limitTrain?: number | undefined;
  /** Use only the first N evaluation examples. A whole number ≥ 1. */
  readonly limitEval?: number | undefined;
}

/** The density loss of a run; what is left out has its default. */
export interface DensityOptions {
  /** Multiply the density loss by this; 0 is plain fine-tuning, and auto finds the weight by feedback. Default: `1`; relu: 2. */
  readonly weight?: number | "auto" | undefined;
  /** With `density.weight` auto, let the task loss rise above that of plain fine-tuning by this share of the loss of guessing. A number > 0. Default: `0.05`. */
  readonly margin?: number | undefined;
  /** With `density.weight` auto, stop raising the weight once at most this share of activations exceeds 0.01 in magnitude. A number > 0 and < 1. */
  readonly targetDensity?: number | undefined;
  /** With `density.weight` auto, measure against this run of plain fine-tuning with the same seed and settings. */
  readonly reference?: string | undefined;
  /** Lower the activations of single tokens, or with neurons those of whole neurons, which can then be removed. Default: `activations`. */
  readonly loss?: "activations" | "neurons" | undefined;
  /** Raise the weight from 0 over this first share of the steps. A number from 0 to 1. Default: `0.25`. */
  readonly warmupRatio?: number | undefined;
  /** Lower the weight to 0 over this last share of the steps. A number from 0 to 1. Default: `0`. */
  readonly cooldownRatio?: number | undefined;
  /** Set ε of a² / (a² + ε), which the density loss adds up; FROM:TO anneals it. Default: `0.01:0.001`; relu: 1, neurons: 0.1:0.01. */
  readonly epsilon?: number | { readonly from: number; readonly to: number } | undefined;
  /** Count the attended tokens, or all tokens with padding. Default: `attended`. */
  readonly positions?: "attended" | "all" | undefined;
}
