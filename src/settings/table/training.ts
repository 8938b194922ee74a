// Settings of training: the teacher, steps and learning rate, when to evaluate, and what to keep.

import { recordNamed } from "../../peft/index.ts";
import { count, number, oneOf, parsed, share, text, whole, wholes } from "./kinds.ts";
import { CLASS_TASKS, METHODS, type MethodName, type SettingCommand, TEACHER_TASKS } from "./names.ts";
import { MEASURING, type Setting, TRAINING } from "./setting.ts";
import { parseClassWeights, parseMetric } from "./values.ts";

/** Learning rates of methods that have one of their own. */
const OWN_RATES: Readonly<Partial<Record<MethodName, number>>> = Object.fromEntries(
  METHODS.flatMap((name) => {
    const { learningRate } = recordNamed(name).record;
    return learningRate === undefined ? [] : [[name, learningRate]];
  }),
);

const COMMON = { group: "more", heading: "Training", affects: "step", commands: TRAINING } as const;
const SEEDED: readonly SettingCommand[] = ["demo", ...TRAINING, "eval", "predict", "compress"];

export const TRAINING_SETTINGS = {
  teacher: {
    ...COMMON,
    kind: text(),
    help: "Learn from the logits of this run of the same task and labels too (distillation).",
    value: "RUN|DIR",
    completes: "folder",
    affects: "base",
    at: "distillation.teacher",
    isNeeded: true,
    tasks: TEACHER_TASKS,
  },
  "distillation-weight": {
    ...COMMON,
    kind: share(),
    default: 0.5,
    help: "Give the teacher's logits this share of the task loss; the labels have the rest.",
    affects: "base",
    at: "distillation.weight",
    tasks: TEACHER_TASKS,
    needs: [
      { key: "teacher", given: true, expected: "--teacher RUN, without which it means nothing", got: "no --teacher" },
    ],
  },
  epochs: {
    ...COMMON,
    kind: number({ above: 0 }),
    default: 3,
    help: "Pass over the training data this many times.",
    group: "basic",
    at: "optim.epochs",
  },
  "max-steps": {
    ...COMMON,
    kind: count(),
    help: "Stop after N steps, in place of after --epochs.",
    at: "optim.maxSteps",
  },
  "batch-size": {
    ...COMMON,
    kind: count(),
    default: 32,
    byTask: { squad: 12, seq2seq: 8 },
    help: "Put this many examples in a batch.",
    group: "basic",
    at: "optim.batchSize",
    commands: [...TRAINING, ...MEASURING, "predict"],
  },
  accumulate: {
    ...COMMON,
    kind: count(),
    default: 1,
    help: "Add up the gradients of this many batches for one step.",
    at: "optim.accumulate",
  },
  "learning-rate": {
    ...COMMON,
    kind: number({ above: 0 }),
    default: 3e-4,
    byMethod: OWN_RATES,
    help: "Use this learning rate at the peak of the schedule.",
    group: "basic",
    at: "optim.learningRate",
  },
  schedule: {
    ...COMMON,
    kind: oneOf(["linear", "cosine", "constant"]),
    default: "linear",
    help: "After warm-up, lower the learning rate linearly, along a cosine, or not at all (constant).",
    at: "optim.schedule",
  },
  "warmup-ratio": {
    ...COMMON,
    kind: share(),
    default: 0.06,
    help: "Raise the learning rate from 0 over this first share of the steps.",
    at: "optim.warmupRatio",
    needs: [
      {
        key: "schedule",
        when: [1],
        isNot: ["constant"],
        expected: "less than 1 with --schedule constant",
        got: "1",
      },
    ],
  },
  "weight-decay": {
    ...COMMON,
    kind: number({ min: 0 }),
    default: 0.01,
    help: "Apply this weight decay (AdamW) to matrices.",
    at: "optim.weightDecay",
  },
  "bias-rate": {
    ...COMMON,
    kind: number({ above: 0 }),
    default: 1,
    help: "Train the model's own biases at this multiple of --learning-rate.",
    at: "optim.biasRate",
  },
  "max-grad-norm": {
    ...COMMON,
    kind: number({ above: 0 }),
    help: "Clip gradients to this global norm.",
    at: "optim.maxGradNorm",
  },
  "class-weights": {
    ...COMMON,
    kind: parsed(
      'balanced, or a number above 0 for each class, as spam=2,ham=1 or {"spam": 2, "ham": 1}',
      '"balanced" | Readonly<Record<string, number>>',
      parseClassWeights,
      { choices: ["balanced"] },
    ),
    help: "Weigh each class in the training loss: by its rarity (of several labels, negatives over positives), or by the number given for its name.",
    value: "balanced|JSON",
    at: "classWeights",
    tasks: CLASS_TASKS,
    isLater: true,
  },
  activation: {
    ...COMMON,
    kind: oneOf(["relu"]),
    help: "Put this activation in place of every MLP's own before training, fitted again to what each gave on the task's texts.",
    affects: "base",
    at: "activation",
    isLater: true,
    needs: [
      { key: "output", given: true, expected: "--output RUN, which keeps the changed model", got: "no --output" },
    ],
  },
  "density-budget": {
    ...COMMON,
    kind: number({ above: 0, below: 1 }),
    help: "With --activation, leave this share of the activations non-zero before training: 0.03.",
    affects: "base",
    at: "densityBudget",
    isLater: true,
    needs: [
      {
        key: "activation",
        given: true,
        expected: "--activation relu, whose zeros it counts",
        got: "no --activation",
      },
    ],
  },
  "fit-steps": {
    ...COMMON,
    kind: whole({ min: 0 }),
    byActivation: { relu: 400 },
    help: "With --activation, train each MLP alone for this many steps towards what it gave before; 0 fits output matrices only.",
    affects: "base",
    at: "fitSteps",
    isLater: true,
    needs: [
      {
        key: "activation",
        given: true,
        expected: "--activation relu, whose MLPs it trains",
        got: "no --activation",
      },
    ],
  },
  seed: {
    ...COMMON,
    kind: whole({ min: 0, max: 2 ** 32 - 1 }),
    default: 42,
    help: "Fix the order of examples, dropout and the values of new weights by this number.",
    at: "seed",
    commands: SEEDED,
  },
  seeds: {
    ...COMMON,
    kind: wholes(),
    help: "Run with each of these seeds, in place of --seed.",
    value: "1,2",
    group: "basic",
    affects: "call",
    option: "none",
    needs: [{ key: "seed", given: false, expected: "either --seed or --seeds", got: "both" }],
    commands: ["compare"],
  },
  "eval-steps": {
    ...COMMON,
    kind: count(),
    help: "Evaluate every N steps, in place of after each epoch.",
    affects: "evaluation",
    at: "evalSteps",
  },
  "save-steps": {
    ...COMMON,
    kind: count(),
    help: "Save a checkpoint every N steps, in place of at each evaluation.",
    affects: "free",
    at: "saveSteps",
  },
  patience: {
    ...COMMON,
    kind: count(),
    help: "Stop after N evaluations without a better score.",
    affects: "evaluation",
    at: "patience",
  },
  keep: {
    ...COMMON,
    kind: oneOf(["best", "last"]),
    default: "best",
    help: "Keep what was trained at the best evaluation, or at the last step.",
    affects: "evaluation",
    at: "keep",
    stored: '"best" | "last" | "earliest"',
    isLater: true,
    // version 0.1.0 kept the earliest of equal scores, and a run that was begun so ends so
    older: "earliest",
  },
  metric: {
    ...COMMON,
    kind: parsed("the name of a metric", "string", parseMetric),
    help: "Tell the best evaluation by this metric, and show it as the main one, in place of the task's own.",
    value: "NAME",
    affects: "evaluation",
    at: "metric",
    isLater: true,
  },
} as const satisfies Readonly<Record<string, Setting>>;
