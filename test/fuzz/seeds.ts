// Valid files to begin from, made by the project itself: models, a run with its checkpoints, a compressed model, tables.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deft } from "../support/command.ts";
import { tinySeq2seq, tinySquad, writeTinyT5 } from "../support/tiny-answers.ts";
import { tinyExamples, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";
import { jsonLines } from "../support/tiny-words.ts";
import { writeFormatSeeds } from "./seeds-of-formats.ts";

async function done(...argv: readonly string[]): Promise<void> {
  const { code, err } = await deft(...argv, "-q");
  if (code !== 0) throw new Error(`deft ${argv.join(" ")}: ${err}`);
}

/** Writes them below `folder`. */
export async function writeSeeds(folder: string): Promise<void> {
  const at = (...parts: readonly string[]) => join(folder, ...parts);
  await writeTinyModel(at("model"), { numLayers: 1 });
  await writeTinyModel(at("roberta"), { numLayers: 1, modelType: "roberta" });
  await writeTinyT5(at("t5"));
  writeFileSync(at("t5", "generation_config.json"), JSON.stringify({ max_length: 20, num_beams: 2, eos_token_id: 1 }));
  await writeTinySst2(at("sst2"), { train: 24, dev: 12 });
  const steps = ["--task", "sst2", "--data", at("sst2"), "--max-steps", "4", "--batch-size", "4", "--threads", "1"];
  await done("train", "--model", at("model"), ...steps, "--save-steps", "2", "--output", at("run"));
  await done("train", "--model", at("model"), ...steps, "--method", "adapter", "--output", at("hub"));
  await done("compress", at("run"), "--keep-neurons", "0.5", "--output", at("small"), "--threads", "1");
  mkdirSync(at("data"));
  const rows = tinyExamples(12, 1).map(({ text, label }) => ({ text, label: label === 1 ? "good" : "bad" }));
  const lines = (between: string) =>
    ["text", ...rows.map(({ text }) => text)]
      .map((text, i) => `${text}${between}${i === 0 ? "label" : rows[i - 1]!.label}`)
      .join("\n");
  writeFileSync(at("data", "table.csv"), lines(","));
  writeFileSync(at("data", "table.tsv"), lines("\t"));
  writeFileSync(at("data", "table.jsonl"), jsonLines(rows));
  writeFileSync(at("data", "array.json"), JSON.stringify(rows));
  writeFileSync(at("data", "squad.json"), tinySquad(6, 1, { impossible: true }));
  writeFileSync(at("data", "seq2seq.jsonl"), tinySeq2seq(6, 1));
  writeFileSync(at("data", "words.conll"), "EU B-ORG\nrejects O\n\nGerman B-MISC\ncall O\n".repeat(4));
  writeFileSync(
    at("settings.yaml"),
    "model: m\ntask: sst2\ndata: d\nmethod: lora\nrank: 4\nseed: 3\nepsilon: 1e-2:1e-3\n",
  );
  writeFileSync(
    at("job.json"),
    JSON.stringify({
      job: "compress",
      target: { kind: "run", folder: "r" },
      options: { output: "o", "score-budget": 1 },
      settings: { threads: 1 },
      fingerprints: { base: "1" },
    }),
  );
  cpSync(join(import.meta.dirname, "../golden/tokenizers"), at("tok"), { recursive: true });
  writeTorch(at("torch"), at("model"));
  cpSync(at("run", "adapter"), at("sums"), { recursive: true });
  const others = { ia3: [], prompt: ["--virtual-tokens", "4"], prefix: ["--virtual-tokens", "4"] };
  for (const [method, own] of Object.entries(others)) {
    const room = ["--max-length", "32"];
    await done("train", "--model", at("model"), ...steps, ...room, "--method", method, ...own, "--output", at(method));
  }
  await writeFormatSeeds(folder);
}

/** A pickle file as PyTorch writes it, where the reference Python is there. */
function writeTorch(folder: string, model: string): void {
  const python = join(import.meta.dirname, "../../.venv/bin/python");
  if (!existsSync(python)) return;
  cpSync(model, folder, { recursive: true });
  const code =
    "import sys, torch; torch.save({'a.weight': torch.arange(12.).reshape(3, 4), 'a.bias': torch.ones(3)}, sys.argv[1])";
  const { status, stderr } = spawnSync(python, ["-c", code, join(folder, "pytorch_model.bin")], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}
