// A model's folder as transformers writes it: config.json, one weight file, the tokenizer; there whole or not at all.
import { type Tokenizer, writeTokenizer } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { type JsonObject, jsonText, writeFolder, writeSafetensors } from "../hub/index.ts";
import { factsOf } from "../models/index.ts";
import { type HeadKind, headRecord } from "../tasks/index.ts";
import { type Files, joinPath, type Weights } from "../tensor/index.ts";
import { finiteWeights } from "./not-finite.ts";

export interface ModelFolder {
  /** The model that it is made of: its tokenizer, and the folder that says how it writes. */
  readonly source: ModelSource;
  /** Tokens that texts are cut to; null: as the tokenizer says. */
  readonly maxLength: number | null;
  readonly config: JsonObject;
  /** By the names of the checkpoint; read one after the other while they are written. */
  readonly weights: Weights;
  /** Further files by name. */
  readonly also?: Readonly<Record<string, string>>;
}

/** What travels with a model besides config.json and weights. */
export interface ModelSource {
  readonly name: string;
  readonly folder: string;
  readonly tokenizer: Tokenizer;
}

const GENERATION_FILE = "generation_config.json";

/** Writes the tokenizer that a model is read with, and copies its settings of generation. */
export async function writeSmallFiles(
  files: Files,
  folder: string,
  { folder: from, tokenizer }: ModelSource,
  maxLength: number | null,
): Promise<void> {
  await writeTokenizer(files, folder, tokenizer, { maxLength });
  const generation = joinPath(from, GENERATION_FILE);
  if ((await files.stat(generation)) !== null)
    await files.write(joinPath(folder, GENERATION_FILE), await files.read(generation));
}

/**
 * Writes the folder beside its place, then renames it.
 * @throws {FileError} when the disk is full or refuses; nothing is left then.
 */
export async function writeModelFolder(
  files: Files,
  output: string,
  { source, maxLength, config, weights, also = {} }: ModelFolder,
): Promise<void> {
  await writeWhole(files, output, async (folder) => {
    await writeSmallFiles(files, folder, source, maxLength);
    for (const [name, text] of Object.entries(also)) await files.write(joinPath(folder, name), text);
    await files.write(joinPath(folder, "model.safetensors"), writeSafetensors(finiteWeights(source.name, weights)));
    await files.write(joinPath(folder, "config.json"), configText(config));
  });
}

/** Keys of config.json that transformers 5 takes as floats alone, or writes as such. @see transformers `T5Config`, `BertConfig` */
const CONFIG_FLOATS = [
  "attention_probs_dropout_prob",
  "classifier_dropout",
  "dropout_rate",
  "hidden_dropout_prob",
  "initializer_factor",
  "initializer_range",
  "layer_norm_eps",
  "layer_norm_epsilon",
];

/** The text of a config.json: what was copied keeps its number literals, and what transformers wants as a float is one. */
export function configText(config: JsonObject): string {
  return jsonText(config, { floats: CONFIG_FLOATS });
}

/** A folder that is there whole or not at all. */
export async function writeWhole(
  files: Files,
  output: string,
  write: (folder: string) => Promise<void>,
): Promise<void> {
  const path = output.replace(/\/+$/, "");
  const at = path.lastIndexOf("/") + 1;
  await writeFolder(files, `${path.slice(0, at)}.${path.slice(at)}.partial`, path, write);
}

/** @throws {ConfigError} when `--output` is missing, a file, or a folder with something in it. */
export async function checkNewFolder(files: Files, output: string): Promise<void> {
  const stat = await files.stat(output);
  if (stat === null) return;
  const content = stat.isFolder ? await files.list(output) : [];
  if (stat.isFolder && content.length === 0) return;
  const got = stat.isFolder ? `${output}, which holds ${content.slice(0, 3).join(", ")}` : `a file, ${output}`;
  throw new ConfigError([{ path: "--output", expected: "a new folder", got }]);
}

/** config.json of a model with this head: the base's, with the class that transformers loads it by and the classes' names. */
export function configWithHead(config: JsonObject, head: HeadKind, labels: readonly string[]): JsonObject {
  const { classPrefix } = factsOf(config);
  const { classNames, hf } = headRecord(head);
  // merged weights are float32, whatever the base was stored in
  const { dtype: _dtype, torch_dtype: _old, quantization_config: _quantized, ...rest } = config;
  const plain = { ...rest, dtype: "float32", architectures: [`${classPrefix}${hf.classSuffix}`] };
  const names = classNames(labels);
  if (names === null) return plain;
  const named = {
    ...plain,
    id2label: Object.fromEntries(names.map((label, i) => [String(i), label])),
    label2id: Object.fromEntries(names.map((label, i) => [label, i])),
  };
  if (hf.problemType !== null) return { ...named, problem_type: hf.problemType };
  // the base's own says nothing of this head
  const { problem_type: _problem, ...others } = named as JsonObject;
  return others;
}
