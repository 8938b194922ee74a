// A tiny random encoder and a small data set that it can learn, written into a folder by our own code alone.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { safetensorsBytes } from "../../src/hub/index.ts";
import { encoderModel } from "../../src/models/index.ts";
import { headOnly, isHead } from "../../src/peft/index.ts";
import { buildTaskGraph } from "../../src/tasks/index.ts";
import { randomStream, type Tensor, zeros } from "../../src/tensor/index.ts";

export interface TinyModelOptions {
  /** Any encoder's; "bert" by default. */
  readonly modelType?: string;
  readonly hiddenSize?: number;
  readonly numLayers?: number;
  readonly positions?: number;
  /** Classes of the head that the checkpoint holds; 0: no head. */
  readonly headLabels?: number;
  readonly seed?: number;
  /** Laid over config.json. */
  readonly config?: Readonly<Record<string, unknown>>;
}

const GOOD = ["bright", "funny", "gripping", "lovely", "sharp", "tender"];
const BAD = ["clumsy", "dull", "flat", "grating", "stale", "tired"];
const FILLERS = ["a", "and", "film", "in", "is", "it", "of", "one", "plot", "story", "the", "with"];
/** Types of models with BERT's tokenizer, whose padding is id 0; the others here have RoBERTa's, whose padding is id 1. */
const WORD_PIECE = ["bert", "distilbert", "electra"];
const LETTERS = Array.from("abcdefghijklmnopqrstuvwxyz0123456789.,!?'\"-");

/** Writes config.json, model.safetensors and a tokenizer; gives the parameters. */
export async function writeTinyModel(folder: string, options: TinyModelOptions = {}): Promise<Map<string, Tensor>> {
  const { modelType = "bert" } = options;
  const tokenizer = WORD_PIECE.includes(modelType) ? wordPieceFiles() : byteLevelFiles();
  const config = tinyConfig(options, tokenizer.vocabSize);
  const parameters = tinyParameters(config, options);
  await writeFiles(folder, {
    "config.json": JSON.stringify({ ...config, ...options.config }, null, 2),
    "model.safetensors": safetensorsBytes(parameters),
    ...tokenizer.files,
    // of its own XLM-RoBERTa has another
    ...(modelType === "xlm-roberta"
      ? { "tokenizer_config.json": JSON.stringify({ tokenizer_class: "RobertaTokenizer" }) }
      : {}),
  });
  return parameters;
}

/** Writes files by path below a folder, which is made. */
export async function writeFiles(folder: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** Sentences whose label is that of the one telling word in them: 0 or 1, in turn. */
export function tinyExamples(count: number, seed = 1): { readonly text: string; readonly label: number }[] {
  const random = randomStream(seed, "examples");
  const pick = (words: readonly string[]) => words[random.integer(words.length)]!;
  return Array.from({ length: count }, (_, i) => {
    const label = i % 2;
    const fillers = Array.from({ length: 2 + random.integer(9) }, () => pick(FILLERS));
    fillers.splice(random.integer(fillers.length + 1), 0, pick(label === 1 ? GOOD : BAD));
    return { text: fillers.join(" "), label };
  });
}

/** `train.tsv` and `dev.tsv` in SST-2's layout. */
export async function writeTinySst2(folder: string, { train = 96, dev = 32 } = {}): Promise<void> {
  const table = (examples: ReturnType<typeof tinyExamples>) =>
    ["sentence\tlabel", ...examples.map(({ text, label }) => `${text}\t${label}`), ""].join("\n");
  await writeFiles(folder, { "train.tsv": table(tinyExamples(train)), "dev.tsv": table(tinyExamples(dev, 2)) });
}

/** `train.tsv` and `dev.tsv` in STS-B's layout: alike when both sentences have a telling word of one kind. */
export async function writeTinyStsb(folder: string, { train = 96, dev = 32 } = {}): Promise<void> {
  const header = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore";
  const table = (pairs: ReturnType<typeof tinyPairs>) => {
    const rows = pairs.map(({ first, second, isAlike }, i) =>
      [i, "g", "f", "y", i, "s", "s", first, second, isAlike ? 4.5 : 0.5].join("\t"),
    );
    return [header, ...rows, ""].join("\n");
  };
  await writeFiles(folder, { "train.tsv": table(tinyPairs(train, 1)), "dev.tsv": table(tinyPairs(dev, 2)) });
}

/** `train.tsv` and `dev.tsv` in RTE's layout. */
export async function writeTinyRte(folder: string, { train = 96, dev = 32 } = {}): Promise<void> {
  const table = (pairs: ReturnType<typeof tinyPairs>) => {
    const rows = pairs.map(({ first, second, isAlike }, i) =>
      [i, first, second, isAlike ? "entailment" : "not_entailment"].join("\t"),
    );
    return ["index\tsentence1\tsentence2\tlabel", ...rows, ""].join("\n");
  };
  await writeFiles(folder, { "train.tsv": table(tinyPairs(train, 1)), "dev.tsv": table(tinyPairs(dev, 2)) });
}

function tinyPairs(count: number, seed: number) {
  const firsts = tinyExamples(count, seed);
  const seconds = randomStream(seed, "pairs").shuffle(tinyExamples(count, seed + 100));
  return firsts.map(({ text, label }, i) => ({
    first: text,
    second: seconds[i]!.text,
    isAlike: label === seconds[i]!.label,
  }));
}

function tinyConfig(
  { modelType = "bert", hiddenSize = 16, numLayers = 2, headLabels = 0, positions = 66 }: TinyModelOptions,
  vocabSize: number,
) {
  return {
    model_type: modelType,
    vocab_size: vocabSize,
    hidden_size: hiddenSize,
    num_hidden_layers: numLayers,
    num_attention_heads: 2,
    intermediate_size: 2 * hiddenSize,
    hidden_act: "gelu",
    max_position_embeddings: positions,
    type_vocab_size: WORD_PIECE.includes(modelType) ? 2 : 1,
    pad_token_id: WORD_PIECE.includes(modelType) ? 0 : 1,
    layer_norm_eps: 1e-5,
    ...OWN_KEYS[modelType]?.(hiddenSize, numLayers),
    ...(headLabels > 0
      ? { id2label: Object.fromEntries(Array.from({ length: headLabels }, (_, i) => [i, `class ${i}`])) }
      : {}),
  };
}

/** What types of models say otherwise. */
const OWN_KEYS: Readonly<Record<string, (hiddenSize: number, numLayers: number) => object>> = {
  distilbert: (dim, n_layers) => ({ dim, n_layers, n_heads: 2, hidden_dim: 2 * dim, activation: "gelu" }),
  electra: (hiddenSize) => ({ embedding_size: hiddenSize - 4 }),
  modernbert: () => ({ local_attention: 8, bos_token_id: 0, cls_token_id: 0, eos_token_id: 2, sep_token_id: 2 }),
};

function tinyParameters(
  config: ReturnType<typeof tinyConfig>,
  { headLabels = 0, seed = 1 }: TinyModelOptions,
): Map<string, Tensor> {
  const head = { kind: "classification", numLabels: headLabels || 2 } as const;
  const { parameters } = buildTaskGraph({ model: encoderModel(config), method: headOnly(), head });
  const stored = parameters.filter((spec) => headLabels > 0 || !isHead(spec));
  return new Map(
    stored.map(({ name, shape }) => {
      const value = zeros("float32", shape);
      const data = value.data as Float32Array;
      const random = randomStream(seed, name);
      const isGain = /norm\.weight$/i.test(name);
      // wide enough that the layers do something, unlike training's usual 0.02
      for (let i = 0; i < data.length; i++) data[i] = isGain ? 1 : random.normal() * 0.2;
      return [name, value];
    }),
  );
}

function wordPieceFiles() {
  const words = [...GOOD, ...BAD, ...FILLERS].filter((word) => word.length > 1);
  const vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...LETTERS, ...LETTERS.map((c) => `##${c}`), ...words];
  return { vocabSize: vocab.length, files: { "vocab.txt": `${vocab.join("\n")}\n` } };
}

function byteLevelFiles() {
  // lower-case ASCII is enough for the data here; a byte outside it is an unknown token
  const letters = [...LETTERS, "Ġ"];
  const merges = ["Ġ t", "h e", "Ġt he", "i n", "a n", "Ġ f", "i s", "Ġ i", "Ġ o"];
  const vocab = [
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    ...letters,
    ...merges.map((merge) => merge.replace(" ", "")),
    "<mask>",
  ];
  const files = {
    "vocab.json": JSON.stringify(Object.fromEntries(vocab.map((token, id) => [token, id]))),
    "merges.txt": ["#version: 0.2", ...merges, ""].join("\n"),
  };
  return { vocabSize: vocab.length, files };
}
