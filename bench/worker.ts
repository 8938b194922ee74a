// Our side of the benchmarks: a process that answers one JSON line for each it reads, like peer.py.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { between, moment } from "../src/cli/bench-clock.ts";
import { openScorer, type Scorer } from "../src/infer/index.ts";
import type { ModelBatch } from "../src/tasks/index.ts";
import { int64 } from "../src/tensor/index.ts";
import { initialParameters, type TrainStep } from "../src/train/index.ts";
import { openSteps, openTraining, STEP_RATES, type TrainingOptions } from "./training.ts";

interface Request {
  readonly do: "step" | "eval" | "memory";
  readonly batch: Readonly<Record<"tokenIds" | "attentionMask" | "typeIds", readonly (readonly number[])[]>> & {
    /** Of each text, or of each of its answer's tokens. */
    readonly labels: readonly (number | readonly number[])[];
  };
}

const options = JSON.parse(process.argv[2]!) as TrainingOptions;
const training = await openTraining(options);
const isT5 = training.model.writes;
let optimizer: TrainStep | null = null;
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
  optimizer ??= await openSteps(training, options, batch);
  const result = await optimizer.step(++steps, [batch], STEP_RATES);
  return result.loss;
}

async function evaluate(batch: ModelBatch): Promise<number> {
  scorer ??= await openScorer({ ...training, density: false });
  const open = scorer;
  const trained =
    (await optimizer?.readParameters()) ??
    (await initialParameters(
      open.parameters.filter((p) => p.trainable),
      training.weights,
      0,
    ));
  const { logits } = await open.score(trained, [batch], batch.indices.length);
  return logits.reduce((a, b) => a + b, 0);
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
