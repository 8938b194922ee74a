// The models of a benchmark as files: ours deployed, exports as they are, the first one in the form its peers read.
import {
  type Arithmetic,
  arithmeticOf,
  deploy,
  deployedFiles,
  type Precision,
  type StaticRanges,
} from "../compress/index.ts";
import type { EncodedExamples } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { parseJson } from "../hub/index.ts";
import { type EncoderConfig, parseEncoderConfig } from "../models/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";
import type { Environment, RunOverrides, RunTarget } from "../workflow/index.ts";
import { readRun } from "../workflow/index.ts";
import type { BenchJob, BenchOptions } from "./benchmarking.ts";
import { taskRanges } from "./calibrating.ts";
import { openCompressData } from "./compress-data.ts";
import { ONNX_FILES } from "./exporting-onnx.ts";
import { type FrozenModel, inferenceOf, openFrozen, requireEncoder, writePlainModel } from "./frozen-model.ts";

/** One model of a benchmark. */
export interface Entry {
  readonly run: string;
  readonly job: BenchJob;
  readonly fileBytes: number;
  readonly estimate: Arithmetic | null;
}

/** Every model as a file, the dense one first, and the texts. */
export async function prepareModels(
  environment: Environment,
  options: BenchOptions,
  overrides: RunOverrides,
  folder: string,
): Promise<{ entries: Entry[]; examples: EncodedExamples; split: string }> {
  const { files } = environment;
  const entries: Entry[] = [];
  let texts: Texts | null = null;
  for (const [i, name] of options.targets.entries()) {
    if ((await files.stat(joinPath(name, "onnx"))) !== null) {
      entries.push(...(await onnxEntries(files, name, options)));
      continue;
    }
    const target = await targetOf(files, name);
    const frozen = await openFrozen(environment, target, overrides);
    const { config } = requireEncoder(frozen, "deft bench");
    texts ??= await openTexts(environment, frozen, overrides);
    const density = await densityOf(files, target);
    const length = Math.round(texts.examples.totalTokens / texts.examples.count);
    const ranges = options.precisions.includes("qdq")
      ? await taskRanges(environment, target, frozen, overrides)
      : undefined;
    for (const precision of options.precisions) {
      const path = joinPath(folder, `${i}`, "onnx", ONNX_FILES[precision]);
      const fileBytes = await writeDeployed(files, frozen, precision, path, ranges);
      const estimate = arithmeticOf(config, {
        length,
        precision,
        ...(density === null ? {} : { density }),
      });
      const job = { engine: "onnxruntime", path, precision, threads: options.threads } as const;
      entries.push({ run: name, job, fileBytes, estimate });
    }
    if (i === 0) entries.push(...(await peerEntries(files, frozen, name, options, joinPath(folder, "peers"))));
  }
  if (texts === null)
    throw new ConfigError([
      {
        path: "RUN",
        expected: "a run or model among the folders, whose texts are read",
        got: "exported folders alone",
      },
    ]);
  return { entries, ...texts };
}

interface Texts {
  readonly examples: EncodedExamples;
  readonly split: string;
}

async function openTexts(environment: Environment, frozen: FrozenModel, overrides: RunOverrides): Promise<Texts> {
  const { stated, split } = await openCompressData(environment, frozen, overrides, 1);
  return { examples: stated, split };
}

async function targetOf(files: Files, name: string): Promise<RunTarget> {
  const isRun =
    (await files.stat(joinPath(name, "run.json"))) !== null ||
    (await files.stat(joinPath(name, "compression.json"))) !== null;
  return isRun ? { kind: "run", folder: name } : { kind: "model", model: name, adapter: null };
}

async function writeDeployed(
  files: Files,
  frozen: FrozenModel,
  precision: Precision,
  path: string,
  ranges?: StaticRanges,
): Promise<number> {
  const deployed = await deploy(inferenceOf(frozen.config), frozen.weights, precision, ranges);
  const { model, data } = deployedFiles(deployed, "data");
  await files.write(path, model);
  return model.length + (data?.reduce((sum, { length }) => sum + length, 0) ?? 0);
}

/** What an exported folder holds of the precisions asked for. */
async function onnxEntries(files: Files, name: string, { precisions, threads }: BenchOptions): Promise<Entry[]> {
  const config = await modelConfig(files, name);
  const entries: Entry[] = [];
  for (const precision of precisions) {
    const path = joinPath(name, "onnx", ONNX_FILES[precision]);
    const stat = await files.stat(path);
    if (stat === null) continue;
    const estimate = config === null ? null : arithmeticOf(config, { length: 32, precision });
    entries.push({
      run: name,
      job: { engine: "onnxruntime", path, precision, threads },
      fileBytes: stat.sizeBytes,
      estimate,
    });
  }
  if (entries.length === 0)
    throw new ConfigError([
      { path: name, expected: precisions.map((of) => `onnx/${ONNX_FILES[of]}`).join(" or "), got: "none of them" },
    ]);
  return entries;
}

async function modelConfig(files: Files, folder: string): Promise<EncoderConfig | null> {
  const path = joinPath(folder, "config.json");
  if ((await files.stat(path)) === null) return null;
  return parseEncoderConfig(parseJson(path, await files.readText(path)), path);
}

/** Share of exact non-zeros of each layer as the run's own evaluation found it; null where there is none. */
async function densityOf(files: Files, target: RunTarget): Promise<number[] | null> {
  if (target.kind !== "run" || (await files.stat(joinPath(target.folder, "run.json"))) === null) return null;
  const { result } = (await readRun(files, target.folder)).record;
  return result?.density?.layers.map(({ exact }) => exact) ?? null;
}

/** The first target's dense model in the hands of others. */
async function peerEntries(
  files: Files,
  frozen: FrozenModel,
  run: string,
  { peers, threads, peerOnnx }: BenchOptions,
  folder: string,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  if (peers.length > 0) await writePlainModel(files, folder, frozen, frozen.opened.base.folder);
  for (const engine of peers) {
    const precisions: readonly Precision[] = engine === "transformers.js" ? ["fp32", "int8"] : ["fp32"];
    for (const precision of precisions) {
      const path = engine === "transformers.js" ? (peerOnnx ?? folder) : folder;
      const file = joinPath(path, engine === "pytorch" ? "model.safetensors" : `onnx/${ONNX_FILES[precision]}`);
      if (engine === "transformers.js" && peerOnnx === null) await writeDeployed(files, frozen, precision, file);
      const stat = await files.stat(file);
      if (stat === null) continue;
      entries.push({ run, job: { engine, path, precision, threads }, fileBytes: stat.sizeBytes, estimate: null });
    }
  }
  return entries;
}
