// A frozen model's ONNX files, named as Transformers.js looks for them.
import { deployEncoder, deployGraph, type Precision, textDecoderGraph, textEncoderGraph } from "../../export/index.ts";
import { gatheredProjection, withRowsByNeuron } from "../../infer/index.ts";
import { inferenceOf, type MergedModel, requireEncoder } from "../../load/index.ts";
import { compose, none } from "../../nn/index.ts";
import { deployedFiles, type FileLimits, type StaticRanges, type StoredModel } from "../../onnx/index.ts";
import { type Files, joinPath } from "../../tensor/index.ts";

/** What Transformers.js calls each precision. */
export const ONNX_DTYPES: Readonly<Record<Precision, string>> = {
  fp32: "fp32",
  int8: "q8",
  q4: "q4",
  qdq: "int8",
};
const SUFFIXES: Readonly<Record<Precision, string>> = { fp32: "", int8: "_quantized", q4: "_q4", qdq: "_int8" };

/** An encoder's file, or an encoder–decoder's two: the encoder and the decoder. */
export const ONNX_STEMS = { encoder: ["model"], "encoder-decoder": ["encoder_model", "decoder_model_merged"] } as const;
export type OnnxStem = (typeof ONNX_STEMS)["encoder" | "encoder-decoder"][number];

/** `model_quantized.onnx` for `model` in int8. */
export function onnxFile(stem: OnnxStem, precision: Precision): string {
  return `${stem}${SUFFIXES[precision]}.onnx`;
}

/** One written model with the files beside it. */
export interface WrittenOnnx {
  readonly precision: Precision;
  /** In the folder that was written to. */
  readonly file: string;
  /** Of all its files. */
  readonly sizeBytes: number;
  /** How many files lie beside it. */
  readonly dataFiles: number;
}

/** How files are written; `ranges` of activations, which `qdq` needs. */
export interface OnnxFileOptions extends FileLimits {
  readonly ranges?: StaticRanges | undefined;
}

/**
 * Writes a model's ONNX files into `folder`, one weight after the other.
 * @throws {UnsupportedError} for `qdq` of what is no encoder.
 */
export async function writeOnnxFiles(
  files: Files,
  folder: string,
  frozen: MergedModel,
  precision: Precision,
  { ranges, ...limits }: OnnxFileOptions = {},
): Promise<WrittenOnnx[]> {
  const written: WrittenOnnx[] = [];
  for (const [stem, model] of modelsOf(frozen, precision, ranges)) {
    const file = onnxFile(stem, precision);
    const made = deployedFiles(model, file, limits);
    const all = [made.model, ...made.data];
    for (const { name, chunks } of all) await files.write(joinPath(folder, name), chunks());
    const sizeBytes = all.reduce((sum, part) => sum + part.sizeBytes, 0);
    written.push({ precision, file, sizeBytes, dataFiles: made.data.length });
  }
  return written;
}

function modelsOf(frozen: MergedModel, precision: Precision, ranges?: StaticRanges): [OnnxStem, StoredModel][] {
  const { model, config, weights, opened, beside } = frozen;
  if (precision === "qdq") requireEncoder(frozen, "qdq");
  if (!model.writes || precision === "qdq")
    return [["model", deployEncoder(inferenceOf(config, beside), weights, precision, ranges)]];
  // rows of matrices in few bits are restored one by one, and gain nothing
  const layers = precision === "fp32" ? (opened.decoding?.layers ?? []) : [];
  const gathered = layers.filter(({ isGathered }) => isGathered);
  const own = beside?.method.hooks ?? none;
  const encoder = textEncoderGraph(model, own);
  const read = encoder.last_hidden_state.shape[1]!;
  const decoder = textDecoderGraph(model, { hooks: compose(own, gatheredProjection(gathered)), read });
  return [
    ["encoder_model", deployGraph({ ...encoder }, weights, precision)],
    ["decoder_model_merged", deployGraph(decoder, withRowsByNeuron(model, weights, gathered), precision)],
  ];
}
