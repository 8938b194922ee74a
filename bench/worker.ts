// Our side of the benchmarks: a process that answers one JSON line for each it reads, like peer.py.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { between, moment } from "../src/cli/bench-clock.ts";
import { nodeFiles } from "../src/hub/files-node.ts";
import { openCheckpoint } from "../src/hub/index.ts";
import { openScorer, type Scorer } from "../src/infer/index.ts";
import { anyModel, sanitize } from "../src/models/index.ts";
import { lora } from "../src/peft/index.ts";
import { nodeBackend } from "../src/runtime/node.ts";
import type { HeadKind, ModelBatch } from "../src/tasks/index.ts";
import { int64 } from "../src/tensor/index.ts";
import { initialParameters, Optimizer } from "../src/train/index.ts";

interface Options {
  readonly checkpoint: string;
  readonly threads: number;
  readonly density: boolean;
  readonly dropout: number;
  readonly targets?: readonly string[];
  readonly compile?: Readonly<Record<string, boolean>>;
  readonly recompute?: boolean;
}
interface Request {
  readonly do: "step" | "eval" | "memory";
  readonly batch: Readonly<Record<"tokenIds" | "attentionMask" | "typeIds", readonly (readonly number[])[]>> & {
    /** Of each text, or of each of its answer's tokens. */
    readonly labels: readonly (number | readonly number[])[];
  };
}

const options = JSON.parse(process.argv[2]!) as Options;
const { config, weights } = await openCheckpoint(nodeFiles(), options.checkpoint);
const model = anyModel(config, options.checkpoint, weights);
const isT5 = model.writes;
const base = sanitize(model.config, weights);
const targets = options.targets ?? (isT5 ? ["q", "v"] : undefined);
const method = lora({ dropout: options.dropout, ...(targets ? { targets } : {}) });
const backend = nodeBackend({ threads: options.threads, sleepThreads: true });
const head: HeadKind = isT5 ? { kind: "language-model" } : { kind: "classification", numLabels: 2 };
let optimizer: Optimizer | null = null;
let scorer: Scorer | null = null;
let steps = 0;

function answer(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function toBatch({ tokenIds, attentionMask, typeIds, labels }: Request["batch"]): ModelBatch {
  const shape = [tokenIds.length, tokenIds[0]!.length];
  return {
    inputs: {
      tokenIds: int64(shape, tokenIds.flat()),
      attentionMask: int64(shape, attentionMask.flat()),
      ...(isT5 ? {} : { typeIds: int64(shape, typeIds.flat()) }),
      labels: int64(isT5 ? [labels.length, labels.flat().length / labels.length] : [labels.length], labels.flat()),
    },
    indices: labels.map((_, i) => i),
    attendedTokens: attentionMask.flat().reduce((a, b) => a + b, 0),
  };
}

async function step(batch: ModelBatch): Promise<number> {
  optimizer ??= await Optimizer.open({
    model,
    method,
    head,
    weights: base,
    backend,
    seed: 0,
    accumulate: 1,
    weightDecay: 0.01,
    maxGradNorm: 1,
    ...(options.recompute ? { recompute: true } : {}),
    density: options.density ? { positions: "attended" } : null,
    ...(options.compile ? { compile: options.compile } : {}),
  });
  const result = await optimizer.step(++steps, [batch], { learningRate: 3e-4, densityWeight: 1, epsilon: 1e-3 });
  return result.loss;
}

async function evaluate(batch: ModelBatch): Promise<number> {
  scorer ??= await openScorer({
    model,
    method,
    head,
    weights: base,
    backend,
    density: false,
    ...(options.compile ? { compile: options.compile } : {}),
  });
  const open = scorer;
  const trained =
    (await optimizer?.readParameters()) ??
    (await initialParameters(
      open.parameters.filter((p) => p.trainable),
      base,
      0,
    ));
  const { logits } = await open.run(trained, batch);
  return (logits!.data as Float32Array).reduce((a, b) => a + b, 0);
}

answer({ ready: true, ms: performance.now() });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  if (request.do === "memory") {
    const status = readFileSync("/proc/self/status", "utf8");
    const kilobytes = (key: string) => Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)![1]) * 1024;
    const { processorMs } = moment();
    answer({ peak: kilobytes("VmHWM"), present: kilobytes("VmRSS"), processorMs });
    continue;
  }
  const batch = toBatch(request.batch);
  const began = moment();
  const value = request.do === "step" ? await step(batch) : await evaluate(batch);
  answer({ ...between(began, moment()), value });
}
