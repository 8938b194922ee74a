// A tiny T5 with runs on it, and its logits over one batch, for the interchange tests.
import { writeFile } from "node:fs/promises";
import { openScorer } from "../../src/infer/index.ts";
import type { RunTarget } from "../../src/load/index.ts";
import { openTarget } from "../../src/load/opened-target.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { int64 } from "../../src/tensor/index.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles } from "../support/tiny-model.ts";
import { type Bench, succeed } from "./interchange.ts";

/** Token ids below the vocabulary's special ones; padded texts, and labels with places that no loss counts. */
const BATCH = {
  ids: [
    [5, 9, 7, 12, 8, 1],
    [6, 11, 1, 0, 0, 0],
  ],
  mask: [
    [1, 1, 1, 1, 1, 1],
    [1, 1, 1, 0, 0, 0],
  ],
  labels: [
    [7, 5, 1],
    [9, 1, -100],
  ],
};

/** Writes `base`, data and `ids.json`, and trains the runs; `config` is laid over the base's. */
export async function prepare(
  bench: Bench,
  runs: Readonly<Record<string, readonly string[]>>,
  config: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await writeTinyT5(bench.at("base"), { config });
  await writeFiles(bench.at("texts"), { "train.jsonl": tinySeq2seq(48, 1), "dev.jsonl": tinySeq2seq(8, 2) });
  await writeFile(bench.at("ids.json"), JSON.stringify(BATCH));
  const usual = ["--model", bench.at("base"), "--task", "seq2seq", "--data", bench.at("texts"), "--threads", "1"];
  const short = ["--max-steps", "4", "--batch-size", "8", "--learning-rate", "0.05", "--max-target-length", "4", "-q"];
  for (const [name, flags] of Object.entries(runs))
    await succeed("train", ...usual, ...short, ...flags, "--output", bench.at(name));
}

/** Logits of BATCH, flat. */
export async function ours(target: RunTarget): Promise<readonly number[]> {
  const { base, method, head, alsoTrains, trained } = await openTarget(nodeEnvironment(), target, {});
  const { model, weights } = base;
  const backend = nodeBackend({ threads: 1 });
  const scorer = await openScorer({ model, method, head, alsoTrains, weights, backend, density: false, fetch: true });
  const rows = (values: readonly (readonly number[])[]) => int64([values.length, values[0]!.length], values.flat());
  const inputs = { tokenIds: rows(BATCH.ids), attentionMask: rows(BATCH.mask), labels: rows(BATCH.labels) };
  const { logits } = await scorer.run(trained, { inputs, indices: [0, 1], attendedTokens: 9 });
  await scorer.dispose();
  return Array.from(logits!.data, Number);
}

export const run = (folder: string): RunTarget => ({ kind: "run", folder });
export const model = (folder: string, adapter: string | null): RunTarget => ({ kind: "model", model: folder, adapter });
