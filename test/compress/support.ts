// A tiny tuned run for the tests of compression, export and bench: trained once in a folder of its own.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deft } from "../support/command.ts";
import { writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

/** Folders of a tiny base, its data and a run on them. */
export interface TinyRun {
  readonly root: string;
  readonly model: string;
  readonly data: string;
  readonly run: string;
}

/** Trains a tiny LoRA on every linear layer; `config` is laid over config.json, and the base pruned by `prune` before. */
export async function tinyRun({
  prune,
  ...options
}: Parameters<typeof writeTinyModel>[1] & { readonly prune?: string } = {}): Promise<TinyRun> {
  const root = mkdtempSync(join(tmpdir(), "deft-compress-"));
  const [model, data, run] = ["model", "data", "run"].map((name) => join(root, name)) as [string, string, string];
  await writeTinyModel(model, options);
  await writeTinySst2(data, { train: 96, dev: 64 });
  const base = prune === undefined ? model : join(root, "pruned");
  if (prune !== undefined) {
    const how = ["--task", "sst2", "--data", data, "--threads", "1", "-q"];
    const { code, err } = await deft("compress", "--model", model, "--prune", prune, ...how, "--output", base);
    if (code !== 0) throw new Error(err);
  }
  const { code, err } = await deft(
    "train",
    "--model",
    base,
    "--task",
    "sst2",
    "--data",
    data,
    "--output",
    run,
    "--threads",
    "1",
    "--targets",
    "all-linear",
    "--learning-rate",
    "0.01",
    "--max-steps",
    "30",
    "--batch-size",
    "8",
    "--density-weight",
    "0",
    "-q",
  );
  if (code !== 0) throw new Error(err);
  return { root, model, data, run };
}
