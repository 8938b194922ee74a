// `deft export --format onnx`: a folder that Transformers.js loads, to classify texts or to answer questions.
import { deploy, deployedFiles, type Precision, type Quantization } from "../compress/index.ts";
import { readTokenizerFiles, type TokenizerConfigJson, type TokenizerJson } from "../data/index.ts";
import { UnsupportedError } from "../errors.ts";
import { type JsonObject, jsonText } from "../hub/index.ts";
import type { HeadKind } from "../infer/index.ts";
import { maxSequenceLength } from "../models/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";
import type { Environment, RunOverrides, RunTarget } from "../workflow/index.ts";
import { readCompression } from "../workflow/index.ts";
import { taskRanges } from "./calibrating.ts";
import { type FrozenModel, inferenceOf, openFrozen, requireEncoder } from "./frozen-model.ts";
import { checkNewFolder, writeWhole } from "./model-folder.ts";

/** File of each precision, as Transformers.js names them by `dtype`. */
export const ONNX_FILES: Readonly<Record<Precision, string>> = {
  fp32: "model.onnx",
  int8: "model_quantized.onnx",
  q4: "model_q4.onnx",
  qdq: "model_int8.onnx",
};
/** What Transformers.js calls each precision. */
export const ONNX_DTYPES: Readonly<Record<Precision, string>> = {
  fp32: "fp32",
  int8: "q8",
  q4: "q4",
  qdq: "int8",
};

export interface OnnxExportOptions {
  /** A new folder. */
  readonly output: string;
  /** Default: float32, and what the compression's plan asks for, or else int8. */
  readonly precisions?: readonly Precision[];
  /** Most bytes of weights inside a model file; the rest goes beside it. */
  readonly inlineLimit?: number;
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
 * @throws {ConfigError} when the folder is taken, or `qdq` has no texts to calibrate on; errors as `openFrozen`.
 */
export async function exportOnnx(
  environment: Environment,
  target: RunTarget,
  { output, precisions, inlineLimit }: OnnxExportOptions,
  overrides: RunOverrides = {},
): Promise<OnnxExport> {
  const { files } = environment;
  await checkNewFolder(files, output);
  const frozen = await openFrozen(environment, target, overrides);
  requireEncoder(frozen, "ONNX export");
  const compression = target.kind === "run" ? await readCompression(files, target.folder) : null;
  const wanted = precisions ?? defaultPrecisions(compression?.quantization);
  const ranges = wanted.includes("qdq") ? await taskRanges(environment, target, frozen, overrides) : undefined;
  const written: { precision: Precision; path: string; sizeBytes: number }[] = [];
  await writeWhole(files, output, async (folder) => {
    await writeTokenizer(files, frozen, folder);
    const external: Record<string, number> = {};
    for (const precision of wanted) {
      const name = ONNX_FILES[precision];
      const model = await deploy(inferenceOf(frozen.config), frozen.weights, precision, ranges);
      const made = deployedFiles(model, `${name}_data`, inlineLimit);
      const path = `onnx/${name}`;
      await files.write(joinPath(folder, path), made.model);
      const beside = made.data?.reduce((sum, { length }) => sum + length, 0) ?? 0;
      if (made.data !== null) {
        await files.write(joinPath(folder, `${path}_data`), chunks(made.data));
        external[name] = 1;
      }
      written.push({ precision, path, sizeBytes: made.model.length + beside });
    }
    for (const name of ["plan.json", "compression.json"])
      if (compression !== null && target.kind === "run")
        await files.write(joinPath(folder, name), await files.read(joinPath(target.folder, name)));
    await files.write(joinPath(folder, "config.json"), jsonText(onnxConfig(frozen.config, external)));
  });
  return { output, files: written, loads: loadingLine(output, wanted, frozen.opened.head.kind) };
}

function defaultPrecisions(planned: Quantization = "none"): readonly Precision[] {
  return ["fp32", planned === "none" ? "int8" : planned];
}

async function* chunks(data: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of data) yield chunk;
}

function onnxConfig(config: JsonObject, external: Readonly<Record<string, number>>): JsonObject {
  if (Object.keys(external).length === 0) return config;
  return { ...config, "transformers.js_config": { use_external_data_format: external } };
}

function loadingLine(output: string, precisions: readonly Precision[], head: HeadKind["kind"]): string {
  const folder = output.replace(/\/+$/, "");
  const [parent, name] = [folder.slice(0, folder.lastIndexOf("/")) || ".", folder.slice(folder.lastIndexOf("/") + 1)];
  const dtype = ONNX_DTYPES[precisions.at(-1) ?? "fp32"];
  const task = head === "span" ? "question-answering" : "text-classification";
  return `env.localModelPath = "${parent}"; await pipeline("${task}", "${name}", { dtype: "${dtype}" })`;
}

const TOKENIZER_CLASSES: Readonly<Record<string, string>> = { bert: "BertTokenizer", roberta: "RobertaTokenizer" };

/** tokenizer.json as it is or made from the older files, and a tokenizer_config.json that names its class and length. */
async function writeTokenizer(files: Files, { opened, model }: FrozenModel, folder: string): Promise<void> {
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
}

/** The tokens with a role by their content: what pads a batch is looked up here. */
function specialTokens({ added_tokens: added }: TokenizerJson, { base }: FrozenModel["opened"]): JsonObject {
  return Object.fromEntries(
    Object.entries(base.tokenizer.special).flatMap(([role, id]) => {
      const token = added.find((one) => one.id === id);
      return token === undefined ? [] : [[`${role}_token`, token.content]];
    }),
  );
}

function tokenizerConfig(
  config: TokenizerConfigJson,
  { base }: FrozenModel["opened"],
  { config: model }: FrozenModel["model"],
): JsonObject {
  const known = TOKENIZER_CLASSES[model.modelType];
  if (known === undefined)
    throw new UnsupportedError(`exporting ${model.modelType} to ONNX`, Object.keys(TOKENIZER_CLASSES));
  const { tokenizer } = base;
  const length = maxSequenceLength(model);
  return {
    ...config,
    tokenizer_class: typeof config.tokenizer_class === "string" ? config.tokenizer_class : known,
    model_max_length: Math.min(tokenizer.maxLength ?? length, length),
  };
}
