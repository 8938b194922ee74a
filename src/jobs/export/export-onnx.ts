// `deft export --format onnx`: a folder that Transformers.js loads, to classify texts, to answer questions or to write.
import { readOtherwise, writeTokenizer } from "../../data/index.ts";
import type { Precision } from "../../export/index.ts";
import { type JsonObject, jsonText } from "../../hub/index.ts";
import {
  checkNewFolder,
  configText,
  finiteWeights,
  type MergedModel,
  type OpenedTarget,
  openMergedModel,
  type RunOverrides,
  type RunTarget,
  writeWhole,
} from "../../load/index.ts";
import type { T5Config } from "../../models/index.ts";
import type { FileLimits } from "../../onnx/index.ts";
import type { WeightQuantization } from "../../prune/index.ts";
import { DECODING_FILE, type Environment, PLAN_FILES, readCompression } from "../../runs/index.ts";
import { type HeadKind, headRecord } from "../../tasks/index.ts";
import { type Files, joinPath, parentFolder } from "../../tensor/index.ts";
import { taskRanges } from "../compress/calibrate.ts";
import { exportedLength } from "./exported-length.ts";
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
  /** What a person should know of it. */
  readonly notes: readonly string[];
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
  const opened = await openMergedModel(environment, target, overrides, { keepsMethod: true });
  const frozen = { ...opened, weights: finiteWeights(opened.opened.base.name, opened.weights) };
  const compression = target.kind === "run" ? await readCompression(files, target.folder) : null;
  const wanted = precisions ?? defaultPrecisions(compression?.quantization);
  const ranges = wanted.includes("qdq") ? await taskRanges(environment, target, frozen) : undefined;
  let written: readonly WrittenOnnx[] = [];
  await writeWhole(files, output, async (folder) => {
    for (const name of [...PLAN_FILES, "compression.json", DECODING_FILE])
      if (compression !== null && target.kind === "run" && (await files.stat(joinPath(target.folder, name))) !== null)
        await files.write(joinPath(folder, name), await files.read(joinPath(target.folder, name)));
    written = await writeOnnxFolder(files, folder, frozen, wanted, { ...limits, ranges });
  });
  const made = written.map(({ precision, file, sizeBytes }) => ({ precision, path: `onnx/${file}`, sizeBytes }));
  const loads = loadingLine(output, wanted, frozen.opened.head);
  return { output, files: made, loads, notes: tokenizerNotes(frozen.opened) };
}

/** Writes what Transformers.js loads: the tokenizer, `onnx/`, and last config.json, with generation_config.json where it writes. */
export async function writeOnnxFolder(
  files: Files,
  folder: string,
  frozen: MergedModel,
  precisions: readonly Precision[],
  options: OnnxFileOptions = {},
): Promise<readonly WrittenOnnx[]> {
  const maxLength = exportedLength(frozen.opened);
  await writeTokenizer(files, folder, frozen.opened.base.tokenizer, { maxLength, forTransformersJs: true });
  const written: WrittenOnnx[] = [];
  for (const precision of precisions)
    written.push(...(await writeOnnxFiles(files, joinPath(folder, "onnx"), frozen, precision, options)));
  await writeGeneration(files, frozen, folder);
  await files.write(joinPath(folder, "config.json"), configText(onnxConfig(frozen, written)));
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
    ...(model.writes ? writingConfig(model.config, prefixOf(opened)) : {}),
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
  if (!model.writes) return;
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

/** Where Transformers.js reads texts otherwise than the model was given them here. */
function tokenizerNotes({ base: { tokenizer }, head }: OpenedTarget): string[] {
  const { texts } = readOtherwise(tokenizer);
  const { tokenizer_class: name } = tokenizer.files.config;
  const pair = tokenizer.join([0], [0]).typeIds;
  const segments = `Transformers.js gives a ${String(name)} no segments: ask for them, { return_token_type_ids: true }, with pairs of texts`;
  return [
    ...(texts === null ? ["Transformers.js cannot open this tokenizer.json: use another tokenizer in JavaScript"] : []),
    ...(texts === null || texts.length === 0
      ? []
      : [
          `Transformers.js makes other tokens of some texts than the model was given here, such as ${texts
            .slice(0, 3)
            .map((text) => JSON.stringify(text))
            .join(", ")}`,
        ]),
    ...(name === WRITTEN_AS_STORED && pair.includes(1) && !headRecord(head).writes ? [segments] : []),
  ];
}

const WRITTEN_AS_STORED = "PreTrainedTokenizerFast";
