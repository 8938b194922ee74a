// What faults are tried on: small models and data that are made here, and the commands with what must come out of them.
import { spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { checkSums, SUMS_FILE } from "../../src/hub/index.ts";
import { isUnfinished, readRun } from "../../src/runs/index.ts";
import { filesBelow } from "../../test/support/command.ts";
import { tinySeq2seq, writeTinyT5 } from "../../test/support/tiny-answers.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../../test/support/tiny-model.ts";

export const files = nodeFiles();
const COMMAND = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** A command that writes into a place, and how its result is judged. */
export interface Subject {
  readonly name: string;
  readonly argv: (output: string) => readonly string[];
  /** Digests of what must not depend on how often the command was ended. */
  readonly essence: (output: string) => Promise<Essence>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly err: string;
}

/** Runs `deft` as a process of its own, killed after `killAfterMs`. */
export function deft(folder: string, argv: readonly string[], killAfterMs?: number): Promise<Ended> {
  const env = { ...process.env, DEFT_CACHE: join(folder, "cache"), NO_UPDATE_NOTIFIER: "1" };
  const child = spawn(process.execPath, [COMMAND, ...argv], { env, stdio: ["ignore", "ignore", "pipe"] });
  let err = "";
  child.stderr.on("data", (bytes: Buffer) => {
    err += bytes.toString();
  });
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, err });
    });
  });
}

/** Models and data below a folder, and a run of each kind that later commands take. */
export async function prepare(folder: string): Promise<void> {
  await writeTinyModel(join(folder, "model"), { numLayers: 2 });
  await writeTinySst2(join(folder, "data"), { train: 90, dev: 24 });
  await writeTinyT5(join(folder, "t5"));
  await writeFiles(join(folder, "texts"), { "train.jsonl": tinySeq2seq(60, 1), "dev.jsonl": tinySeq2seq(12, 2) });
  const [run] = trainings(folder);
  const { code, err } = await deft(folder, run!.argv(join(folder, "run")));
  if (code !== 0) throw new Error(`expected a run to take, got\n${err}`);
}

const digestsOf = (wanted: RegExp) => async (output: string) =>
  Object.fromEntries(Object.entries(await filesBelow(output)).filter(([path]) => wanted.test(path)));

/** Trainings of every kind of state that a checkpoint may have. */
export function trainings(folder: string): readonly Subject[] {
  const sst2 = [
    "--model",
    join(folder, "model"),
    "--task",
    "sst2",
    "--data",
    join(folder, "data"),
    "--batch-size",
    "8",
  ];
  const t5 = [
    "--model",
    join(folder, "t5"),
    "--task",
    "seq2seq",
    "--data",
    join(folder, "texts"),
    "--max-target-length",
    "4",
    "--targets",
    "q,v,wo",
  ];
  const steps = ["--max-steps", "60", "--eval-steps", "12", "--save-steps", "5", "--threads", "1", "-q"];
  const of = (name: string, ...argv: readonly string[]): Subject => ({
    name: `train, ${name}`,
    argv: (output) => ["train", ...argv, ...steps, "--output", output],
    essence: digestsOf(/(^|\/)(adapter|checkpoints)\//),
  });
  return [
    of("LoRA", ...sst2),
    of("adapter", ...sst2, "--method", "adapter"),
    of("T5", ...t5),
    of(
      "gates and removal",
      ...sst2,
      "--ada",
      "--gates",
      "sigmoid",
      "--keep-neurons",
      "0.5",
      "--density-loss",
      "neurons",
    ),
    of("staged", ...sst2, "--staged"),
  ];
}

/** Commands on a run. */
export function afterTraining(folder: string): Readonly<Record<"compress" | "export" | "compare" | "report", Subject>> {
  const run = join(folder, "run");
  const compared = ["--model", join(folder, "model"), "--task", "sst2", "--data", join(folder, "data")];
  return {
    compress: {
      name: "compress, with a search and a recovery",
      argv: (output) => [
        "compress",
        run,
        "--score-budget",
        "4",
        "--recovery-steps",
        "6",
        "--threads",
        "1",
        "-q",
        "--output",
        output,
      ],
      essence: digestsOf(/^(config\.json|model\.safetensors|plan\..*|tokenizer.*|vocab\.txt)$/),
    },
    export: {
      name: "export, for Transformers.js",
      argv: (output) => ["export", run, "--format", "onnx", "-q", "--output", output],
      essence: digestsOf(/^/),
    },
    compare: {
      name: "compare, two seeds",
      argv: (output) => [
        "compare",
        ...compared,
        "--seeds",
        "1,2",
        "--max-steps",
        "10",
        "--eval-steps",
        "5",
        "--threads",
        "1",
        "-q",
        "--output",
        output,
      ],
      essence: digestsOf(/(^|\/)adapter\//),
    },
    report: {
      name: "report",
      argv: (output) => ["report", run, "-q", "--output", join(output, "page.html")],
      essence: digestsOf(/page\.html$/),
    },
  };
}

/** Digests of files by path. */
export type Essence = Readonly<Record<string, string>>;

/** Paths of files that only one side has, or that differ. */
function othersIn(got: Essence, whole: Essence): string[] {
  return [...new Set([...Object.keys(got), ...Object.keys(whole)])].filter((path) => got[path] !== whole[path]);
}

/** Fails where files are others than those of a command that was left alone. */
export function requireSame(name: string, got: Essence, whole: Essence): void {
  const others = othersIn(got, whole);
  if (others.length > 0) throw new Error(`${name}: expected the same bytes, got others in ${others.join(", ")}`);
}

/** Fails where a folder holds something that its readers would take for whole and that is not. */
export async function checkWhole(output: string): Promise<void> {
  if ((await files.stat(output)) === null) return;
  for (const entry of await readdir(output, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (
      path
        .slice(output.length)
        .split("/")
        .some((part) => part.startsWith("."))
    )
      continue;
    if (entry.isDirectory() && /^(step-\d+|adapter)$/.test(entry.name)) {
      if ((await files.stat(join(path, SUMS_FILE))) === null) throw new Error(`${path} has no digests`);
      await checkSums(files, path);
    }
    if (entry.name === "run.json") await readRun(files, entry.parentPath);
    if (entry.name === "config.json" && entry.parentPath === output && !(await isUnfinished(files, output)))
      await checkSums(files, output);
    if (entry.name === "page.html" && !(await readFile(path, "utf8")).trimEnd().endsWith("</html>"))
      throw new Error(`${path} ends in the middle`);
  }
}

/**
 * Goes on as a person would: the same command, and where that is refused the one that its message names. Gives the message of a command
 * that found everything done.
 */
export async function goOn(folder: string, { name, argv, essence }: Subject, output: string, whole: Essence) {
  const again = await deft(folder, argv(output));
  if (again.code === 0) return;
  const isDone = othersIn(await essence(output), whole).length === 0;
  if (again.code === 2 && isDone && /expected a new folder/.test(again.err)) return;
  if (again.code !== 2 || !again.err.includes("--resume"))
    throw new Error(`${name}: expected a command to go on with, got exit code ${again.code}\n${again.err}`);
  const resumed = await deft(folder, [...argv(output), "--resume"]);
  if (resumed.code !== 0) throw new Error(`${name}: expected it to go on by --resume, got\n${resumed.err}`);
}
