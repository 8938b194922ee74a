// Every reader of files that a person may bring, as a function of files in memory.
import { loadTokenizer, openDataset, openTable, openTexts } from "../../src/data/index.ts";
import { openCheckpoint, openTorchFile, parseJson } from "../../src/hub/index.ts";
import { readJob } from "../../src/jobs/index.ts";
import { readGenerationConfig } from "../../src/load/generation-config.ts";
import { anyModel } from "../../src/models/index.ts";
import { readAdapter, readSidecar } from "../../src/peft/index.ts";
import { compressionNotes, compressionTable, renderTable, runFiles } from "../../src/report/index.ts";
import { readCompression, readGates, readOutcomes, readPlan, readPruning, readRun } from "../../src/runs/index.ts";
import { resolveSettings } from "../../src/settings/index.ts";
import type { Files, Weights } from "../../src/tensor/index.ts";
import { loadCheckpoint } from "../../src/train/checkpoint.ts";

/** A reader, the file that is damaged for it, and what it does with it. */
export interface Reader {
  readonly name: string;
  /** Below the folder of valid files. */
  readonly file: string;
  readonly read: (files: Files, file: string) => Promise<unknown>;
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
  await readGates(files, folder);
  await readAdapter(files, folder);
}

const settings = async (files: Files, file: string) =>
  resolveSettings({ flags: {}, file: { name: file, text: await files.readText(file) } });

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
  { name: "adapter_config.json", file: "run/adapter/adapter_config.json", read: adapter },
  { name: "adapter_model.safetensors", file: "run/adapter/adapter_model.safetensors", read: adapter },
  { name: "deft.json", file: "run/adapter/deft.json", read: adapter },
  { name: "adapterhub config", file: "hub/adapter/adapter_config.json", read: adapter },
  { name: "run.json", file: "run/run.json", read: run },
  { name: "events.jsonl", file: "run/events.jsonl", read: run },
  { name: "outcomes", file: "run/predictions.jsonl", read: run },
  { name: "trainer_state.json", file: "run/checkpoints/step-4/trainer_state.json", read: checkpoint },
  { name: "compression.json", file: "small/compression.json", read: compression },
  { name: "plan.json", file: "small/plan.json", read: plan },
  { name: "CSV", file: "data/table.csv", read: table },
  { name: "TSV", file: "data/table.tsv", read: dataset("text-classification") },
  { name: "JSON lines", file: "data/table.jsonl", read: dataset("text-classification") },
  { name: "JSON array", file: "data/array.json", read: table },
  { name: "SQuAD", file: "data/squad.json", read: dataset("squad") },
  { name: "CoNLL", file: "data/words.conll", read: dataset("token-classification") },
  {
    name: "texts",
    file: "data/table.csv",
    read: (files, file) => openTexts(files, file, { task: "text-classification" }),
  },
  { name: "settings", file: "settings.yaml", read: settings },
  { name: "job", file: "job.json", read: async (files, file) => readJob(await files.readText(file)) },
  {
    name: "PyTorch file",
    file: "torch/pytorch_model.bin",
    read: async (files, file) => wholly(await openTorchFile(files, file, (await files.stat(file))!.sizeBytes)),
  },
];
