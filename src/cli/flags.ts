// Every flag, once: how it is written, what it does, and which command has it.
// A flag whose `setting` is true is also a key of the YAML file, by its name without `--`.
import type { SettingsKey } from "../settings/index.ts";

/** A flag of a command. */
export interface Flag {
  /** The name without `--`. */
  readonly name: string;
  /** The value's name in help; absent for switches. */
  readonly value?: string;
  readonly short?: string;
  readonly help: string;
  /** The default in words; a test holds it equal to the one in force. */
  readonly default?: string;
  readonly kind: "text" | "number" | "switch";
  /** A switch that is also spelled `--no-NAME`. */
  readonly negatable?: true;
  readonly group: FlagGroup;
}

export type FlagGroup =
  | "Model and data"
  | "Answers"
  | "Method"
  | "Density loss"
  | "ADA-DEFT and removal"
  | "Training"
  | "Run"
  | "Input"
  | "Compression"
  | "Output";

const define =
  (group: FlagGroup) =>
  (name: string, value: string | null, help: string, rest: Partial<Flag> = {}): Flag => ({
    name,
    ...(value === null ? {} : { value }),
    help,
    kind: value === null ? "switch" : value === "N" || value === "X" ? "number" : "text",
    group,
    ...rest,
  });

const data = define("Model and data");
const answers = define("Answers");
const method = define("Method");
const density = define("Density loss");
const removal = define("ADA-DEFT and removal");
const training = define("Training");
const run = define("Run");
const output = define("Output");

/** What `deft train` takes, and `compare` with it: names are settings keys. */
export const TRAIN_FLAGS: readonly Flag[] = [
  data("model", "ID|DIR", "Hugging Face id, or a model's folder"),
  data("task", "NAME", "a GLUE task (cola … wnli), text-classification, text-pair, multi-label, squad or seq2seq"),
  data("data", "DIR|FILE", "GLUE folder, SQuAD JSON, or a CSV, TSV, JSONL or Parquet file"),
  data("text-column", "NAME", "column of the text"),
  data("pair-column", "NAME", "column of the second text"),
  data("label-column", "NAME", "column of the label"),
  data("source-column", "NAME", "seq2seq: column of the text to read"),
  data("target-column", "NAME", "seq2seq: column of the text to write"),
  data("source-prefix", "TEXT", 'seq2seq: put before each text to read, such as "summarize: "'),
  data("max-length", "N", "tokens at most (squad: 384, seq2seq: 512)", { default: "128" }),
  data("padding", "longest|max", "pad to the batch's longest, or to --max-length", { default: "longest" }),
  data("limit-train", "N", "use the first N training examples only"),
  data("limit-eval", "N", "use the first N evaluation examples only"),
  answers("max-target-length", "N", "tokens to write at most (squad: 30)", { default: "128" }),
  answers("doc-stride", "N", "squad: tokens that windows of a long context share", { default: "128" }),
  answers("n-best", "N", "squad: starts and ends of an answer looked at", { default: "20" }),
  answers("max-answer-length", "N", "squad: tokens of an answer in the context", { default: "30" }),
  answers("null-threshold", "X", "squad v2: no answer when its score is better by more", { default: "0" }),
  answers("num-beams", "N", "texts kept side by side while writing", { default: "1" }),
  answers("max-new-tokens", "N", "tokens written at most, instead of --max-target-length"),
  answers("length-penalty", "X", "beams: scores are divided by length to this power", { default: "1" }),
  answers("temperature", "X", "draw tokens at random, logits divided by this"),
  answers("top-k", "N", "draw among the N likeliest tokens"),
  answers("top-p", "X", "draw among the likeliest tokens of this probability together"),
  method("method", "lora|qlora|adapter|prompt|prefix|head|full", "what is trained", { default: "lora" }),
  method("quantize", "nf4|int8|int4", "keep the frozen base in 4 or 8 bits; qlora is lora on nf4"),
  method("rank", "N", "LoRA: rank", { default: "8" }),
  method("alpha", "X", "LoRA: scale, as alpha / rank", { default: "16" }),
  method("dropout", "X", "LoRA: dropout on its input", { default: "0.1" }),
  method("targets", "A,B", "LoRA: linear layers, or all-linear", { default: "query,value" }),
  method("bias", "none|all|lora_only", "LoRA: biases trained too", { default: "none" }),
  method("rslora", null, "LoRA: scale by alpha / √rank"),
  method("mask-safe", null, "LoRA, full: leave the base's zeros alone; a pruned base has it on", { negatable: true }),
  method("adapter-kind", "pfeiffer|houlsby", "Adapter: after the MLP, or after attention too", { default: "pfeiffer" }),
  method("reduction-factor", "X", "Adapter: hidden size / bottleneck size", { default: "16" }),
  method("virtual-tokens", "N", "prompt, prefix: trained tokens before the text", { default: "60" }),
  method("prompt-init", "random|text", "prompt: what they begin as", { default: "random" }),
  method("prompt-init-text", "TEXT", "prompt: words to begin as, repeated or cut to fit"),
  method("prefix-projection", null, "prefix: train an MLP that makes it; folded away on save"),
  method("prefix-projection-size", "N", "prefix: width of that MLP, instead of the hidden size"),
  density("density-weight", "X|auto", "weight of the density loss; 0 is plain PEFT, auto finds it by feedback", {
    default: "1",
    kind: "number",
  }),
  density("task-loss-margin", "X", "auto: rise of the task loss over plain PEFT's, as a share of guessing's", {
    default: "0.05",
  }),
  density("target-density", "X", "auto: share of |a| > 0.01 that is low enough"),
  density("reference", "RUN", "auto: the run of plain PEFT, with the same seed and settings"),
  density("density-loss", "activations|neurons", "what falls silent: neurons on single tokens, or for good", {
    default: "activations",
  }),
  density("density-warmup-ratio", "X", "share of steps over which the weight grows", { default: "0.25" }),
  density("density-cooldown-ratio", "X", "share of steps, the last, over which it falls to 0", { default: "0" }),
  density("epsilon", "E|FROM:TO", "ε of a² / (a² + ε), fixed or annealed (neurons: 0.1:0.01)", {
    default: "0.01:0.001",
  }),
  density("positions", "attended|all", "tokens that count; all includes padding", { default: "attended" }),
  density(
    "preset",
    "NAME",
    "paper: its values (weight 1, ε 1e-7, all positions, padding max); or a row of it (deft init --list)",
  ),
  removal("ada", null, "ADA-DEFT: learn a gate for each MLP, so that some can be removed"),
  removal("gate-weight", "X", "μ: price of open gates, μ · their mean", { default: "0.1" }),
  removal("gate-rate", "X", "learning rate of the gates", { default: "0.05" }),
  removal("keep-neurons", "X", "remove MLP neurons while training, until this share is left"),
  removal("keep-scope", "layer|global", "that share of each layer, or of all together", { default: "layer" }),
  removal("removal-start", "X", "share of steps before the first neuron goes", { default: "0.2" }),
  removal("removal-end", "X", "share of steps after which the last has gone", { default: "0.6" }),
  training("teacher", "RUN|DIR", "learn from the logits of a run of the same task and labels too (distillation)"),
  training("distillation-weight", "X", "share of the loss that is the teacher's; labels have the rest", {
    default: "0.5",
  }),
  training("epochs", "X", "passes over the data", { default: "3" }),
  training("max-steps", "N", "stop after N steps, however many epochs"),
  training("batch-size", "N", "examples a micro-batch (squad: 12, seq2seq: 8)", { default: "32" }),
  training("accumulate", "N", "micro-batches a step", { default: "1" }),
  training("learning-rate", "X", "peak rate (prompt, prefix: 0.01; head: 0.001, full: 2e-5)", {
    default: "0.0003",
  }),
  training("schedule", "linear|cosine|constant", "of the learning rate", { default: "linear" }),
  training("warmup-ratio", "X", "share of steps of rising rate", { default: "0.06" }),
  training("weight-decay", "X", "AdamW's, on matrices only", { default: "0.01" }),
  training("bias-rate", "X", "rate of the model's own trained biases, times --learning-rate", { default: "1" }),
  training("max-grad-norm", "X", "clip gradients to this global norm"),
  training("seed", "N", "of order, dropout and new weights", { default: "42" }),
  training("eval-steps", "N", "evaluate every N steps instead of every epoch"),
  training("save-steps", "N", "save every N steps instead of at evaluations"),
  training("patience", "N", "stop after N evaluations without a better score"),
  run("output", "RUN", "the run's folder"),
  run("resume", null, "go on with the run in --output"),
  run("backend", "cpu|webgpu|cuda", "where to compute", { default: "cpu" }),
  run("threads", "N", "threads of one operation"),
  run("recompute", null, "less memory in training, a little slower; large models do it anyway"),
  run("staged", null, "train block by block: far less memory, half as long again; very large models do it anyway"),
];

/** What every command takes. */
export const COMMON_FLAGS: readonly Flag[] = [
  output("json", null, "machine-readable on standard output, nothing else there"),
  output("quiet", null, "results and errors only", { short: "q" }),
  output("verbose", null, "more detail, stacks of errors", { short: "v" }),
];

/** `--dry-run` of train. */
export const DRY_RUN = run("dry-run", null, "sizes, memory and time; nothing is trained or written");

/** What `deft init` writes down, and `--list`. */
export const INIT_FLAGS: readonly Flag[] = [
  ...TRAIN_FLAGS.filter(({ name }) => name !== "resume"),
  output("list", null, "every preset; nothing is written"),
];

/** The lists of `deft compare`. */
export const COMPARE_FLAGS: readonly Flag[] = [
  method("methods", "A,B", "methods to compare, instead of --method"),
  training("seeds", "1,2", "seeds to run, instead of --seed"),
];

/** `--adapter` and `--split`, where a RUN or a model is opened. */
export const TARGET_FLAGS: readonly Flag[] = [
  data("model", "ID|DIR", "a model instead of a RUN"),
  data("adapter", "DIR", "with --model: an adapter in peft's or AdapterHub's format"),
];

export const SPLIT_FLAG = data("split", "NAME", "train, dev or test; MNLI: dev-matched, dev-mismatched");

export const SPARSE_FLAG = answers(
  "sparse-decoding",
  null,
  "write by the rows of active neurons, where that pays here; for --batch-size 1",
);

/** What `deft predict` reads. */
export const PREDICT_FLAGS: readonly Flag[] = [
  define("Input")("text", "TEXT", "one text"),
  define("Input")("pair", "TEXT", "with --text: the second text"),
  define("Input")("question", "TEXT", "a question, with --context"),
  define("Input")("context", "TEXT", "with --question: where the answer stands"),
  define("Input")("input", "FILE", "JSON lines with text and pair, or question and context; - is standard input"),
];

const compression = define("Compression");

/** The rules and budgets of `deft compress`. */
export const COMPRESS_FLAGS: readonly Flag[] = [
  compression("keep-neurons", "X", "share of each layer's MLP neurons that stays"),
  compression("keep-scope", "layer|global", "that share of each layer, or of all together as the logits ask for", {
    default: "layer",
  }),
  compression("threshold", "X", "remove neurons that never exceed this on the calibration data"),
  compression("skip", "3,7", "layers whose MLP is removed; of T5 encoder.3,decoder.7"),
  compression("gate-threshold", "X", "remove the MLPs whose learned gate is below X"),
  compression("count", "N", "remove the MLPs of N layers, the least missed first"),
  compression("score-budget", "X", "remove what costs at most X points of score, measured"),
  compression("latency-budget", "0.5x", "reach this share of the latency, measured here, at the least cost in score"),
  compression("plan", "FILE", "apply a plan made before"),
  compression("quantize", "none|int8|q4|qdq", "weights of the exported model", { default: "none" }),
  compression(
    "calibration-examples",
    "N",
    "training examples to take statistics from (long texts: fewer; --prune: 128)",
    {
      default: "512",
    },
  ),
  compression(
    "compensation",
    "refit|mean",
    "what makes up for neurons that go: the output fitted again to those that stay, or their mean",
    { default: "refit; on a pruned base mean" },
  ),
  compression("recovery-steps", "N", "steps of fine-tuning after removal", { default: "0" }),
  compression("recovery-method", "lora|full", "what they train, instead of the run's own method"),
  compression("recovery-rate", "X", "their learning rate, instead of the run's own (full: 5e-5)"),
  compression(
    "recovery-distillation",
    "X",
    "share of their loss that the dense model teaches (0.5; models that write: 0)",
  ),
  compression("decoding-budget", "X", "T5: decode by rows of active neurons, at thresholds that cost at most X points"),
  output("output", "DIR", "the compressed model's folder"),
];

/** Pruning by `deft compress`. */
export const PRUNE_FLAGS: readonly Flag[] = [
  compression("prune", "RECIPE", "make weights exact zeros: wanda:0.5, magnitude:0.5, wanda:2:4 (N of M stay)"),
  compression("prune-scope", "layer|global", "compare magnitudes in each layer, or over all", { default: "layer" }),
];

/** What `deft export` writes, and where. */
export const EXPORT_FLAGS: readonly Flag[] = [
  output("format", "NAME", "peft, adapters, merged or onnx"),
  output("quantize", "nf4|int8|int4", "merged: block matrices in few bits; the change in score is measured"),
  output("precision", "A,B", "onnx: some of fp32, int8, q4, qdq", { default: "fp32,int8" }),
  output("output", "DIR", "a new folder"),
];

/** What `deft bench` measures, and against whom. */
export const BENCH_FLAGS: readonly Flag[] = [
  run("precision", "A,B", "weights to measure each model with: fp32, int8, q4, qdq", { default: "fp32,int8" }),
  run("batches", "1,8,32", "batch sizes", { default: "1,8,32" }),
  run("rounds", "N", "counted rounds at batch 1; larger batches get fewer", { default: "40" }),
  run("new-tokens", "N", "tokens that a T5 is made to write for each text", { default: "32" }),
  run("peers", "A,B", "the first model in transformers.js (float32 and q8) and pytorch too, where installed"),
  run("peer-onnx", "DIR", "another tool's export of the first model, for transformers.js"),
];

/** `--output FILE` for commands that write one page. */
export const PAGE_FLAG = output("output", "FILE", "where the page goes");

/** The benchmark that `deft report` shows beside what was compressed. */
export const REPORT_BENCH_FLAG = output("bench", "FILE", "what deft bench --json printed, to show beside the scores");

/** The train flags with these names, in their order. */
export function trainFlags(...names: readonly SettingsKey[]): Flag[] {
  return TRAIN_FLAGS.filter((flag) => (names as readonly string[]).includes(flag.name));
}
