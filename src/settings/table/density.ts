// Settings of the density loss, of gates, and of neurons that are removed while training.
import { number, oneOf, parsed, presetName, share, text, yesNo } from "./kinds.ts";
import { type Need, type Setting, TRAINING } from "./setting.ts";
import { parseRange, parseWeight } from "./values.ts";

const LOSS = { heading: "Density loss", affects: "density", option: "density", commands: TRAINING } as const;
const REMOVAL = {
  group: "more",
  heading: "Gates and removal of neurons",
  affects: "density",
  commands: TRAINING,
} as const;

const ABOVE_ZERO: Need = {
  key: "density-weight",
  isNot: [0],
  expected: "--density-weight above 0, without which it means nothing",
  got: "0",
};
const AUTO: readonly Need[] = [
  {
    key: "density-weight",
    is: ["auto"],
    expected: "--density-weight auto, which alone uses it",
    got: "another weight",
  },
];
const GATES: readonly Need[] = [
  { key: "ada", is: [true], expected: "--ada, without which it means nothing", got: "no --ada" },
];
const TRAINED_GATES: readonly Need[] = [
  ...GATES,
  { key: "gates", isNot: ["importance"], expected: "--gates sigmoid, which alone uses it", got: "importance" },
];
const KEPT: Need = {
  key: "keep-neurons",
  given: true,
  expected: "--keep-neurons, without which it means nothing",
  got: "no --keep-neurons",
};
const IN_ORDER = { got: "from {value} to {other}", expected: "a removal that starts before it ends" } as const;

export const DENSITY_SETTINGS = {
  "density-weight": {
    ...LOSS,
    kind: parsed("a number ≥ 0, or auto", 'number | "auto"', parseWeight, { isNumeric: true, choices: ["auto"] }),
    default: 1,
    byActivation: { relu: 2 },
    help: "Multiply the density loss by this; 0 is plain fine-tuning, and auto finds the weight by feedback.",
    value: "X|auto",
    group: "basic",
    at: "density.weight",
    stored: "number",
  },
  "task-loss-margin": {
    ...LOSS,
    kind: number({ above: 0 }),
    default: 0.05,
    help: "With --density-weight auto, let the task loss rise above that of plain fine-tuning by this share of the loss of guessing.",
    group: "more",
    at: "density.auto.margin",
    needs: AUTO,
  },
  "target-density": {
    ...LOSS,
    kind: number({ above: 0, below: 1 }),
    help: "With --density-weight auto, stop raising the weight once at most this share of activations exceeds 0.01 in magnitude.",
    group: "more",
    at: "density.auto.targetDensity",
    needs: AUTO,
  },
  reference: {
    ...LOSS,
    kind: text(),
    help: "With --density-weight auto, measure against this run of plain fine-tuning with the same seed and settings.",
    value: "RUN",
    completes: "folder",
    group: "more",
    at: "density.auto.reference",
    needs: AUTO,
  },
  "density-loss": {
    ...LOSS,
    kind: oneOf(["activations", "neurons"]),
    default: "activations",
    help: "Lower the activations of single tokens, or with neurons those of whole neurons, which can then be removed.",
    group: "more",
    at: "density.loss",
    needs: [
      ABOVE_ZERO,
      {
        key: "preset",
        when: ["neurons"],
        isNot: ["paper"],
        expected: "activations with --preset paper, which has no other loss",
        got: "neurons",
      },
    ],
  },
  "density-warmup-ratio": {
    ...LOSS,
    kind: share(),
    default: 0.25,
    help: "Raise the weight from 0 over this first share of the steps.",
    group: "more",
    at: "density.warmupRatio",
    needs: [
      ABOVE_ZERO,
      {
        key: "density-weight",
        isNot: ["auto"],
        expected: "none with --density-weight auto, which begins small and rises by itself",
        got: "one",
      },
    ],
  },
  "density-cooldown-ratio": {
    ...LOSS,
    kind: share(),
    default: 0,
    help: "Lower the weight to 0 over this last share of the steps.",
    group: "more",
    at: "density.cooldownRatio",
    needs: [ABOVE_ZERO],
  },
  epsilon: {
    ...LOSS,
    kind: parsed("a number > 0, or FROM:TO to anneal it", "{ readonly from: number; readonly to: number }", parseRange),
    default: { from: 1e-2, to: 1e-3 },
    byActivation: { relu: { from: 1, to: 1 } },
    byLoss: { neurons: { from: 0.1, to: 0.01 } },
    help: "Set ε of a² / (a² + ε), which the density loss adds up; FROM:TO anneals it.",
    value: "E|FROM:TO",
    group: "more",
    at: "density.epsilon",
    needs: [ABOVE_ZERO],
  },
  positions: {
    ...LOSS,
    kind: oneOf(["attended", "all"]),
    default: "attended",
    help: "Count the attended tokens, or all tokens with padding.",
    group: "more",
    at: "density.positions",
    needs: [ABOVE_ZERO],
  },
  preset: {
    kind: presetName(),
    help: "Take the values of the paper, or a row of it with model, task and method (deft init --list).",
    value: "NAME",
    group: "more",
    heading: "Density loss",
    affects: "others",
    commands: TRAINING,
  },
  ada: {
    ...REMOVAL,
    kind: yesNo(),
    default: false,
    help: "Learn a gate for each MLP, so that those with closed gates can be removed (ADA-DEFT).",
  },
  gates: {
    ...REMOVAL,
    kind: oneOf(["importance", "sigmoid"]),
    help: "Read the gates off the gradient (the default), or train each as a factor of its MLP (with --gate-weight or --gate-rate).",
    at: "gates.kind",
    isNeeded: true,
    isLater: true,
    older: "sigmoid",
    needs: GATES,
  },
  "gate-weight": {
    ...REMOVAL,
    kind: number({ min: 0 }),
    default: 0.1,
    help: "Add the mean of the gates, times this, to the loss; with it gates are trained (--gates sigmoid).",
    at: "gates.weight",
    needs: TRAINED_GATES,
  },
  "gate-rate": {
    ...REMOVAL,
    kind: number({ above: 0 }),
    default: 0.05,
    help: "Train the gates (--gates sigmoid) at this learning rate.",
    at: "gates.rate",
    needs: TRAINED_GATES,
  },
  "keep-neurons": {
    ...REMOVAL,
    kind: number({ above: 0, max: 1 }),
    help: "Remove MLP neurons while training, until this share is left.",
    at: "removal.keep",
    isNeeded: true,
  },
  "keep-scope": {
    ...REMOVAL,
    kind: oneOf(["layer", "global"]),
    default: "layer",
    help: "Keep that share in each layer, or over all layers together.",
    at: "removal.scope",
    needs: [KEPT],
  },
  "removal-start": {
    ...REMOVAL,
    kind: share(),
    default: 0.2,
    help: "Remove the first neurons after this share of the steps.",
    at: "removal.start",
    needs: [KEPT, { ...IN_ORDER, key: "removal-end", isLarger: true }],
  },
  "removal-end": {
    ...REMOVAL,
    kind: share(),
    default: 0.6,
    help: "Remove the last neurons after this share of the steps.",
    at: "removal.end",
    needs: [KEPT, { ...IN_ORDER, key: "removal-start", isSmaller: true }],
  },
} as const satisfies Readonly<Record<string, Setting>>;
