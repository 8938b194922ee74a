// One model of a benchmark in a process of its own: a JSON line in, a JSON line out.

import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { createInterface } from "node:readline";
import type { BenchBatch, BenchJob } from "../jobs/index.ts";
import { between, moment } from "./bench-clock.ts";
import { openOnnxGenerator, openTransformersJsGenerator, type Padded, type TimedRun } from "./bench-generation.ts";
import { timedEngine, timedSession } from "./bench-session.ts";

/** What the worker is asked. */
export type BenchRequest = { readonly do: "run"; readonly batch: BenchBatch } | { readonly do: "memory" };

async function openOnnxRuntime({ path, threads }: BenchJob): Promise<TimedRun> {
  const { InferenceSession, Tensor } = timedEngine();
  const session = await InferenceSession.create(path, {
    ...timedSession(threads),
    graphOptimizationLevel: "all",
    logSeverityLevel: 4,
  });
  return timed(({ shape, ids, mask, types }) => {
    const given: Record<string, BigInt64Array> = { input_ids: ids, attention_mask: mask, token_type_ids: types };
    const feeds = session.inputNames.map((name) => [name, new Tensor("int64", given[name]!, shape)] as const);
    return session.run(Object.fromEntries(feeds));
  });
}

/** A pass as the only phase. */
function timed(pass: (batch: Padded) => Promise<unknown>): TimedRun {
  return async (batch) => {
    const at = moment();
    await pass(batch);
    return { encode: between(at, moment()) };
  };
}

interface TransformersJs {
  readonly env: { localModelPath: string; allowRemoteModels: boolean };
  readonly Tensor: new (type: string, data: BigInt64Array, dims: readonly number[]) => unknown;
  readonly AutoModelForSequenceClassification: {
    from_pretrained(name: string, options: object): Promise<(inputs: object) => Promise<unknown>>;
  };
}

async function openTransformersJs({ path, precision, threads }: BenchJob): Promise<TimedRun> {
  // an optional peer: not a dependency of the package
  const name = "@huggingface/transformers";
  const { env, Tensor, AutoModelForSequenceClassification } = (await import(name)) as TransformersJs;
  env.allowRemoteModels = false;
  env.localModelPath = `${dirname(path)}/`;
  const model = await AutoModelForSequenceClassification.from_pretrained(basename(path), {
    dtype: precision === "int8" ? "q8" : precision,
    device: "cpu",
    session_options: timedSession(threads),
  });
  return timed(({ shape, ids, mask, types }) =>
    model({
      input_ids: new Tensor("int64", ids, shape),
      attention_mask: new Tensor("int64", mask, shape),
      token_type_ids: new Tensor("int64", types, shape),
    }),
  );
}

function open(job: BenchJob): Promise<TimedRun> {
  if (job.writing !== null)
    return job.engine === "transformers.js"
      ? openTransformersJsGenerator(job, job.writing)
      : openOnnxGenerator(job, job.writing);
  return job.engine === "transformers.js" ? openTransformersJs(job) : openOnnxRuntime(job);
}

function padded({ ids: rows, segments, padId }: BenchBatch): Padded {
  const width = Math.max(...rows.map(({ length }) => length));
  const make = () => new BigInt64Array(rows.length * width);
  const [ids, mask, types] = [make().fill(BigInt(padId)), make(), make()];
  rows.forEach((row, r) => {
    row.forEach((id, c) => {
      ids[r * width + c] = BigInt(id);
      mask[r * width + c] = 1n;
      if (c >= segments[r]!) types[r * width + c] = 1n;
    });
  });
  return { shape: [rows.length, width], ids, mask, types };
}

function peakRssBytes(): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}

const answer = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

const job = JSON.parse(process.argv[2]!) as BenchJob;
const started = performance.now();
try {
  const run = await open(job);
  answer({ loadMs: performance.now() - started });
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as BenchRequest;
    if (request.do === "memory") {
      answer({ peakRssBytes: peakRssBytes() });
      continue;
    }
    answer({ times: await run(padded(request.batch)) });
  }
} catch (error) {
  const isAbsent = (error as { code?: string }).code === "ERR_MODULE_NOT_FOUND";
  answer(isAbsent ? { absent: true } : { error: error instanceof Error ? error.message : String(error) });
}
