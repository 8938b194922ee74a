// Workers of a benchmark as child processes that speak JSON lines.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { BackendError } from "../errors.ts";
import type { BenchJob, BenchWorker, ByPhase, PhaseTime, StartWorker } from "../jobs/index.ts";
import { ENGINE_FOLDER } from "./bench-session.ts";
import type { BenchRequest } from "./bench-worker.ts";
import { readyEngine } from "./workflow.ts";

interface Answer {
  readonly loadMs?: number;
  readonly times?: ByPhase<PhaseTime>;
  readonly peakRssBytes?: number;
  readonly absent?: boolean;
  readonly error?: string;
}

/** Starts the process of a job: Node for ONNX Runtime and Transformers.js, `DEFT_PYTHON` or `python3` for PyTorch. */
export const startWorker: StartWorker = async (job) => {
  const child = processOf(job, (await readyEngine()).folder);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-2000);
  });
  // a missing interpreter is no failure of the others
  let missing = false;
  child.on("error", () => {
    missing = true;
  });
  child.stdin.on("error", () => {});
  const read = async (): Promise<Answer> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) return missing ? { absent: true } : { error: stderr.trim().split("\n").at(-1) || "it ended" };
      if (value.startsWith("{")) return JSON.parse(value) as Answer;
    }
  };
  const ask = async (request: BenchRequest): Promise<Answer> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return checked(job, await read());
  };
  const ready = await read();
  if (ready.absent === true) return null;
  const { loadMs } = checked(job, ready);
  return {
    loadMs: loadMs!,
    run: async (batch) => (await ask({ do: "run", batch })).times!,
    peakRssBytes: async () => (await ask({ do: "memory" })).peakRssBytes!,
    end: () => ended(child),
  } satisfies BenchWorker;
};

function checked({ engine, path }: BenchJob, answer: Answer): Answer {
  if (answer.error === undefined) return answer;
  throw new BackendError(engine, "run", `${path}: ${answer.error}`);
}

function processOf(job: BenchJob, engine: string): ChildProcessWithoutNullStreams {
  const env = { ...process.env, HF_HUB_OFFLINE: "1", [ENGINE_FOLDER]: engine, PYTHONWARNINGS: "ignore" };
  if (job.engine === "pytorch") {
    const script = fileURLToPath(new URL("../../assets/bench-peer.py", import.meta.url));
    return spawn(process.env.DEFT_PYTHON ?? "python3", [script, JSON.stringify(job)], { env, stdio: "pipe" });
  }
  const built = fileURLToPath(new URL("./bench-worker.js", import.meta.url));
  // from the sources the worker needs the loader of TypeScript that runs this
  const script = existsSync(built) ? [built] : ["--import", "tsx", built.replace(/\.js$/, ".ts")];
  return spawn(process.execPath, [...script, JSON.stringify(job)], { env, stdio: "pipe" });
}

function ended(child: ChildProcessWithoutNullStreams): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.on("close", () => resolve());
    child.stdin.end();
  });
}
