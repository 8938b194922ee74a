// Settings of the method: what is trained, and the options of each method.
import { METHOD_OPTIONS } from "../../peft/index.ts";
import { count, number, oneOf, parsed, someOf, words, yesNo } from "./kinds.ts";
import { METHODS, methodsWith, STORED_FORMATS } from "./names.ts";
import { type Setting, TRAINING } from "./setting.ts";
import { parseSaid } from "./values.ts";
import { BASE_FORMS, weightForm } from "./weight-forms.ts";

const heading = "Method";
const COMMON = { group: "more", heading, affects: "method", option: "method", commands: TRAINING } as const;

export const METHOD_SETTINGS = {
  method: {
    kind: oneOf(METHODS),
    default: "lora",
    help: "Train with this method.",
    value: "NAME",
    group: "basic",
    heading,
    affects: "method",
    option: "none",
    commands: TRAINING,
  },
  methods: {
    kind: someOf(METHODS),
    help: "Compare these methods, in place of --method.",
    group: "basic",
    heading,
    affects: "call",
    option: "none",
    needs: [{ key: "method", given: false, expected: "either --method or --methods", got: "both" }],
    commands: ["compare"],
  },
  quantize: {
    kind: parsed(
      `one of ${BASE_FORMS.join(", ")}`,
      BASE_FORMS.map((form) => JSON.stringify(form)).join(" | "),
      (value) => weightForm(value, BASE_FORMS),
      { choices: BASE_FORMS },
    ),
    byMethod: { qlora: "nf4" },
    value: BASE_FORMS.join("|"),
    stored: STORED_FORMATS.map((form) => JSON.stringify(form)).join(" | "),
    help: "Store the matrices of the frozen base in 4 or 8 bits; --method qlora is lora with nf4.",
    group: "more",
    heading,
    affects: "base",
    at: "quantize",
    needs: [
      {
        key: "method",
        unless: ["none"],
        isNot: ["full"],
        expected: "a method that leaves the base's matrices alone",
        got: "--method {other}",
      },
      {
        key: "method",
        unless: ["nf4"],
        isNot: ["qlora"],
        expected: "nf4 with --method qlora, which means it, or --method lora",
        got: "{value}",
      },
    ],
    commands: TRAINING,
  },
  rank: {
    ...COMMON,
    kind: count(),
    default: METHOD_OPTIONS.rank.default,
    help: "Give LoRA updates this rank.",
    methods: methodsWith("rank"),
  },
  alpha: {
    ...COMMON,
    kind: number({ above: 0 }),
    default: METHOD_OPTIONS.alpha.default,
    help: "Scale LoRA updates by alpha / rank.",
    methods: methodsWith("alpha"),
  },
  dropout: {
    ...COMMON,
    kind: number({ min: 0, below: 1 }),
    default: METHOD_OPTIONS.dropout.default,
    help: "Drop inputs of LoRA updates with this probability.",
    methods: methodsWith("dropout"),
  },
  targets: {
    ...COMMON,
    kind: words(),
    default: METHOD_OPTIONS.targets.default,
    help: "Adapt these linear layers with LoRA or IA3; all-linear names every one. IA3's own are keys, values and the MLP's output.",
    methods: methodsWith("targets"),
  },
  "feedforward-targets": {
    ...COMMON,
    kind: words({ mayBeEmpty: true }),
    help: "Scale what goes into these of IA3's targets, in place of what comes out; by default the MLP's output layer.",
    methods: methodsWith("feedforward-targets"),
  },
  bias: {
    ...COMMON,
    kind: oneOf(["none", "all", "lora_only"]),
    default: METHOD_OPTIONS.bias.default,
    help: "Train these biases beside the LoRA updates.",
    methods: methodsWith("bias"),
  },
  rslora: {
    ...COMMON,
    kind: yesNo(),
    default: METHOD_OPTIONS.rslora.default,
    help: "Scale LoRA updates by alpha / √rank, in place of alpha / rank.",
    methods: methodsWith("rslora"),
  },
  "mask-safe": {
    kind: yesNo(),
    help: "Keep weights that are zero in the base at zero; a pruned base has this on.",
    group: "more",
    heading,
    affects: "method",
    at: "maskSafe",
    methods: ["lora", "qlora", "full"],
    negatable: true,
    commands: TRAINING,
  },
  "adapter-kind": {
    ...COMMON,
    kind: oneOf(["pfeiffer", "houlsby"]),
    default: METHOD_OPTIONS["adapter-kind"].default,
    help: "Place adapters behind the MLP, or with houlsby behind attention too.",
    methods: methodsWith("adapter-kind"),
  },
  "reduction-factor": {
    ...COMMON,
    kind: number({ min: 1 }),
    default: METHOD_OPTIONS["reduction-factor"].default,
    help: "Divide the hidden size by this for the size of an adapter's bottleneck.",
    methods: methodsWith("reduction-factor"),
  },
  "virtual-tokens": {
    ...COMMON,
    kind: count(),
    default: METHOD_OPTIONS["virtual-tokens"].default,
    help: "Put this many trained tokens before the text.",
    methods: methodsWith("virtual-tokens"),
  },
  "prompt-init": {
    ...COMMON,
    kind: oneOf(["random", "text"]),
    default: METHOD_OPTIONS["prompt-init"].default,
    help: "Start the prompt from random values, or from the words of --prompt-init-text.",
    methods: methodsWith("prompt-init"),
    needs: [
      {
        key: "prompt-init-text",
        when: ["text"],
        given: true,
        expected: "--prompt-init-text TEXT, the words to begin as",
        got: "none",
      },
    ],
  },
  "prompt-init-text": {
    ...COMMON,
    kind: parsed("some words", "string", parseSaid),
    help: "Start the prompt from these words, repeated or cut to fit.",
    value: "TEXT",
    methods: methodsWith("prompt-init-text"),
    needs: [{ key: "prompt-init", isNot: ["random"], expected: "--prompt-init text", got: "--prompt-init random" }],
  },
  "prefix-projection": {
    ...COMMON,
    kind: yesNo(),
    default: METHOD_OPTIONS["prefix-projection"].default,
    help: "Train an MLP that computes the prefix; it is folded into the prefix when the run is saved.",
    methods: methodsWith("prefix-projection"),
  },
  "prefix-projection-size": {
    ...COMMON,
    kind: count(),
    help: "Give that MLP this width, in place of the hidden size.",
    methods: methodsWith("prefix-projection-size"),
    needs: [
      {
        key: "prefix-projection",
        is: [true],
        expected: "--prefix-projection, without which it means nothing",
        got: "none",
      },
    ],
  },
} as const satisfies Readonly<Record<string, Setting>>;
