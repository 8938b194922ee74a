// Valid files of formats that the project's own runs do not write by themselves: shards, few bits, old and compressed files, tokenizers of every stage.
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openSafetensors, safetensorsBytes } from "../../src/hub/index.ts";
import { quantizedCheckpoint } from "../../src/quant/index.ts";
import type { Tensor, Weights } from "../../src/tensor/index.ts";

/** Writes them below `folder`, where `model` and `run` lie already. */
export async function writeFormatSeeds(folder: string): Promise<void> {
  const at = (...parts: readonly string[]) => join(folder, ...parts);
  const weights = await openSafetensors(nodeFiles(), at("model", "model.safetensors"));
  await writeShards(at("sharded"), at("model"), weights);
  for (const format of ["nf4", "int4", "int8"] as const) await writeFewBits(at(format), at("model"), weights, format);
  writeTokenizer(at("tok-stored"), at("tok", "bert", "tokenizer.json"));
  writeRecords(folder);
  const golden = join(import.meta.dirname, "../golden/data");
  for (const name of ["snappy", "zstd", "features"])
    copyFileSync(join(golden, `${name}.parquet`), at("data", `${name}.parquet`));
  writeFileSync(at("data", "packed.csv.gz"), gzipSync(readFileSync(at("data", "table.csv"))));
  writeFileSync(
    at("data", "labels.csv"),
    `text,label\n${"a film,['good' 'long']\nanother,\"['bad', 'long']\"\n".repeat(6)}`,
  );
  writeFileSync(
    at("aliases.yaml"),
    "model: &m some-model\ntask: sst2\ndata: *m\nmethod: lora\ntargets: &t [query, value]\nepsilon: 1e-2:1e-3\n",
  );
  writeTorch(folder);
}

async function tensorsOf(weights: Weights): Promise<Map<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  for (const [name, weight] of weights) tensors.set(name, await weight.read());
  return tensors;
}

async function writeShards(folder: string, model: string, weights: Weights): Promise<void> {
  mkdirSync(folder);
  copyFileSync(join(model, "config.json"), join(folder, "config.json"));
  const tensors = [...(await tensorsOf(weights))];
  const shards = [tensors.slice(0, 9), tensors.slice(9)];
  const map: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const name = `model-0000${i + 1}-of-00002.safetensors`;
    writeFileSync(join(folder, name), await bytesOf(safetensorsBytes(new Map(shard))));
    for (const [tensor] of shard) map[tensor] = name;
  }
  const index = { metadata: { total_size: 1 }, weight_map: map };
  writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify(index));
}

async function writeFewBits(
  folder: string,
  model: string,
  weights: Weights,
  format: "nf4" | "int4" | "int8",
): Promise<void> {
  mkdirSync(folder);
  copyFileSync(join(model, "config.json"), join(folder, "config.json"));
  const names = new Set([...weights.keys()].filter((name) => /layer\.0\..*dense\.weight$/.test(name)));
  const tensors = await tensorsOf(quantizedCheckpoint(weights, names, format));
  writeFileSync(join(folder, "model.safetensors"), await bytesOf(safetensorsBytes(tensors)));
}

/** A tokenizer that no class builds anew, with every kind of stage. */
function writeTokenizer(folder: string, from: string): void {
  mkdirSync(folder);
  const json = JSON.parse(readFileSync(from, "utf8")) as Record<string, unknown>;
  const split = {
    type: "Split",
    pattern: { Regex: "\\p{N}{1,3}|(?i:'s|'t)|[^\\s\\p{L}]+" },
    behavior: "Isolated",
    invert: false,
  };
  const steps = ["NFD", "NFKC", "Lowercase", "StripAccents", "Nmt"].map((type) => ({ type }));
  const written = {
    ...json,
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
        { type: "Replace", pattern: { String: "``" }, content: '"' },
        { type: "Strip", strip_left: true, strip_right: true },
        { type: "Prepend", prepend: "▁" },
        ...steps,
      ],
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        split,
        { type: "Punctuation", behavior: "Isolated" },
        { type: "Digits", individual_digits: true },
        { type: "CharDelimiterSplit", delimiter: "_" },
        { type: "FixedLength", length: 50 },
        { type: "Whitespace" },
        { type: "WhitespaceSplit" },
        { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: true },
        { type: "ByteLevel", add_prefix_space: false, use_regex: true, trim_offsets: true },
      ],
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { Regex: "▁+" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
  };
  const model = json["model"] as Record<string, unknown>;
  const config = { tokenizer_class: "PreTrainedTokenizerFast", pad_token: "[PAD]", unk_token: "[UNK]" };
  // settings of the steps before the vocabulary, so that damage meets them
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify({ ...written, model }));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(config));
}

/** Records that only some jobs write. */
function writeRecords(folder: string): void {
  const at = (...parts: readonly string[]) => join(folder, ...parts);
  mkdirSync(at("records", "adapter"), { recursive: true });
  const sidecar = JSON.parse(readFileSync(at("run", "adapter", "deft.json"), "utf8")) as object;
  const gates = { weight: 0.1, rate: 0.05, values: { "encoder.layer.0": 0.5, "decoder.block.0": 0.25 } };
  writeFileSync(at("records", "adapter", "deft.json"), JSON.stringify({ ...sidecar, gates }));
  const layer = {
    site: "decoder.0",
    threshold: 0,
    neurons: 8,
    isGathered: true,
    active: 0.5,
    denseMs: 1,
    gatheredMs: 0.5,
    reason: null,
    prediction: { floor: -0.5, recall: 0.99, selected: 0.25 },
  };
  const plan = { rows: 1, exactness: "exact", layers: [layer] };
  writeFileSync(
    at("records", "decoding.json"),
    JSON.stringify({ schema: 1, plan, budget: 0.01, lost: 0, keepActive: null }),
  );
  writeFileSync(
    at("records", "deft-pruning.json"),
    JSON.stringify({
      schemaVersion: 1,
      toolVersion: "1",
      recipe: "wanda:0.5",
      scope: "layer",
      calibration: null,
      base: { model: "m", revision: null, fingerprint: "f" },
      sparsity: 0.5,
      layers: [{ name: "a.weight", zeros: 4, size: 8 }],
    }),
  );
  const found = [
    { key: "k" },
    { sizes: [3, 4], score: 0.5, lost: 0.1 },
    { sizes: [3, 4], divergence: 0.2, latency: 0.5 },
  ];
  writeFileSync(at("records", "search.jsonl"), `${found.map((line) => JSON.stringify(line)).join("\n")}\n`);
}

/** Pickle files as PyTorch wrote them before its zip files, and an adapter's, where the reference Python is there. */
function writeTorch(folder: string): void {
  const python = join(import.meta.dirname, "../../.venv/bin/python");
  if (!existsSync(python)) return;
  cpSync(join(folder, "run", "adapter"), join(folder, "bin-adapter"), { recursive: true });
  const code = [
    "import os, sys, torch",
    "from safetensors.torch import load_file",
    "root = sys.argv[1]",
    "path = root + '/bin-adapter/adapter_model.safetensors'",
    "torch.save(load_file(path), root + '/bin-adapter/adapter_model.bin'); os.remove(path)",
    "torch.save({'a.weight': torch.ones(3)}, root + '/torch/old.bin', _use_new_zipfile_serialization=False)",
  ];
  const { status, stderr } = spawnSync(python, ["-c", code.join("\n"), folder], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}

async function bytesOf(content: Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content;
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}
