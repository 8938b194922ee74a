// Runs one case of a record through our own rooms and compares everything that the record holds.

import { openScorer } from "../../src/infer/index.ts";
import { isDecayed, learningRateAt } from "../../src/optim/index.ts";
import type { Method } from "../../src/peft/index.ts";
import type { Backend } from "../../src/runtime/index.ts";
import { buildTaskGraph, type ModelBatch, stackPositions } from "../../src/tasks/index.ts";
import { float32, scalarOf, type Tensor, zeros } from "../../src/tensor/index.ts";
import {
  buildStep,
  initialParameters,
  Optimizer,
  type StepOptions,
  type StepRates,
  type StepResult,
  stepScales,
} from "../../src/train/index.ts";
import { type Comparison, largestOf } from "./comparison.ts";
import { named, type Objective, type ParityCase, type TrainingRecord } from "./records.ts";

type Positions = "attended" | "all";

export interface CompareOptions {
  readonly backend: Backend;
  readonly comparison: Comparison;
  /** Makes the record's method anew for each graph. */
  readonly method: () => Method;
  /** Our name of a trainable whose record has another; the same by default. */
  readonly ourName?: (name: string) => string;
  /** The position modes of the density loss to compare; both by default. */
  readonly positions?: readonly Positions[];
}

interface Context extends Required<CompareOptions> {
  readonly one: ParityCase;
  readonly start: ReadonlyMap<string, Tensor>;
}

/** Compares names, logits, losses, gradients, 20 steps, the end and the density counts of one case. */
export async function compareCase(one: ParityCase, options: CompareOptions): Promise<void> {
  const { record } = one;
  const { comparison } = options;
  const place = record.case;
  const { trainable } = buildStep(stepOptions(one, options.method(), "attended"));
  const full = { ourName: (name: string) => name, positions: ["attended", "all"] as const, ...options };
  comparison.sameNames(
    `${place}: trainables`,
    trainable.map(({ name }) => name),
    record.trainables.map(({ name }) => full.ourName(name)),
  );
  // nothing can be fed when the names differ
  if (comparison.problems.some((line) => line.startsWith(`${place}: trainables`))) return;
  for (const { name, shape, decays } of record.trainables) {
    const ours = trainable.find((spec) => spec.name === full.ourName(name))!;
    comparison.sameNames(`${place}: ${name}`, [ours.shape.join()], [shape.join()]);
    comparison.sameNames(`${place}: ${name} decays`, [`${isDecayed(ours.name)}`], [`${decays}`]);
  }
  const context: Context = { ...full, one, start: await initialParameters(trainable, one.weights, 0) };
  await compareScores(context);
  if (named(one.tensors, "activation/").length > 0 && record.method.kind === "full") await compareActivations(context);
  for (const positions of context.positions) {
    await compareGradients(context, positions);
    await compareTraining(context, positions);
  }
}

function stepOptions({ model, head, record }: ParityCase, method: Method, positions: Positions): StepOptions {
  const training = Object.values(record.training)[0]!;
  return {
    model,
    method,
    head,
    density: { positions },
    distillation: record.distillation ?? null,
    classWeights: record.classWeights ?? null,
    // dropout is off in the records: the tiny configs say so, a real one may not
    training: record.checkpoint !== null,
    weightDecay: training.weightDecay,
    maxGradNorm: training.maxGradNorm,
  };
}

async function compareScores(context: Context): Promise<void> {
  const { one, comparison, backend, method, start } = context;
  const { record, tensors, model, head, weights, batches } = one;
  const place = record.case;
  const scorer = await openScorer({ model, head, method: method(), weights, backend, density: true, fetch: true });
  const first = batches[0]!;
  const { loss } = await scorer.score(start, [first], first.indices.length);
  const outputs = await scorer.run(start, first);
  const wanted = tensors.get("forward/logits")!;
  const logits = outputs.logits ?? interleaved(outputs.startLogits!, outputs.endLogits!);
  comparison.tensor("logits", `${place}: logits`, logits, wanted, record.forward.logitsNoise);
  // where nothing is measured, the last block computes what the head reads alone
  const short = await openScorer({ model, head, method: method(), weights, backend, density: false, fetch: true });
  const said = await short.run(start, first);
  await short.dispose();
  const alone = said.logits ?? interleaved(said.startLogits!, said.endLogits!);
  comparison.tensor("logits", `${place}: logits without density`, alone, wanted, record.forward.logitsNoise);
  // scoring asks for the labels alone, which weigh alike
  if (record.distillation === undefined && record.classWeights === undefined)
    comparison.number("loss", `${place}: task loss`, loss, record.forward.taskLoss, record.forward.taskLossNoise);
  let count = 0;
  const indexed = batches.map((batch): ModelBatch => {
    const indices = Array.from(batch.indices, () => count++);
    return { ...batch, indices };
  });
  const { density } = await scorer.score(start, indexed, count);
  await scorer.dispose();
  comparison.sameNames(
    `${place}: taps`,
    density!.layers.map(({ site }) => site),
    record.forward.taps,
  );
  for (const want of record.measurement) {
    const got = density!.layers.find(({ site }) => site === want.site)!;
    const at = `${place}: ${want.site}`;
    comparison.count(`${at} nonzero`, Math.round(got.exact * want.entries), want.nonzero, want.nonzeroNear);
    for (const [tau, above] of Object.entries(want.above)) {
      const ours = Math.round(got.thresholds[String(Number(tau))]! * want.entries);
      comparison.count(`${at} above ${tau}`, ours, above, want.aboveNear[tau]!);
    }
    // a share of each sample's own size: one entry weighs most in the shortest batch
    const shortest = Math.min(...batches.map((batch) => stackPositions(batch)[got.stack]!.length));
    const heaviest = 1 / (shortest * want.neurons * want.samples);
    const paperGap = Math.abs(got.paper - want.paper) / heaviest;
    comparison.count(`${at} paper`, paperGap < 1e-6 ? 0 : Math.ceil(paperGap), 0, want.nonzeroAllNear);
    comparison.count(`${at} dead`, got.deadNeurons, want.deadNeurons, want.aboveNear["0.01"]!);
    comparison.count(`${at} rare`, got.rareNeurons, want.rareNeurons, want.aboveNear["0.01"]!);
  }
}

/** `[B, S]` twice as `[B, S, 2]`. */
function interleaved(starts: Tensor, ends: Tensor): Tensor {
  const values = Array.from(starts.data as Float32Array, (start, i) => [start, Number(ends.data[i])]);
  return float32([...starts.shape, 2], values.flat());
}

async function compareActivations({ one, comparison, backend, method, start }: Context): Promise<void> {
  const { taps } = buildTaskGraph({ model: one.model, head: one.head, method: method() });
  const program = await backend.compile(Object.fromEntries(taps.map((tap) => [tap.site, tap.activation])), {
    weights: one.weights,
  });
  const outputs = await program.run({ ...Object.fromEntries(start), ...one.batches[0]!.inputs });
  await program.dispose();
  const wanted = named(one.tensors, "activation/");
  comparison.sameNames(
    `${one.record.case}: activations`,
    Object.keys(outputs),
    wanted.map(([site]) => site),
  );
  for (const [site, want] of wanted)
    comparison.tensor("activation", `${one.record.case}: ${site}`, outputs[site], want);
}

/** Losses of every objective and the gradients of the recorded ones, by the program of one position mode. */
async function compareGradients(context: Context, positions: Positions): Promise<void> {
  const { one, comparison, backend, method, start, ourName } = context;
  const { record, tensors, weights, batches } = one;
  // the task loss alone is a weight of 0
  const chosen = Object.entries(record.objectives).filter(
    ([, objective]) => (objective.positions ?? "attended") === positions,
  );
  const graph = buildStep(stepOptions(one, method(), positions));
  const program = await backend.compile(graph.gradient, { weights });
  const zero = Object.fromEntries([...start].map(([name, { shape }]) => [`grad.${name}`, zeros("float32", shape)]));
  for (const [name, objective] of chosen) {
    const scalars = scalarFeeds(stepScales(graph, [batches[0]!], positions), objective);
    const got = await program.run({ ...Object.fromEntries(start), ...zero, ...batches[0]!.inputs, ...scalars });
    const place = `${record.case}: ${name}`;
    comparison.number("loss", `${place} task loss`, scalarOf(got.taskLoss!), record.forward.taskLoss);
    const density = record.forward.density[name];
    if (density) {
      comparison.number("loss", `${place} density loss`, scalarOf(got.densityLoss!), density.loss, density.noise);
    }
    const want = record.gradients[name];
    if (!want) continue;
    comparison.number("loss", `${place} total`, scalarOf(got.loss!), want.total, want.totalNoise);
    const wanted = named(tensors, `grad/${name}/`);
    comparison.sameNames(
      `${place} gradients`,
      Object.keys(got).filter((key) => key.startsWith("next.grad.")),
      wanted.map(([key]) => `next.grad.${ourName(key)}`),
    );
    for (const [key, expected] of wanted) {
      const gradient = got[`next.grad.${ourName(key)}`];
      if (isRounding(one, key)) {
        comparison.number("zeroGradient", `${place} ${key}`, largestOf(gradient!.data as Float32Array), 0);
        continue;
      }
      const quantity = objective.epsilon === 1e-7 ? "steepGradient" : "gradient";
      comparison.tensor(quantity, `${place} ${key}`, gradient, expected, want.of[key]!.noise);
    }
  }
  await program.dispose();
}

/** Whether a gradient is 0 but for rounding in PyTorch, as that of a key bias. */
function isRounding({ record }: ParityCase, name: string): boolean {
  const { noise, max } = record.gradients["attended-1e-2"]!.of[name]!;
  return noise > 0.1 * max;
}

const worstGap = (got: Tensor | undefined, expected: Tensor): number =>
  largestOf(Array.from(expected.data as Float32Array, (want, i) => Number(got?.data[i]) - want));

function scalarFeeds(scales: Readonly<Record<string, number>>, { epsilon, weight }: Objective): Record<string, Tensor> {
  const scalars = {
    ...scales,
    // the task alone has ε 0, which is 0/0 at a zero
    epsilon: epsilon === 0 ? 1 : epsilon,
    densityWeight: weight,
  };
  return {
    ...Object.fromEntries(Object.entries(scalars).map(([name, value]) => [name, float32([], [value])])),
    dropoutSeed: { dtype: "uint32", shape: [], data: Uint32Array.of(1) },
  };
}

async function compareTraining(context: Context, positions: Positions): Promise<void> {
  const { one, comparison, backend, method, ourName } = context;
  for (const [name, log] of Object.entries(one.record.training)) {
    const objective = one.record.objectives[name]!;
    if (objective.positions !== positions) continue;
    const place = `${one.record.case}: ${name}`;
    const options = stepOptions(one, method(), positions);
    const optimizer = await Optimizer.open({ ...options, weights: one.weights, backend, seed: 0, accumulate: 1 });
    for (let step = 0; step < log.steps; step++) {
      const learningRate = learningRateAt({ ...log, name: log.schedule, totalSteps: log.steps }, step);
      const rates: StepRates = { learningRate, densityWeight: objective.weight, epsilon: objective.epsilon };
      const got = await optimizer.step(step + 1, [one.batches[step % one.batches.length]!], rates);
      compareStep(comparison, `${place} step ${step}`, log, step, { ...got, learningRate });
    }
    const wanted = named(one.tensors, `final/${name}/`);
    const final = await optimizer.readParameters();
    comparison.sameNames(
      `${place} final`,
      final.keys(),
      wanted.map(([key]) => ourName(key)),
    );
    const reach = log.learningRates.reduce((a, b) => a + b, 0);
    for (const [key, expected] of wanted) {
      const got = final.get(ourName(key));
      const quantity = isRounding(one, key) ? "zeroGradientEntry" : "finalEntry";
      comparison.number(quantity, `${place} final ${key}`, reach + worstGap(got, expected), reach);
      if (quantity === "zeroGradientEntry") continue;
      comparison.tensor("final", `${place} final ${key}`, got, expected, log.finalNoise?.[key] ?? 0);
    }
    await optimizer.dispose();
  }
}

function compareStep(
  comparison: Comparison,
  place: string,
  log: TrainingRecord,
  step: number,
  got: StepResult & { readonly learningRate: number },
): void {
  const { noise } = log;
  comparison.number("learningRate", `${place} learning rate`, got.learningRate, log.learningRates[step]!);
  comparison.number("trainingLoss", `${place} task loss`, got.taskLoss, log.taskLosses[step]!, noise?.taskLosses);
  comparison.number(
    "trainingLoss",
    `${place} density`,
    got.densityLoss,
    log.densityLosses[step]!,
    noise?.densityLosses,
  );
  comparison.number("trainingLoss", `${place} total`, got.loss, log.totalLosses[step]!, noise?.totalLosses);
  comparison.number("gradNorm", `${place} norm`, got.gradNorm, log.gradNorms[step]!, noise?.gradNorms);
}
