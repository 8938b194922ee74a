// The small T5 of the experiments: random weights and a tokenizer by small_t5.py, trained on text to text, as a folder that any tool opens.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fresh, isFinished } from "./deft-process.ts";

/** Starts a script of this folder. @throws {Error} with what it said on standard error when it fails. */
export function runScript(python: string, script: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(python, [join("scripts/experiments", script), ...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${script}: ${stderr}`);
}

/** How a small T5 is made: more flags of small_t5.py, the training's own, and the texts that its tokenizer is made of. */
export interface SmallT5 {
  readonly python: string;
  readonly texts: string;
  readonly size: readonly string[];
  readonly recipe: readonly string[];
  readonly deft: (...args: string[]) => string;
}

/** The folder of the trained model in `out`, made where it is not there yet. */
export function smallT5(out: string, { python, texts, size, recipe, deft }: SmallT5): string {
  const folder = join(out, "t5");
  if (existsSync(join(folder, "config.json"))) return folder;
  const [random, run] = [join(out, "t5-random"), join(out, "t5-run")];
  if (!isFinished(run)) {
    runScript(python, "small_t5.py", "--texts", texts, ...size, "--out", fresh(random));
    deft("train", "--model", random, "--method", "full", "--density-weight", "0", ...recipe, "--output", fresh(run));
  }
  deft("export", run, "--format", "merged", "--output", fresh(folder));
  return folder;
}
