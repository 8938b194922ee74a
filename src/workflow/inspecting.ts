// What is done with a finished run, or a model with an adapter: evaluate, predict, profile.
import {
  encodeExamples,
  evaluationPlan,
  glueTask,
  isGlueTask,
  makeBatch,
  openDataset,
  splitOf,
  type Task,
  tableTask,
} from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { buildClassifier, type Evaluation, openScorer, type Scorer } from "../infer/index.ts";
import { headOnly, type Method } from "../peft/index.ts";
import { joinPath, type Tensor, zeros } from "../tensor/index.ts";
import type { PredictInput, Prediction, Profile, RunOverrides, RunTarget } from "./api.ts";
import { type BaseModel, missingHead, openBaseModel, usableLength } from "./base-model.ts";
import type { Environment } from "./environment.ts";
import { openEvaluator } from "./evaluator.ts";
import { readRun } from "./run-folder.ts";
import type { Settings } from "./settings.ts";
import { DEFAULTS } from "./settings-defaults.ts";
import { encodeSplit, scoringBatches } from "./task-data.ts";
import { checkTrainedPart, readTrainedPart } from "./trained-part.ts";

const BATCH = 32;

/** A model ready to score: base, method and trained tensors, with the task it was made for where that is known. */
interface Opened {
  readonly base: BaseModel;
  readonly method: Method;
  readonly trained: ReadonlyMap<string, Tensor>;
  readonly alsoTrains: ReadonlySet<string>;
  readonly labels: readonly string[];
  /** The run's settings; null for a bare model. */
  readonly settings: Settings | null;
  readonly isRegression: boolean;
}

/** Score and density on a split. */
export async function evaluateRun(
  environment: Environment,
  target: RunTarget,
  overrides: RunOverrides = {},
): Promise<Evaluation> {
  const opened = await open(environment, target, overrides);
  const { dataset, split } = await openTarget(environment, opened, overrides, true);
  const evaluator = await openEvaluator({
    ...opened,
    task: dataset.task,
    backend: backendOf(environment, overrides, opened.settings),
    padding: overrides.padding ?? opened.settings?.data.padding ?? DEFAULTS.padding,
    batchSize: overrides["batch-size"] ?? BATCH,
  });
  try {
    const examples = await encodeSplit(split, opened.base, { maxLength: maxLengthOf(opened, overrides) });
    return await evaluator.evaluate(opened.trained, split.name, examples);
  } finally {
    await evaluator.dispose();
  }
}

/** Density on a data set, with or without labels. */
export async function profileRun(
  environment: Environment,
  target: RunTarget,
  overrides: RunOverrides = {},
): Promise<Profile> {
  const opened = await open(environment, target, overrides, true);
  const { dataset, split } = await openTarget(environment, opened, overrides, false);
  const { task } = dataset;
  const scorer = await openScorer({
    model: opened.base.model,
    method: opened.method,
    head: profileHead(opened.labels),
    alsoTrains: opened.alsoTrains,
    weights: opened.base.weights,
    backend: backendOf(environment, overrides, opened.settings),
    density: true,
  });
  try {
    const examples = await encodeSplit(split, opened.base, { maxLength: maxLengthOf(opened, overrides) });
    const padding = overrides.padding ?? opened.settings?.data.padding ?? DEFAULTS.padding;
    const scores = await scorer.score(
      opened.trained,
      scoringBatches(examples, task, padding, overrides["batch-size"] ?? BATCH),
      examples.count,
    );
    return {
      model: target.kind === "run" ? target.folder : target.model,
      examples: examples.count,
      tokens: scores.attendedTokens,
      density: scores.density!,
      timing: { examplesPerSecond: (examples.count / scores.durationMs) * 1000, totalMs: scores.durationMs },
    };
  } finally {
    await scorer.dispose();
  }
}

/** Predictions in the order of the inputs, a batch at a time. */
export async function* predictRun(
  environment: Environment,
  target: RunTarget,
  inputs: AsyncIterable<PredictInput> | Iterable<PredictInput>,
  overrides: RunOverrides = {},
): AsyncGenerator<Prediction> {
  const opened = await open(environment, target, overrides);
  const head = opened.isRegression
    ? ({ kind: "regression" } as const)
    : ({ kind: "classification", numLabels: opened.labels.length } as const);
  const scorer = await openScorer({
    model: opened.base.model,
    method: opened.method,
    head,
    alsoTrains: opened.alsoTrains,
    weights: opened.base.weights,
    backend: backendOf(environment, overrides, opened.settings),
    density: false,
  });
  try {
    for await (const group of groups(inputs, overrides["batch-size"] ?? BATCH))
      yield* predictGroup(opened, scorer, group, maxLengthOf(opened, overrides));
  } finally {
    await scorer.dispose();
  }
}

async function* predictGroup(
  opened: Opened,
  scorer: Scorer,
  group: readonly PredictInput[],
  maxLength: number,
): AsyncGenerator<Prediction> {
  const examples = await encodeExamples(
    group.map(({ text, pair }, i) => ({ text, ...(pair === undefined ? {} : { pair }), label: null, line: i + 1 })),
    opened.base.tokenizer,
    { maxLength: usableLength(opened.base, maxLength) },
  );
  const plan = evaluationPlan(examples.lengths, group.length);
  const batch = makeBatch(examples, plan.indices(0), { kind: "classification", padding: "longest" });
  const labels = zeros(opened.isRegression ? "float32" : "int64", [group.length]);
  const logits = await scorer.logits(opened.trained, { ...batch, labels });
  const width = logits.length / group.length;
  const rows = new Map(
    batch.indices.map((index, row) => [index, Array.from(logits.subarray(row * width, (row + 1) * width))]),
  );
  for (let i = 0; i < group.length; i++) yield predictionOf(rows.get(i)!, opened);
}

function predictionOf(logits: readonly number[], { isRegression, labels }: Opened): Prediction {
  if (isRegression) return { value: logits[0]!, logits };
  const largest = Math.max(...logits);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
  const best = logits.indexOf(largest);
  return { label: labels[best]!, score: 1 / total, logits };
}

async function open(
  environment: Environment,
  target: RunTarget,
  overrides: RunOverrides,
  headOptional = false,
): Promise<Opened> {
  const { files } = environment;
  const run = target.kind === "run" ? (await readRun(files, target.folder)).record : null;
  const base = await openBaseModel(
    environment,
    target.kind === "model" ? target.model : (overrides.model ?? run!.settings.model),
  );
  const adapter = target.kind === "run" ? joinPath(target.folder, "adapter") : target.adapter;
  if (adapter === null) return bare(base, headOptional);
  if (target.kind === "run" && (await files.stat(adapter)) === null) {
    throw new ConfigError([{ path: target.folder, expected: "a finished run", got: "one that has not ended" }], {
      hint: `Finish it first: deft train --output ${target.folder} --resume`,
    });
  }
  const part = await readTrainedPart(files, adapter, base);
  const labels = run ? run.labels : part.labels;
  const isRegression = run ? labels.length === 0 : part.sidecar !== null && part.sidecar.labels.length === 0;
  const head = isRegression
    ? ({ kind: "regression" } as const)
    : ({ kind: "classification", numLabels: labels.length } as const);
  const alsoTrains = checkTrainedPart(adapter, part, base, head);
  return {
    base,
    method: part.method,
    trained: part.tensors,
    alsoTrains,
    labels,
    settings: run?.settings ?? null,
    isRegression,
  };
}

/** A model without adapter: its own head, which it must have unless only its insides are measured. */
async function bare(base: BaseModel, headOptional: boolean): Promise<Opened> {
  const { labels } = base.model.config;
  const method: Method = { ...headOnly(), trains: () => false };
  const head = headOptional ? profileHead(labels) : ({ kind: "classification", numLabels: labels.length } as const);
  const missing = missingHead(base, method, head);
  if (missing.size > 0 && !headOptional) {
    throw new ConfigError(
      [{ path: base.name, expected: "a model with a classification head", got: `none (${[...missing].join(", ")})` }],
      {
        hint: "Fine-tune it first with deft train, or give --adapter DIR.",
      },
    );
  }
  return {
    base,
    method,
    // density lies before the head, so any head will do to reach it
    trained: headOptional ? zeroTensors(base, method, head, missing) : new Map(),
    alsoTrains: missing,
    labels,
    settings: null,
    isRegression: labels.length === 1,
  };
}

function profileHead(labels: readonly string[]) {
  return { kind: "classification", numLabels: Math.max(2, labels.length) } as const;
}

function zeroTensors(
  { model }: BaseModel,
  method: Method,
  head: ReturnType<typeof profileHead>,
  names: ReadonlySet<string>,
): Map<string, Tensor> {
  const { parameters } = buildClassifier({ model, method, head });
  return new Map(
    parameters
      .filter(({ name }) => names.has(name))
      .map(({ name, shape }) => [name, zeros("float32", shape.map(Number))]),
  );
}

async function openTarget(environment: Environment, opened: Opened, overrides: RunOverrides, labelsRequired: boolean) {
  const { settings } = opened;
  const task = overrides.task ?? settings?.task;
  const data = overrides.data ?? settings?.data.path;
  const issues = [
    ...(task === undefined
      ? [{ path: "--task", expected: "the task, for a model without a run", got: "nothing" }]
      : []),
    ...(data === undefined ? [{ path: "--data", expected: "a folder or file", got: "nothing" }] : []),
  ];
  if (issues.length > 0) throw new ConfigError(issues);
  const split = overrides.split ?? draftTask(task!).evalSplits[0]!;
  const ownFile = overrides.data !== undefined && overrides.split === undefined;
  const isFile = ownFile && (await environment.files.stat(data!))?.isFolder === false;
  const dataset = await openDataset(environment.files, {
    task: task!,
    data: data!,
    textColumn: overrides["text-column"] ?? settings?.data.textColumn ?? undefined,
    pairColumn: overrides["pair-column"] ?? settings?.data.pairColumn ?? undefined,
    labelColumn: overrides["label-column"] ?? settings?.data.labelColumn ?? undefined,
    limitEval: overrides["limit-eval"] ?? settings?.data.limitEval ?? undefined,
    ...(opened.labels.length > 0 && !opened.isRegression ? { labels: opened.labels } : {}),
    splits: [split],
    // a file given for this very purpose is measured whole; the run's own file keeps its held-out part
    ...(isFile ? { heldOutShare: null } : {}),
    labelsRequired,
  });
  return { dataset, split: splitOf(dataset, split) };
}

function draftTask(name: string): Task {
  return isGlueTask(name)
    ? glueTask(name)
    : tableTask(name, { kind: "classification", labels: [], isPair: name === "text-pair" });
}

function backendOf(environment: Environment, overrides: RunOverrides, settings: Settings | null) {
  return environment.backend(
    overrides.backend ?? settings?.backend ?? DEFAULTS.backend,
    overrides.threads ?? settings?.threads ?? null,
  );
}

function maxLengthOf({ settings }: Opened, overrides: RunOverrides): number {
  return overrides["max-length"] ?? settings?.data.maxLength ?? DEFAULTS["max-length"];
}

async function* groups<T>(items: AsyncIterable<T> | Iterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
