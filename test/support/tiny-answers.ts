// A tiny random T5, and small data sets whose answers stand in the text, written into a folder by our own code alone.
import { safetensorsBytes } from "../../src/hub/index.ts";
import { anyModel } from "../../src/models/index.ts";
import { headOnly } from "../../src/peft/index.ts";
import { buildTaskGraph } from "../../src/tasks/index.ts";
import { randomStream, zeros } from "../../src/tensor/index.ts";
import { tinyExamples, writeFiles } from "./tiny-model.ts";

const TELLING = [
  "bright",
  "funny",
  "gripping",
  "lovely",
  "sharp",
  "tender",
  "clumsy",
  "dull",
  "flat",
  "stale",
  "tired",
];
const WORDS = [
  ...TELLING,
  "grating",
  ..."a and film in is it of one plot story the with what question: context: say:".split(" "),
];

export interface TinyT5Options {
  readonly seed?: number;
  /** Laid over config.json. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The size of a matrix's numbers; 0.2 by default. */
  readonly sizeOf?: (name: string, shape: readonly number[]) => number;
}

/** Writes config.json, model.safetensors and a Unigram tokenizer of the words of `tinyExamples`. */
export async function writeTinyT5(
  folder: string,
  { seed = 1, config: over = {}, sizeOf = () => 0.2 }: TinyT5Options = {},
): Promise<void> {
  const pieces = ["<pad>", "</s>", "<unk>", "▁", ...WORDS.map((word) => `▁${word}`)];
  const config = {
    model_type: "t5",
    vocab_size: pieces.length,
    d_model: 16,
    d_kv: 8,
    d_ff: 32,
    num_layers: 2,
    num_decoder_layers: 2,
    num_heads: 2,
    relative_attention_num_buckets: 8,
    relative_attention_max_distance: 20,
    feed_forward_proj: "relu",
    dropout_rate: 0,
    pad_token_id: 0,
    eos_token_id: 1,
    decoder_start_token_id: 0,
    tie_word_embeddings: false,
    ...over,
  };
  const stored = new Set(config.tie_word_embeddings ? [] : ["lm_head.weight"]);
  const { parameters } = buildTaskGraph({
    model: anyModel(config, "config.json", stored),
    method: headOnly(),
    head: { kind: "language-model" },
  });
  const tensors = parameters.map(({ name, shape }) => {
    const value = zeros("float32", shape);
    const data = value.data as Float32Array;
    const random = randomStream(seed, name);
    const size = sizeOf(name, shape);
    for (let i = 0; i < data.length; i++) data[i] = name.endsWith("layer_norm.weight") ? 1 : random.normal() * size;
    return [name, value] as const;
  });
  await writeFiles(folder, {
    "config.json": JSON.stringify(config),
    "model.safetensors": safetensorsBytes(new Map(tensors)),
    "tokenizer.json": JSON.stringify(unigram(pieces)),
    "tokenizer_config.json": JSON.stringify({ pad_token: "<pad>", eos_token: "</s>", unk_token: "<unk>" }),
  });
}

function unigram(pieces: readonly string[]) {
  const end = { SpecialToken: { id: "</s>", type_id: 0 } };
  const text = (id: "A" | "B") => ({ Sequence: { id, type_id: 0 } });
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: pieces.slice(0, 3).map((content, id) => ({ id, content, ...plain })),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [{ type: "WhitespaceSplit" }, { type: "Metaspace", replacement: "▁", prepend_scheme: "always" }],
    },
    post_processor: {
      type: "TemplateProcessing",
      single: [text("A"), end],
      pair: [text("A"), end, text("B"), end],
      special_tokens: { "</s>": { id: "</s>", ids: [1], tokens: ["</s>"] } },
    },
    decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always" },
    model: { type: "Unigram", unk_id: 2, vocab: pieces.map((piece, id) => [piece, id < 3 ? 0 : -2]) },
  };
}

/** A text, and the one telling word in it. */
function telling(count: number, seed: number): { readonly text: string; readonly word: string }[] {
  return tinyExamples(count, seed).map(({ text }) => {
    const word = text.split(" ").find((w) => TELLING.includes(w) || w === "grating")!;
    return { text, word };
  });
}

/** SQuAD's JSON: which word of the context tells; with `impossible`, every third context has none and says so. */
export function tinySquad(count: number, seed: number, { impossible = false } = {}): string {
  const paragraphs = telling(count, seed).map(({ text, word }, i) => {
    const isImpossible = impossible && i % 3 === 0;
    const words = text.split(" ");
    const context = isImpossible ? words.map((w) => (w === word ? "film" : w)).join(" ") : text;
    const answers = isImpossible ? [] : [{ text: word, answer_start: wordStart(words, word) }];
    const qa = { id: `${seed}-${i}`, question: "what is it", answers };
    return { context, qas: [impossible ? { ...qa, is_impossible: isImpossible } : qa] };
  });
  return JSON.stringify({ version: impossible ? "v2.0" : "1.1", data: [{ title: "t", paragraphs }] });
}

function wordStart(words: readonly string[], word: string): number {
  return words.slice(0, words.indexOf(word)).reduce((sum, w) => sum + w.length + 1, 0);
}

/** JSON lines with `source` and `target`: the telling word of the text. */
export function tinySeq2seq(count: number, seed: number): string {
  return telling(count, seed)
    .map(({ text, word }) => JSON.stringify({ source: text, target: word }))
    .join("\n");
}
