// Every flag, once: rows of the table of settings, and those that are a command's own; what each does, and how it is written.
import {
  choicesOf,
  DEFAULTS,
  DEPLOYED_FORMS,
  type Heading,
  otherDefaults,
  SETTINGS,
  SETTINGS_KEYS,
  type Setting,
  type SettingCommand,
  type SettingsKey,
  settingText,
  unlistedChoices,
  valueName,
  WEIGHT_FORMS,
} from "../settings/table/index.ts";

/** A flag of a command. */
export interface Flag {
  /** The name without `--`. */
  readonly name: string;
  /** The value's name in help; absent for switches. */
  readonly value?: string;
  readonly short?: string;
  /** What it does: a whole sentence. */
  readonly help: string;
  /** The default in words; a test holds it equal to the one in force. */
  readonly default?: string;
  /** Defaults of single tasks and methods: `squad: 12, seq2seq: 8`. */
  readonly otherDefaults?: string;
  /** Values that the value's name does not list. */
  readonly choices?: readonly string[];
  /** Values for completion, and whether several of them may be joined by commas. */
  readonly suggested?: readonly string[];
  readonly isList?: true;
  /** Paths for completion. */
  readonly completes?: "path" | "folder";
  readonly kind: "text" | "number" | "switch";
  /** A switch that is also spelled `--no-NAME`. */
  readonly negatable?: true;
  /** Shown first in help, or under its heading. */
  readonly level: Setting["group"];
  readonly group: FlagGroup;
}

/** Headings of help. */
export type FlagGroup = Heading | "Input" | "Compression" | "Benchmark" | "Output";

/** A setting as a flag. */
export function settingFlag(key: SettingsKey): Flag {
  const { kind, help, group, heading, negatable, completes }: Setting = SETTINGS[key];
  const [value, others, choices] = [valueName(key), otherDefaults(key), unlistedChoices(key)];
  const usual = (DEFAULTS as Readonly<Record<string, unknown>>)[key];
  const isNumber = kind.type === "number" || (kind.type === "parsed" && kind.isNumeric);
  return {
    name: key,
    help,
    kind: kind.type === "boolean" ? "switch" : isNumber ? "number" : "text",
    level: group,
    group: heading,
    ...(value === undefined ? {} : { value }),
    ...(usual === undefined || kind.type === "boolean" || usual === "" ? {} : { default: settingText(usual) }),
    ...(others === "" ? {} : { otherDefaults: others }),
    ...(choices.length === 0 ? {} : { choices }),
    ...(kind.type === "words" ? { isList: true } : {}),
    ...(choicesOf(kind).length === 0 ? {} : { suggested: choicesOf(kind) }),
    ...(completes === undefined ? {} : { completes }),
    ...(negatable ? { negatable } : {}),
  };
}

/** The settings that a command takes, in the table's order. */
export function settingFlags(command: SettingCommand): Flag[] {
  return SETTINGS_KEYS.filter((key) => SETTINGS[key].commands.includes(command)).map(settingFlag);
}

/** What `deft train` takes: every setting of a run. */
export const TRAIN_FLAGS: readonly Flag[] = settingFlags("train");

type OwnFlag = Omit<Flag, "kind" | "level" | "group"> & Partial<Pick<Flag, "kind" | "level">>;

/** Flags of a group; they are basic unless they say otherwise, and their kind follows from their value's name. */
const own =
  (group: FlagGroup) =>
  (flag: OwnFlag): Flag => {
    const { value } = flag;
    const kind = value === undefined ? "switch" : value === "N" || value === "X" ? "number" : "text";
    return { kind, level: "basic", group, ...flag };
  };

const run = own("Run");
const input = own("Input");
const compression = own("Compression");
const benchmark = own("Benchmark");
const output = own("Output");

/** What every command takes. */
export const COMMON_FLAGS: readonly Flag[] = [
  { name: "json", help: "Print JSON on standard output, and nothing else there." },
  { name: "quiet", short: "q", help: "Print results and errors only." },
  { name: "verbose", short: "v", help: "Print more detail, and the stacks of errors." },
].map((flag) => output({ ...flag, level: "more" }));

/** `--dry-run` of train. */
export const DRY_RUN = run({
  name: "dry-run",
  help: "Print sizes, memory and an estimate of the time; train and write nothing.",
});

/** `--list` of init. */
export const LIST_FLAG = output({ name: "list", help: "Print every preset; write nothing." });

/** What `deft predict` reads. */
export const PREDICT_FLAGS: readonly Flag[] = [
  input({ name: "text", value: "TEXT", help: "Predict for this text." }),
  input({ name: "pair", value: "TEXT", help: "With --text, take this as the second text." }),
  input({ name: "question", value: "TEXT", help: "With --context, answer this question." }),
  input({ name: "context", value: "TEXT", help: "With --question, look for the answer here." }),
  input({
    name: "input",
    value: "FILE",
    completes: "path",
    help: "Read texts from a CSV, TSV, JSON or Parquet file with the run's columns, or JSON lines; - is standard input.",
  }),
  output({
    name: "output",
    value: "FILE",
    completes: "path",
    help: "With --input, write its columns and the answers into this new CSV, TSV or JSONL file.",
  }),
];

const more = (flag: OwnFlag): Flag => compression({ level: "more", ...flag });

/** The rules and budgets of `deft compress`. */
export const COMPRESS_FLAGS: readonly Flag[] = [
  compression({
    name: "score-budget",
    value: "X",
    help: "Remove as much as costs at most X points of score, measured here.",
  }),
  compression({
    name: "latency-budget",
    value: "0.5x",
    help: "Reach this share of the latency, measured here, at the least cost in score.",
  }),
  compression({ name: "keep-neurons", value: "X", help: "Keep this share of each layer's MLP neurons." }),
  compression({
    name: "quantize",
    value: DEPLOYED_FORMS.join("|"),
    suggested: DEPLOYED_FORMS,
    help: "Store the weights of the exported model in this form.",
    default: "none",
  }),
  output({ name: "output", value: "DIR", completes: "folder", help: "Write the compressed model into this folder." }),
  more({
    name: "keep-scope",
    value: "layer|global",
    suggested: ["layer", "global"],
    help: "Keep that share in each layer, or over all layers together by what the logits need.",
    default: "layer",
  }),
  more({ name: "threshold", value: "X", help: "Remove neurons that never exceed this on the calibration data." }),
  more({ name: "skip", value: "3,7", help: "Remove the MLPs of these layers; of T5, write encoder.3,decoder.7." }),
  more({ name: "gate-threshold", value: "X", help: "Remove the MLPs whose learned gate is below this." }),
  more({ name: "count", value: "N", help: "Remove the MLPs of N layers, those first that matter least." }),
  more({
    name: "count-by",
    value: "ablation|gates",
    suggested: ["ablation", "gates"],
    help: "With --count, remove first what the logits miss least, or what has the lowest gates.",
    default: "ablation",
  }),
  more({ name: "plan", value: "FILE", completes: "path", help: "Apply a plan that was made before." }),
  more({
    name: "activation",
    value: "relu",
    suggested: ["relu"],
    help: "Put this activation in place of every MLP's own, fitted again to what each gave, without labels. With --score-budget, activations become zero up to that loss of score.",
  }),
  more({
    name: "density-budget",
    value: "X",
    help: "With --activation, leave this share of the activations non-zero: 0.05.",
  }),
  more({
    name: "fit-steps",
    value: "N",
    help: "With --activation, train each MLP alone for this many steps towards what it gave before; 0 fits output matrices only.",
    default: "400",
  }),
  more({
    name: "calibration-examples",
    value: "N",
    help: "Take statistics from this many training examples.",
    default: "512",
    otherDefaults: "--activation: 2048, long texts: fewer, --prune: 128",
  }),
  more({
    name: "compensation",
    value: "refit|mean",
    suggested: ["refit", "mean"],
    help: "Make up for removed neurons by fitting the output matrix again, or by adding their mean.",
    default: "refit; on a pruned base mean",
  }),
  more({ name: "recovery-steps", value: "N", help: "Fine-tune for this many steps after removal.", default: "0" }),
  more({
    name: "recovery-method",
    value: "lora|full",
    suggested: ["lora", "full"],
    help: "Fine-tune these steps with this method, in place of the run's own.",
  }),
  more({
    name: "recovery-rate",
    value: "X",
    help: "Fine-tune these steps at this learning rate, in place of the run's own (full: 5e-5).",
  }),
  more({
    name: "recovery-distillation",
    value: "X",
    help: "Give the dense model's logits this share of the loss of these steps (models that write: 0).",
    default: "0.5",
  }),
  more({
    name: "decoding-budget",
    value: "X",
    help: "For T5, decode with the rows of active neurons, by thresholds and predictions that cost at most X points.",
  }),
];

/** Pruning by `deft compress`. */
export const PRUNE_FLAGS: readonly Flag[] = [
  compression({
    name: "prune",
    value: "RECIPE",
    suggested: ["wanda:0.5", "magnitude:0.5", "wanda:2:4"],
    help: "Make weights exact zeros: wanda:0.5, magnitude:0.5, or wanda:2:4, which keeps 2 of 4.",
  }),
  more({
    name: "prune-scope",
    value: "layer|global",
    suggested: ["layer", "global"],
    help: "Compare magnitudes within each layer, or over all layers.",
    default: "layer",
  }),
];

/** Forms of an ONNX file's weights. */
const PRECISIONS = ["fp32", "int8", "int4", "qdq"];

/** What `deft export` writes, and where. */
export const EXPORT_FLAGS: readonly Flag[] = [
  output({
    name: "format",
    value: "NAME",
    choices: ["peft", "adapters", "merged", "onnx"],
    suggested: ["peft", "adapters", "merged", "onnx"],
    help: "Write the run in this format.",
  }),
  output({ name: "output", value: "DIR", completes: "folder", help: "Write into this new folder." }),
  output({
    name: "quantize",
    value: "FORM",
    choices: WEIGHT_FORMS,
    suggested: WEIGHT_FORMS,
    help: "Store block matrices in this form with merged, where the change in score is measured, or all weights with onnx.",
  }),
  output({
    name: "precision",
    value: "A,B",
    isList: true,
    suggested: PRECISIONS,
    help: `With onnx, write a file for each of these: ${PRECISIONS.join(", ")}.`,
    default: "fp32,int8",
  }),
];

/** What `deft bench` measures, and against whom. */
export const BENCH_FLAGS: readonly Flag[] = [
  benchmark({
    name: "precision",
    value: "A,B",
    isList: true,
    suggested: PRECISIONS,
    help: `Measure each model with weights in these forms: ${PRECISIONS.join(", ")}.`,
    default: "fp32,int8",
  }),
  benchmark({ name: "batches", value: "1,8,32", help: "Measure at these batch sizes.", default: "1,8,32" }),
  benchmark({
    name: "rounds",
    value: "N",
    help: "Count this many rounds at batch size 1; larger batches get fewer.",
    default: "40",
  }),
  benchmark({
    name: "new-tokens",
    value: "N",
    help: "Let a T5 write this many tokens for each text.",
    default: "32",
  }),
  benchmark({
    name: "peers",
    value: "A,B",
    isList: true,
    suggested: ["transformers.js", "pytorch"],
    help: "Measure the first model in transformers.js (float32 and q8) and in pytorch too, where they are installed.",
  }),
  benchmark({
    name: "peer-onnx",
    value: "DIR",
    completes: "folder",
    help: "Give transformers.js this export of the first model, made by another tool.",
  }),
];

/** `--output FILE` for commands that write one page. */
export const PAGE_FLAG = output({ name: "output", value: "FILE", completes: "path", help: "Write the page here." });

/** The benchmark that `deft report` shows beside what was compressed. */
export const REPORT_BENCH_FLAG = output({
  name: "bench",
  value: "FILE",
  completes: "path",
  help: "Show what deft bench --json printed beside the scores.",
});
