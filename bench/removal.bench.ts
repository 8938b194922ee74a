// A run that removes neurons against plain PEFT: neurons behind masks, and neurons that leave the step, at each part of a run, interleaved in one process.
//   npx tsx bench/removal.bench.ts --rounds 8 --steps 1000 [--shape minilm --keep 0.25 --density --batch 16 --length 128 --threads 1,all]
import { parseArgs } from "node:util";
import { nodeFiles } from "../src/hub/files-node.ts";
import { openCheckpoint } from "../src/hub/index.ts";
import { stepMemory } from "../src/jobs/train/step-memory.ts";
import { withExtras } from "../src/load/index.ts";
import { keptShareAt } from "../src/optim/index.ts";
import { isNeuronMask, NeuronRemoval } from "../src/prune/index.ts";
import type { ModelBatch } from "../src/tasks/index.ts";
import { int64 } from "../src/tensor/index.ts";
import { CompactingOptimizer, compactionSteps, openOptimizer, type TrainStep } from "../src/train/index.ts";
import {
  median,
  noHeadline,
  oneThreadCount,
  type PhaseTime,
  type Rounds,
  roundsText,
  takeRounds,
  timed,
  timesText,
  took,
} from "./rounds.ts";
import { openTraining, STEP_RATES } from "./training.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "minilm" },
    rounds: { type: "string", default: "8" },
    steps: { type: "string", default: "1000" },
    keep: { type: "string", default: "0.25" },
    density: { type: "boolean", default: false },
    batch: { type: "string", default: "16" },
    length: { type: "string", default: "128" },
    threads: { type: "string", default: "1,all" },
  },
});
const threads = oneThreadCount(values.threads);
const totalSteps = Number(values.steps);
const checkpoint = `.cache/bench/${values.shape}`;
const training = await openTraining({ checkpoint, threads, density: values.density, dropout: 0.1 });
const { model, weights, method } = training;
const { config } = await openCheckpoint(nodeFiles(), checkpoint);

/** As `deft train --keep-neurons` has it where nothing else is said. */
const schedule = {
  keep: Number(values.keep),
  startStep: Math.floor(0.2 * totalSteps),
  endStep: Math.round(0.6 * totalSteps),
  interval: Math.max(1, Math.round(0.01 * totalSteps)),
} as const;
const points = compactionSteps(schedule);

const extras = { masks: true, shifts: !model.writes, gates: false };
const kept = { memory: "balanced", recompute: null, staged: null } as const;
const mostTokens = Number(values.batch) * (Number(values.length) + (model.writes ? 32 : 0));
const plain = {
  ...training,
  ...stepMemory(kept, { mostTokens }, training.backend),
  seed: 0,
  accumulate: 1,
  weightDecay: 0.01,
  maxGradNorm: 1,
  density: null,
};
const removing = {
  ...plain,
  method: withExtras(method, extras),
  density: values.density ? ({ positions: "attended" } as const) : null,
  neuronEnergies: true,
};
const settled = withExtras(method, { ...extras, masks: false });

const SIDES: Readonly<Record<string, () => Promise<TrainStep>>> = {
  "plain PEFT": () => openOptimizer(plain),
  masked: () => openOptimizer(removing),
  leaving: () => CompactingOptimizer.open({ ...removing, compaction: { config, settled, steps: points } }),
};
const names = Object.keys(SIDES);

function fixedBatch(): ModelBatch {
  const [rows, length] = [Number(values.batch), Number(values.length)];
  const fill = (shape: readonly [number, number?], value: (i: number) => number) =>
    int64(
      shape as readonly number[],
      Array.from({ length: shape[0] * (shape[1] ?? 1) }, (_, i) => value(i)),
    );
  return {
    inputs: {
      tokenIds: fill([rows, length], (i) => 5 + ((i * 7919) % 900)),
      attentionMask: fill([rows, length], () => 1),
      ...(model.writes ? {} : { typeIds: fill([rows, length], () => 0) }),
      labels: model.writes ? fill([rows, 32], (i) => 5 + (i % 900)) : fill([rows], (i) => i % 2),
    },
    indices: Array.from({ length: rows }, (_, i) => i),
    attendedTokens: rows * length,
  };
}

/** Leaves the share of neurons that the schedule leaves after `step`, in every layer the first ones. */
async function mask(optimizer: TrainStep, step: number): Promise<void> {
  const share = keptShareAt(schedule.keep, schedule.startStep, schedule.endStep, step);
  for (const { data } of (await optimizer.readParameters(isNeuronMask)).values())
    (data as Float32Array).fill(0, Math.round(share * data.length));
}

/** A part of a run whose steps cost the same: where it begins and how long it is. */
interface Part {
  readonly from: number;
  readonly length: number;
  readonly rounds: Rounds<PhaseTime>;
}

const batch = fixedBatch();
const optimizers: TrainStep[] = [];
for (const name of names) optimizers.push(await SIDES[name]!());

const removal = new NeuronRemoval({ ...schedule, scope: "layer", sites: model.mlps, weights, method: method.settings });
const masked = optimizers[names.indexOf("masked")]!;
await masked.step(1, [batch], STEP_RATES);
await removal.note(1, masked.energies, () => masked.readParameters());
/** One change of the masks, of which a removal makes as many as it has intervals. */
const choosing = await timed(() =>
  removal.note(schedule.startStep + schedule.interval, masked.energies, () => masked.readParameters()),
);
const changes = (schedule.endStep - schedule.startStep) / schedule.interval;

const parts: Part[] = [];
const compiling: PhaseTime = { ms: 0, processorMs: 0 };
for (const [i, from] of [0, ...points].entries()) {
  const length = ([...points, totalSteps][i] ?? totalSteps) - from;
  let step = from;
  const sides = optimizers.map((optimizer) => () => timed(() => optimizer.step(step, [batch], STEP_RATES)));
  for (const optimizer of optimizers) await mask(optimizer, from);
  step = from + 1;
  const first = await sides[2]!();
  await sides[2]!();
  const rounds = await takeRounds(sides, { rounds: Number(values.rounds), warmup: 1 });
  parts.push({ from, length, rounds });
  show(parts.at(-1)!);
  if (i === 0) continue;
  for (const clock of ["ms", "processorMs"] as const)
    Object.assign(compiling, { [clock]: compiling[clock] + first[clock] - median(rounds.counted.map(took(2, clock))) });
}

/** A part as it was measured. */
function show({ from, length, rounds }: Part): void {
  const share = keptShareAt(schedule.keep, schedule.startStep, schedule.endStep, from);
  console.log(`steps ${from + 1} to ${from + length}, ${(100 * share).toFixed(0)} % of the neurons left`);
  names.forEach((name, side) => {
    console.log(`  ${name}: ${timesText(rounds, side)}`);
  });
  console.log(`  ${roundsText(rounds)}`);
}

/** What all steps of a run take, in steps of plain PEFT: ratios are of the same round, as the machine's speed changes from part to part. */
function whole(side: number, clock: keyof PhaseTime): number {
  let steps = 0;
  for (const { length, rounds } of parts)
    steps += length * median(rounds.counted.map((answers) => took(side, clock)(answers) / took(0, clock)(answers)));
  const plainMs = median(parts.flatMap(({ rounds }) => rounds.counted.map(took(0, clock))));
  const chosen = side > 0 ? changes * choosing[clock] : 0;
  return steps + (chosen + (side === 2 ? compiling[clock] : 0)) / plainMs;
}

const all = (clock: keyof PhaseTime) =>
  `${changes.toFixed(0)} choices of ${choosing[clock].toFixed(0)} ms, compiling ${points.length} times ${compiling[clock].toFixed(0)} ms`;
console.log(`${totalSteps} steps; wall: ${all("ms")}; processor: ${all("processorMs")}`);
for (const [side, name] of names.entries()) {
  const gain = (clock: keyof PhaseTime) => (totalSteps / whole(side, clock)).toFixed(3);
  console.log(`  ${name}: ×${gain("ms")} as fast as plain PEFT, by processor time ×${gain("processorMs")}`);
}
const noisy = parts.find(({ rounds }) => rounds.isReliable === false);
if (noisy) console.log(`  ${noHeadline(noisy.rounds)}`);
for (const optimizer of optimizers) await optimizer.dispose();
