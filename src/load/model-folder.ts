// A model's folder as transformers writes it: config.json, one weight file, the tokenizer; there whole or not at all.
import type { Tokenizer } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { type JsonObject, jsonText, writeSafetensors } from "../hub/index.ts";
import { type HeadKind, headRecord } from "../tasks/index.ts";
import { type Files, joinPath, type Weights } from "../tensor/index.ts";
import { writeFolder } from "../train/index.ts";
import { copySmallFiles } from "./tokenizer-copy.ts";

export interface ModelFolder {
  /** The folder whose tokenizer and other small files are copied. */
  readonly source: string;
  /** As the model reads; absent: as the folder's own. */
  readonly tokenizer?: Tokenizer;
  readonly config: JsonObject;
  /** By the names of the checkpoint; read one after the other while they are written. */
  readonly weights: Weights;
  /** Further files by name. */
  readonly also?: Readonly<Record<string, string>>;
}

/**
 * Writes the folder beside its place, then renames it.
 * @throws {FileError} when the disk is full or refuses; nothing is left then.
 */
export async function writeModelFolder(
  files: Files,
  output: string,
  { source, tokenizer, config, weights, also = {} }: ModelFolder,
): Promise<void> {
  await writeWhole(files, output, async (folder) => {
    await copySmallFiles(files, source, folder, tokenizer);
    for (const [name, text] of Object.entries(also)) await files.write(joinPath(folder, name), text);
    await files.write(joinPath(folder, "model.safetensors"), writeSafetensors(weights));
    await files.write(joinPath(folder, "config.json"), jsonText(config));
  });
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

/** What the names of transformers' classes begin with, by model type. */
export const CLASS_PREFIX: Readonly<Record<string, string>> = { bert: "Bert", roberta: "Roberta", t5: "T5" };

/** config.json of a model with this head: the base's, with the class that transformers loads it by and the classes' names. */
export function configWithHead(config: JsonObject, head: HeadKind, labels: readonly string[]): JsonObject {
  const prefix = CLASS_PREFIX[String(config.model_type)] ?? "";
  const { classNames, hf } = headRecord(head);
  // merged weights are float32, whatever the base was stored in
  const { dtype: _dtype, torch_dtype: _old, quantization_config: _quantized, ...rest } = config;
  const plain = { ...rest, dtype: "float32", architectures: [`${prefix}${hf.classSuffix}`] };
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
