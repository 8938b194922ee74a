// What mask-safe LoRA costs a training step on a pruned base, with and without dropout, interleaved in one process.
//   npx tsx bench/mask-safe.bench.ts --rounds 8 [--batch 16 --length 128 --targets query,value|all-linear --threads 1,all]
import { parseArgs } from "node:util";
import { nodeFiles } from "../src/hub/files-node.ts";
import { openCheckpoint } from "../src/hub/index.ts";
import { encoderModel, sanitize } from "../src/models/index.ts";
import { lora } from "../src/peft/index.ts";
import { magnitudeMask, maskedWeight, prunableWeights } from "../src/prune/index.ts";
import { nodeBackend } from "../src/runtime/node.ts";
import type { ModelBatch } from "../src/tasks/index.ts";
import { int64, type Weights } from "../src/tensor/index.ts";
import { Optimizer } from "../src/train/index.ts";
import { noHeadline, oneThreadCount, ratioText, roundsText, takeRounds, timed, timesText, took } from "./rounds.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: ".cache/minilm/model" },
    rounds: { type: "string", default: "8" },
    batch: { type: "string", default: "16" },
    length: { type: "string", default: "128" },
    threads: { type: "string", default: "1,all" },
    targets: { type: "string", default: "query,value" },
  },
});
const threads = oneThreadCount(values.threads);

/** The model with half of each matrix zero. */
async function prunedBase() {
  const { config, weights } = await openCheckpoint(nodeFiles(), values.model);
  const model = encoderModel(config);
  const base = sanitize(model.config, weights);
  const pruned = new Map(base);
  for (const { name } of prunableWeights(model, base)) {
    const { data, shape } = await base.get(name)!.read();
    const mask = magnitudeMask(data as Float32Array, shape[1]!, { kind: "ratio", ratio: 0.5 });
    pruned.set(name, maskedWeight(base.get(name)!, mask));
  }
  return { model, weights: pruned as Weights };
}

function fixedBatch(batch: number, length: number): ModelBatch {
  const fill = (value: (i: number) => number) =>
    int64(
      [batch, length],
      Array.from({ length: batch * length }, (_, i) => value(i)),
    );
  const labels = int64(
    [batch],
    Array.from({ length: batch }, (_, i) => i % 2),
  );
  const inputs = {
    tokenIds: fill((i) => 5 + ((i * 7919) % 900)),
    attentionMask: fill(() => 1),
    typeIds: fill(() => 0),
    labels,
  };
  return { inputs, indices: Array.from({ length: batch }, (_, i) => i), attendedTokens: batch * length };
}

const base = await prunedBase();
const targets = values.targets === "all-linear" ? "all-linear" : values.targets.split(",");
const variants = [
  { name: "LoRA, dropout 0.1", dropout: 0.1, maskSafe: false },
  { name: "mask-safe, dropout 0.1", dropout: 0.1, maskSafe: true },
  { name: "LoRA, dropout 0", dropout: 0, maskSafe: false },
  { name: "mask-safe, dropout 0", dropout: 0, maskSafe: true },
];
const optimizers = [];
for (const { dropout, maskSafe } of variants) {
  optimizers.push(
    await Optimizer.open({
      ...base,
      method: lora({ rank: 8, alpha: 16, dropout, targets, maskSafe }),
      head: { kind: "classification", numLabels: 2 },
      alsoTrains: new Set([
        "classifier.weight",
        "classifier.bias",
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
      ]),
      backend: nodeBackend({ threads, sleepThreads: true }),
      seed: 1,
      accumulate: 1,
      weightDecay: 0.01,
      maxGradNorm: 1,
      density: null,
    }),
  );
}
const batch = fixedBatch(Number(values.batch), Number(values.length));
const sides = optimizers.map((optimizer) => (round: number) => {
  const rates = { learningRate: 1e-4, densityWeight: 0, epsilon: 1e-3 };
  return timed(() => optimizer.step(round + 1, [batch], rates));
});
const rounds = await takeRounds(sides, { rounds: Number(values.rounds), warmup: 1 });
for (const [i, { name, maskSafe }] of variants.entries()) {
  const ratio = (clock: "ms" | "processorMs") => ratioText(rounds, took(i, clock), took(i - 1, clock));
  const ratios = () =>
    rounds.isReliable === false
      ? noHeadline(rounds)
      : `${ratio("ms")} of LoRA's, of its processor time ${ratio("processorMs")}`;
  console.log(`${name}: ${timesText(rounds, i)}${maskSafe ? `; ${ratios()}` : ""}`);
}
console.log(roundsText(rounds));
for (const optimizer of optimizers) await optimizer.dispose();
