// The models of a benchmark as files: ours deployed, exports as they are, the first one in the form its peers read.

import type { EncodedExamples } from "../../data/index.ts";
import { ConfigError } from "../../errors.ts";
import { type Arithmetic, arithmeticOf, type Precision, textArithmetic } from "../../export/index.ts";
import { parseJson } from "../../hub/index.ts";
import type { RunOverrides, RunTarget } from "../../load/index.ts";
import { type MergedModel, openMergedModel, writePlainModel } from "../../load/index.ts";
import { anyModel, type MlpSite, type ModelConfig, type T5Config } from "../../models/index.ts";
import { padded } from "../../prune/index.ts";
import type { Environment } from "../../runs/index.ts";
import { readCompression, readRun } from "../../runs/index.ts";
import { type Files, joinPath } from "../../tensor/index.ts";
import { taskRanges } from "../compress/calibrate.ts";
import { openCompressData } from "../compress/data.ts";
import { writeOnnxFolder } from "../export/export-onnx.ts";
import { ONNX_STEMS, onnxFile, writeOnnxFiles } from "../export/onnx-files.ts";
import type { BenchJob, BenchOptions, ByPhase, WritingJob } from "./job.ts";

/** One model of a benchmark. */
export interface Entry {
  readonly run: string;
  readonly job: BenchJob;
  readonly fileBytes: number;
  /** Of none: a peer. */
  readonly estimates: ByPhase<Arithmetic>;
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
    const frozen = await openMergedModel(environment, target, overrides, { keepsMethod: true });
    if (i === 0) checkPeers(frozen, options);
    texts ??= await openTexts(environment, frozen);
    const place = joinPath(folder, `${i}`, "onnx");
    const hasRanges = options.precisions.includes("qdq");
    const ranges = hasRanges ? await taskRanges(environment, target, frozen) : undefined;
    for (const precision of options.precisions) await writeOnnxFiles(files, place, frozen, precision, { ranges });
    const { config } = frozen.model;
    const length = Math.round(texts.examples.totalTokens / texts.examples.count);
    const density = await densityOf(files, target, frozen.model.mlps);
    entries.push(...(await entriesIn(files, place, { run: name, config, options, length, density })));
    if (i === 0) entries.push(...(await peerEntries(files, frozen, name, options, joinPath(folder, "peers"))));
  }
  checkKinds(entries);
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

/** @throws {ConfigError} when some write and some do not: they have no phase to be compared by. */
function checkKinds([first, ...others]: readonly Entry[]): void {
  const other = others.find(({ job }) => (job.writing === null) !== (first!.job.writing === null));
  if (other === undefined) return;
  const [expected, got] =
    first!.job.writing === null ? ["encoders", "an encoder–decoder"] : ["encoder–decoders", "an encoder"];
  throw new ConfigError([
    { path: "RUN", expected: `${expected} alone, as ${first!.run} is`, got: `${other.run}, ${got}` },
  ]);
}

/** @throws {ConfigError} when PyTorch is to run what it is only given as config.json and weights. */
function checkPeers({ beside }: MergedModel, { peers }: BenchOptions): void {
  if (beside === undefined || !peers.includes("pytorch")) return;
  throw new ConfigError([
    {
      path: "--peers",
      expected: "no pytorch, which is given merged weights alone",
      got: `a run of ${beside.method.settings.kind}, which is no change of weights`,
    },
  ]);
}

interface Texts {
  readonly examples: EncodedExamples;
  readonly split: string;
}

async function openTexts(environment: Environment, frozen: MergedModel): Promise<Texts> {
  const { heldOut: stated, split } = await openCompressData(environment, frozen, 1);
  return { examples: stated, split };
}

async function targetOf(files: Files, name: string): Promise<RunTarget> {
  const isRun =
    (await files.stat(joinPath(name, "run.json"))) !== null ||
    (await files.stat(joinPath(name, "compression.json"))) !== null;
  return isRun ? { kind: "run", folder: name } : { kind: "model", model: name, adapter: null };
}

/** Length of texts in an estimate where none is known. */
const USUAL_LENGTH = 32;

/** What an exported folder holds of the precisions asked for. */
async function onnxEntries(files: Files, name: string, options: BenchOptions): Promise<Entry[]> {
  const config = await modelConfig(files, name);
  const known = { run: name, config, options, length: USUAL_LENGTH, density: null };
  const entries = await entriesIn(files, joinPath(name, "onnx"), known);
  if (entries.length > 0) return entries;
  const stems = ONNX_STEMS[isWriting(config) ? "encoder-decoder" : "encoder"];
  const expected = options.precisions.map((of) => `onnx/${stems.map((stem) => onnxFile(stem, of)).join(" with ")}`);
  const got = expected.length === 1 ? "no such file" : "none of them";
  throw new ConfigError([{ path: name, expected: expected.join(" or "), got }]);
}

async function modelConfig(files: Files, folder: string): Promise<ModelConfig | null> {
  const path = joinPath(folder, "config.json");
  if ((await files.stat(path)) === null) return null;
  const json = parseJson(path, await files.readText(path));
  return anyModel(json, path).config;
}

const isWriting = (config: ModelConfig | null): config is T5Config =>
  config !== null && "decoderStartTokenId" in config;

interface Known {
  readonly run: string;
  readonly config: ModelConfig | null;
  readonly options: BenchOptions;
  readonly length: number;
  readonly density: Density | null;
}

/** A model for each precision whose files lie in `folder`. */
async function entriesIn(
  files: Files,
  folder: string,
  { run, config, options, length, density }: Known,
): Promise<Entry[]> {
  const { precisions, threads, newTokens } = options;
  const names = await files.list(folder);
  const entries: Entry[] = [];
  for (const precision of precisions) {
    const stems = ONNX_STEMS[isWriting(config) ? "encoder-decoder" : "encoder"];
    const own = stems.map((stem) => onnxFile(stem, precision));
    if (!own.every((file) => names.includes(file))) continue;
    const [path, decoder] = own.map((file) => joinPath(folder, file)) as [string, string?];
    const all = names.filter((name) => own.some((file) => name === file || name.startsWith(`${file}_data`)));
    const job: BenchJob = {
      engine: "onnxruntime",
      path,
      precision,
      threads,
      writing: writingOf(config, options, decoder),
    };
    entries.push({
      run,
      job,
      fileBytes: await totalBytes(files, folder, all),
      estimates: estimatesOf(config, { length, newTokens, density, precision }),
    });
  }
  return entries;
}

function writingOf(config: ModelConfig | null, { newTokens }: BenchOptions, decoder = ""): WritingJob | null {
  return isWriting(config) ? { decoder, startId: config.decoderStartTokenId, newTokens } : null;
}

async function totalBytes(files: Files, folder: string, names: readonly string[]): Promise<number> {
  let total = 0;
  for (const name of names) total += (await files.stat(joinPath(folder, name)))?.sizeBytes ?? 0;
  return total;
}

function estimatesOf(
  config: ModelConfig | null,
  {
    density,
    ...options
  }: {
    readonly length: number;
    readonly newTokens: number;
    readonly density: Density | null;
    readonly precision: Precision;
  },
): ByPhase<Arithmetic> {
  if (config === null) return {};
  if (isWriting(config)) return { ...textArithmetic(config, { ...options, ...(density === null ? {} : { density }) }) };
  return { encode: arithmeticOf(config, { ...options, ...(density === null ? {} : { density: density.encoder }) }) };
}

/** Share of exact non-zeros of each layer, by stack. */
interface Density {
  readonly encoder: readonly number[];
  readonly decoder: readonly number[];
}

/**
 * As the run's own evaluation found it, in a decoder while it writes, or as compression stated it of another activation, the mean of a stack
 * for each of its layers; null where there is none.
 */
async function densityOf(files: Files, target: RunTarget, sites: readonly MlpSite[]): Promise<Density | null> {
  if (target.kind !== "run") return null;
  const stated = (await readCompression(files, target.folder))?.activation?.after.density;
  if (stated !== undefined) {
    const ofStack = (stack: MlpSite["stack"], share = 1) =>
      sites.filter((site) => site.stack === stack).map(() => share);
    return { encoder: ofStack("encoder", stated.encoder), decoder: ofStack("decoder", stated.decoder) };
  }
  if ((await files.stat(joinPath(target.folder, "run.json"))) === null) return null;
  const layers = (await readRun(files, target.folder)).record.result?.density?.layers;
  if (layers === undefined) return null;
  const shares = (name: string) => {
    const found: number[] = [];
    for (const { stack, layer, exact } of layers) if (stack === name) found[layer] = exact;
    return found;
  };
  const written = shares("generation");
  return { encoder: shares("encoder"), decoder: written.length > 0 ? written : shares("decoder") };
}

/** The first target's dense model in the hands of others. */
async function peerEntries(
  files: Files,
  frozen: MergedModel,
  run: string,
  options: BenchOptions,
  folder: string,
): Promise<Entry[]> {
  const { peers, threads, peerOnnx } = options;
  const { config } = frozen.model;
  const writing = writingOf(config, options);
  const entries: Entry[] = [];
  const add = (engine: BenchJob["engine"], path: string, precision: Precision, fileBytes: number) =>
    entries.push({ run, job: { engine, path, precision, threads, writing }, fileBytes, estimates: {} });
  for (const engine of peers) {
    const place = joinPath(folder, engine);
    if (engine === "pytorch") {
      await writePlainModel(files, place, await padded(frozen, frozen.model.mlps), frozen.opened.base);
      add(engine, place, "fp32", await totalBytes(files, place, ["model.safetensors"]));
      continue;
    }
    const path = peerOnnx ?? place;
    if (peerOnnx === null) await writeOnnxFolder(files, place, frozen, PEER_PRECISIONS);
    const known = { run, config, options: { ...options, precisions: PEER_PRECISIONS }, length: 1, density: null };
    for (const { job, fileBytes } of await entriesIn(files, joinPath(path, "onnx"), known))
      add(engine, path, job.precision, fileBytes);
  }
  return entries;
}

const PEER_PRECISIONS: readonly Precision[] = ["fp32", "int8"];
