// Every reader of files that a person may bring, as a function of files in memory.
import { loadTokenizer, openDataset, openTable, openTexts } from "../../src/data/index.ts";
import { checkSums, openCheckpoint, openTorchFile, parseJson } from "../../src/hub/index.ts";
import { SearchLog } from "../../src/jobs/compress/search-log.ts";
import { readJob } from "../../src/jobs/index.ts";
import { readGenerationConfig } from "../../src/load/generation-config.ts";
import { anyModel } from "../../src/models/index.ts";
import { readAdapter, readSidecar } from "../../src/peft/index.ts";
import { openQuantized } from "../../src/quant/index.ts";
import { compressionNotes, compressionTable, renderTable, runFiles } from "../../src/report/index.ts";
import { readCompression, readGates, readOutcomes, readPlan, readPruning, readRun } from "../../src/runs/index.ts";
import { readDecoding } from "../../src/runs/stored-decoding.ts";
import { resolveSettings } from "../../src/settings/index.ts";
import type { Files, Weights } from "../../src/tensor/index.ts";
import { loadCheckpoint } from "../../src/train/checkpoint.ts";

/** A reader, the file that is damaged for it, and what it does with it. */
export interface Reader {
  readonly name: string;
  /** Below the folder of valid files. */
  readonly file: string;
  readonly read: (files: Files, file: string) => Promise<unknown>;
  /** Only one round of so many damages this file: a thread is started for each reading. */
  readonly every?: number;
  /** Whether it refuses the valid file: of a kind that is known and not read. */
  readonly refuses?: true;
}

const TEXTS = ["a bright, dull film", "é 中 😀 नमस्ते \u0000 ▁", " ".repeat(20), "x".repeat(200)];

async function wholly(weights: Weights): Promise<void> {
  for (const weight of weights.values()) await weight.read();
}

async function tokenized(files: Files, file: string): Promise<void> {
  const tokenizer = await loadTokenizer(files, file.slice(0, file.lastIndexOf("/")));
  for (const text of TEXTS) {
    const { ids } = tokenizer.encode(text, null, { maxLength: 64 });
    tokenizer.decode(ids);
    tokenizer.encode(text, "another", { maxLength: null });
  }
}

async function table(files: Files, file: string): Promise<void> {
  for await (const { cells } of (await openTable(files, file)).rows()) void cells;
}

const dataset = (task: string) => async (files: Files, file: string) => {
  const opened = await openDataset(files, { task, data: file });
  for (const split of opened.splits.values()) for await (const example of split.examples()) void example;
};

async function run(files: Files, file: string): Promise<void> {
  const folder = file.slice(0, file.lastIndexOf("/"));
  runFiles({ ...(await readRun(files, folder)), outcomes: await readOutcomes(files, folder) });
}

async function compression(files: Files, file: string): Promise<void> {
  const folder = file.slice(0, file.lastIndexOf("/"));
  const record = (await readCompression(files, folder))!;
  renderTable(compressionTable(record));
  compressionNotes(record);
  await readPruning(files, folder);
}

async function plan(files: Files, file: string): Promise<void> {
  const folder = file.slice(0, file.lastIndexOf("/"));
  const { model } = await openModel(files, "model/config.json");
  const written = parseJson(file, await files.readText(file)) as { base?: never; adapter?: never } | null;
  const target = {
    base: written?.base,
    adapter: written?.adapter,
    sites: model.mlps,
    hiddenSize: model.config.hiddenSize,
  };
  await readPlan(files, `${folder}/plan.json`, target as never);
}

async function openModel(files: Files, file: string) {
  const folder = file.slice(0, file.lastIndexOf("/"));
  const { config, weights } = await openCheckpoint(files, folder);
  const model = anyModel(config, file, weights);
  await wholly(weights);
  await readGenerationConfig(files, folder, model, config);
  return { model };
}

async function checkpoint(files: Files, file: string): Promise<void> {
  const [root, step] = /^(.*)\/step-(\d+)\//.exec(file)!.slice(1) as [string, string];
  await loadCheckpoint(files, root, Number(step), { trained: ["classifier.bias"], buffers: [] });
}

async function adapter(files: Files, file: string): Promise<void> {
  const folder = file.slice(0, file.lastIndexOf("/"));
  await readSidecar(files, folder);
  await readGates(files, folder.slice(0, folder.lastIndexOf("/")));
  await readAdapter(files, folder);
}

const settings = async (files: Files, file: string) =>
  resolveSettings({ flags: {}, file: { name: file, text: await files.readText(file) } });

async function fewBits(files: Files, file: string): Promise<void> {
  const { weights } = await openCheckpoint(files, file.slice(0, file.lastIndexOf("/")));
  const opened = await openQuantized(weights, file);
  await wholly(opened?.weights ?? weights);
}

const pickle = async (files: Files, file: string) =>
  wholly(await openTorchFile(files, file, (await files.stat(file))!.sizeBytes));

/** Files of the committed tokenizers. */
const TOKENIZERS = [
  "bert-legacy/config.json",
  "bert-legacy/tokenizer_config.json",
  "bert-legacy/vocab.txt",
  "bert/config.json",
  "bert/tokenizer.json",
  "bert/tokenizer_config.json",
  "roberta-legacy/config.json",
  "roberta-legacy/merges.txt",
  "roberta-legacy/tokenizer_config.json",
  "roberta-legacy/vocab.json",
  "roberta/config.json",
  "roberta/tokenizer.json",
  "roberta/tokenizer_config.json",
  "spiece/t5-added/added_tokens.json",
  "spiece/t5-added/config.json",
  "spiece/t5-added/spiece.model",
  "spiece/t5-added/tokenizer_config.json",
  "spiece/t5/config.json",
  "spiece/t5/spiece.model",
  "spiece/t5/tokenizer_config.json",
  "spiece/xlm-roberta/config.json",
  "spiece/xlm-roberta/sentencepiece.bpe.model",
  "spiece/xlm-roberta/tokenizer_config.json",
  "t5/tokenizer.json",
  "t5/tokenizer_config.json",
];

/** What is read, by the valid file that it begins from. */
export const READERS: readonly Reader[] = [
  { name: "config.json (BERT)", file: "model/config.json", read: openModel },
  { name: "config.json (T5)", file: "t5/config.json", read: openModel },
  {
    name: "generation_config.json",
    file: "t5/generation_config.json",
    read: (files) => openModel(files, "t5/config.json"),
  },
  { name: "safetensors", file: "model/model.safetensors", read: (files) => openModel(files, "model/config.json") },
  ...TOKENIZERS.map((file) => ({ name: `tokenizer ${file}`, file: `tok/${file}`, read: tokenized })),
  { name: "tokenizer of every stage", file: "tok-stored/tokenizer.json", read: tokenized },
  { name: "adapter_config.json", file: "run/adapter/adapter_config.json", read: adapter },
  { name: "adapter_model.safetensors", file: "run/adapter/adapter_model.safetensors", read: adapter },
  { name: "deft.json", file: "run/adapter/deft.json", read: adapter },
  { name: "gates", file: "records/adapter/deft.json", read: (files) => readGates(files, "records") },
  { name: "adapterhub config", file: "hub/adapter/adapter_config.json", read: adapter },
  { name: "adapterhub head", file: "hub/adapter/head_config.json", read: adapter },
  { name: "adapterhub adapter", file: "hub/adapter/adapter.safetensors", read: adapter },
  ...["ia3", "prompt"].flatMap((method) => [
    { name: `adapter_config.json ${method}`, file: `${method}/adapter/adapter_config.json`, read: adapter },
    { name: `adapter_model.safetensors ${method}`, file: `${method}/adapter/adapter_model.safetensors`, read: adapter },
  ]),
  { name: "adapter_config.json prefix", file: "prefix/adapter/adapter_config.json", read: adapter },
  { name: "adapter_model.bin", file: "bin-adapter/adapter_model.bin", read: adapter },
  {
    name: "index of shards",
    file: "sharded/model.safetensors.index.json",
    read: (files) => openModel(files, "sharded/config.json"),
  },
  ...["nf4", "int4", "int8"].map((format) => ({
    name: `weights in ${format}`,
    file: `${format}/model.safetensors`,
    read: fewBits,
  })),
  { name: "run.json", file: "run/run.json", read: run },
  { name: "events.jsonl", file: "run/events.jsonl", read: run },
  { name: "outcomes", file: "run/predictions.jsonl", read: run },
  { name: "trainer_state.json", file: "run/checkpoints/step-4/trainer_state.json", read: checkpoint },
  { name: "trainable.safetensors", file: "run/checkpoints/step-4/trainable.safetensors", read: checkpoint },
  { name: "optimizer.safetensors", file: "run/checkpoints/step-4/optimizer.safetensors", read: checkpoint },
  {
    name: "decoding.json",
    file: "records/decoding.json",
    read: (files) => readDecoding(files, "records", new Map([["decoder.0", 8]])),
  },
  { name: "pruning", file: "records/deft-pruning.json", read: (files) => readPruning(files, "records") },
  { name: "search.jsonl", file: "records/search.jsonl", read: (files, file) => SearchLog.open(files, file, "k") },
  { name: "compression.json", file: "small/compression.json", read: compression },
  { name: "plan.json", file: "small/plan.json", read: plan },
  { name: "CSV", file: "data/table.csv", read: table },
  { name: "TSV", file: "data/table.tsv", read: dataset("text-classification") },
  { name: "JSON lines", file: "data/table.jsonl", read: dataset("text-classification") },
  { name: "JSON array", file: "data/array.json", read: table },
  { name: "gzip", file: "data/packed.csv.gz", read: table },
  ...["snappy", "zstd", "features"].map((name) => ({
    name: `Parquet ${name}`,
    file: `data/${name}.parquet`,
    read: table,
    every: 20,
  })),
  { name: "lists", file: "data/labels.csv", read: dataset("multi-label") },
  { name: "seq2seq", file: "data/seq2seq.jsonl", read: dataset("seq2seq") },
  { name: "SQuAD", file: "data/squad.json", read: dataset("squad") },
  { name: "CoNLL", file: "data/words.conll", read: dataset("token-classification") },
  {
    name: "texts",
    file: "data/table.csv",
    read: (files, file) => openTexts(files, file, { task: "text-classification" }),
  },
  { name: "digests", file: "sums/deft.sha256", read: (files) => checkSums(files, "sums") },
  { name: "settings", file: "settings.yaml", read: settings },
  { name: "settings with aliases", file: "aliases.yaml", read: settings },
  { name: "job", file: "job.json", read: async (files, file) => readJob(await files.readText(file)) },
  {
    name: "PyTorch file",
    file: "torch/pytorch_model.bin",
    read: pickle,
  },
  { name: "old PyTorch file", file: "torch/old.bin", read: pickle, refuses: true },
];
