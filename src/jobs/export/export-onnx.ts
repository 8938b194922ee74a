// `deft export --format onnx`: a folder that Transformers.js loads, to classify texts, to answer questions or to write.

import { readTokenizerFiles, type TokenizerConfigJson, type TokenizerJson } from "../../data/index.ts";
import { UnsupportedError } from "../../errors.ts";
import type { Precision } from "../../export/index.ts";
import { type JsonObject, jsonText } from "../../hub/index.ts";
import type { RunOverrides, RunTarget } from "../../load/index.ts";
import { addPrefixSpace, checkNewFolder, type MergedModel, openMergedModel, writeWhole } from "../../load/index.ts";
import { maxSequenceLength, type T5Config } from "../../models/index.ts";
import type { FileLimits } from "../../onnx/index.ts";
import { numVirtualTokens } from "../../peft/index.ts";
import type { WeightQuantization } from "../../prune/index.ts";
import type { Environment } from "../../runs/index.ts";
import { DECODING_FILE, PLAN_FILES, readCompression } from "../../runs/index.ts";
import { type HeadKind, headRecord } from "../../tasks/index.ts";
import { type Files, joinPath, parentFolder } from "../../tensor/index.ts";
import { taskRanges } from "../compress/calibrate.ts";
import { ONNX_DTYPES, type OnnxFileOptions, type WrittenOnnx, writeOnnxFiles } from "./onnx-files.ts";

export interface OnnxExportOptions extends FileLimits {
  /** A new folder. */
  readonly output: string;
  /** Default: float32, and what the compression's plan asks for, or else int8. */
  readonly precisions?: readonly Precision[];
}

/** What was written. */
export interface OnnxExport {
  readonly output: string;
  readonly files: readonly { readonly precision: Precision; readonly path: string; readonly sizeBytes: number }[];
  /** How JavaScript loads it. */
  readonly loads: string;
}

/**
 * Writes config.json, the tokenizer and `onnx/`, whole or not at all; a compression's plan travels along.
 * @throws {ConfigError} when the folder is taken, or `qdq` has no texts to calibrate on; errors as `openMergedModel`.
 */
export async function exportOnnx(
  environment: Environment,
  target: RunTarget,
  { output, precisions, ...limits }: OnnxExportOptions,
  overrides: RunOverrides = {},
): Promise<OnnxExport> {
  const { files } = environment;
  await checkNewFolder(files, output);
  const frozen = await openMergedModel(environment, target, overrides, { keepsMethod: true });
  const compression = target.kind === "run" ? await readCompression(files, target.folder) : null;
  const wanted = precisions ?? defaultPrecisions(compression?.quantization);
  const ranges = wanted.includes("qdq") ? await taskRanges(environment, target, frozen, overrides) : undefined;
  let written: readonly WrittenOnnx[] = [];
  await writeWhole(files, output, async (folder) => {
    for (const name of [...PLAN_FILES, "compression.json", DECODING_FILE])
      if (compression !== null && target.kind === "run" && (await files.stat(joinPath(target.folder, name))) !== null)
        await files.write(joinPath(folder, name), await files.read(joinPath(target.folder, name)));
    written = await writeOnnxFolder(files, folder, frozen, wanted, { ...limits, ranges });
  });
  const made = written.map(({ precision, file, sizeBytes }) => ({ precision, path: `onnx/${file}`, sizeBytes }));
  return { output, files: made, loads: loadingLine(output, wanted, frozen.opened.head) };
}

/** Writes what Transformers.js loads: the tokenizer, `onnx/`, and last config.json, with generation_config.json where it writes. */
export async function writeOnnxFolder(
  files: Files,
  folder: string,
  frozen: MergedModel,
  precisions: readonly Precision[],
  options: OnnxFileOptions = {},
): Promise<readonly WrittenOnnx[]> {
  await writeTokenizer(files, frozen, folder);
  const written: WrittenOnnx[] = [];
  for (const precision of precisions)
    written.push(...(await writeOnnxFiles(files, joinPath(folder, "onnx"), frozen, precision, options)));
  await writeGeneration(files, frozen, folder);
  await files.write(joinPath(folder, "config.json"), jsonText(onnxConfig(frozen, written)));
  return written;
}

function defaultPrecisions(planned: WeightQuantization = "none"): readonly Precision[] {
  return ["fp32", planned === "none" ? "int8" : planned];
}

/** config.json with the number of files beside each model, and what a writer of texts is asked by name. */
function onnxConfig({ config, model, opened }: MergedModel, written: readonly WrittenOnnx[]): JsonObject {
  const external = written.flatMap(({ file, dataFiles }) => (dataFiles === 0 ? [] : [[file, dataFiles] as const]));
  return {
    ...config,
    ...(model.architecture === "encoder" ? {} : writingConfig(model.config, prefixOf(opened))),
    ...(external.length === 0
      ? {}
      : { "transformers.js_config": { use_external_data_format: Object.fromEntries(external) } }),
  };
}

/** What was put before every text when the model was tuned; its pipeline puts it there again. */
function prefixOf({ settings }: MergedModel["opened"]): string {
  return settings?.task === "seq2seq" ? settings.data.sourcePrefix : "";
}

/** Keys whose default transformers knows, and Transformers.js does not. */
function writingConfig(
  { numLayers, numDecoderLayers, numHeads, headDim, ...config }: T5Config,
  prefix: string,
): JsonObject {
  return {
    ...(prefix === "" ? {} : { prefix }),
    is_encoder_decoder: true,
    num_layers: numLayers,
    num_decoder_layers: numDecoderLayers,
    num_heads: numHeads,
    d_kv: headDim,
    ...specialIds(config),
  };
}

function specialIds({
  decoderStartTokenId,
  padTokenId,
  eosTokenIds,
}: Pick<T5Config, "decoderStartTokenId" | "padTokenId" | "eosTokenIds">): JsonObject {
  return {
    decoder_start_token_id: decoderStartTokenId,
    pad_token_id: padTokenId,
    eos_token_id: eosTokenIds.length === 1 ? eosTokenIds[0]! : eosTokenIds,
  };
}

/** generation_config.json of a model that writes: its own, or the ids that it cannot do without. */
async function writeGeneration(files: Files, { opened, model }: MergedModel, folder: string): Promise<void> {
  if (model.architecture === "encoder") return;
  const name = "generation_config.json";
  const own = joinPath(opened.base.folder, name);
  const stored = (await files.stat(own)) !== null;
  await files.write(joinPath(folder, name), stored ? await files.read(own) : jsonText(specialIds(model.config)));
}

function loadingLine(output: string, precisions: readonly Precision[], head: HeadKind): string {
  const folder = output.replace(/\/+$/, "");
  const [parent, name] = [parentFolder(folder), folder.slice(folder.lastIndexOf("/") + 1)];
  const dtype = ONNX_DTYPES[precisions.at(-1) ?? "fp32"];
  const { pipelineTag } = headRecord(head).hf;
  return `env.localModelPath = "${parent}"; await pipeline("${pipelineTag}", "${name}", { dtype: "${dtype}" })`;
}

const TOKENIZER_CLASSES: Readonly<Record<string, string>> = {
  bert: "BertTokenizer",
  roberta: "RobertaTokenizer",
  t5: "T5Tokenizer",
};

/** tokenizer.json as it is or made from the older files, and a tokenizer_config.json that names its class and length. */
async function writeTokenizer(files: Files, { opened, model }: MergedModel, folder: string): Promise<void> {
  const source = opened.base.folder;
  const { json, config } = await readTokenizerFiles(files, source);
  const own = joinPath(source, "tokenizer.json");
  const stored = (await files.stat(own)) !== null;
  const whole = { version: "1.0", truncation: null, padding: null, ...json };
  await files.write(
    joinPath(folder, "tokenizer.json"),
    stored ? await files.read(own) : JSON.stringify(whole, null, 2),
  );
  await files.write(
    joinPath(folder, "tokenizer_config.json"),
    jsonText({ ...specialTokens(json, opened), ...tokenizerConfig(config, opened, model) }),
  );
  if (opened.base.tokenizer.addsPrefixSpace) await addPrefixSpace(files, folder);
}

/** The tokens with a role by their content: what pads a batch is looked up here. */
function specialTokens({ added_tokens: added }: TokenizerJson, { base }: MergedModel["opened"]): JsonObject {
  return Object.fromEntries(
    Object.entries(base.tokenizer.special).flatMap(([role, id]) => {
      const token = added.find((one) => one.id === id);
      return token === undefined ? [] : [[`${role}_token`, token.content]];
    }),
  );
}

function tokenizerConfig(
  config: TokenizerConfigJson,
  { base, method }: MergedModel["opened"],
  { config: model }: MergedModel["model"],
): JsonObject {
  const known = TOKENIZER_CLASSES[model.modelType];
  if (known === undefined)
    throw new UnsupportedError(`exporting ${model.modelType} to ONNX`, Object.keys(TOKENIZER_CLASSES));
  // virtual tokens have positions of their own, which the text cannot have
  const positions = maxSequenceLength(model) - numVirtualTokens(method.settings);
  const length = Math.min(base.tokenizer.maxLength ?? Number.POSITIVE_INFINITY, positions);
  return {
    ...config,
    tokenizer_class: typeof config.tokenizer_class === "string" ? config.tokenizer_class : known,
    ...(Number.isFinite(length) ? { model_max_length: length } : {}),
  };
}
