// Models that write, as compression measures them: texts for their score, logits over given texts for how far they moved.

import type { EncodedExamples } from "../../data/index.ts";
import { InternalError } from "../../errors.ts";
import { scoringBatches, writtenTexts } from "../../evaluate/index.ts";
import { cast, exp, logSoftmax, matmul, mul, reduceSum, reshape, sub, type Value } from "../../graph/index.ts";
import {
  type GenerationOptions,
  openGenerator,
  openScorer,
  type Scorer,
  type SparseMlpPlan,
} from "../../infer/index.ts";
import type { MergedModel } from "../../load/index.ts";
import { anyModel, type EncoderDecoderModel } from "../../models/index.ts";
import { compose, flattenRows, type Hooks, none } from "../../nn/index.ts";
import { untrained } from "../../peft/index.ts";
import type { PlainModel } from "../../prune/index.ts";
import type { Backend } from "../../runtime/index.ts";
import { SCORING_BATCH } from "../../settings/index.ts";
import {
  buildTaskGraph,
  IGNORED_LABEL,
  type ModelBatch,
  type ModelBundle,
  type TaskScore,
  writingTask,
} from "../../tasks/index.ts";
import { type Tensor, zeros } from "../../tensor/index.ts";
import type { CompressData } from "./data.ts";

/** A model that writes, of which nothing is trained; its method is what is put around its layers. */
export interface WritingModel extends ModelBundle {
  readonly model: EncoderDecoderModel;
  /** Which MLPs of the decoder are read by rows while it writes; null: none. */
  readonly decoding: SparseMlpPlan | null;
}

/** A plain model that writes, with the method beside it; `hooks` are put behind the method's. */
export function plainWriting({ config, weights, beside }: PlainModel, hooks: Hooks = none): WritingModel {
  const model = anyModel(config, undefined, weights);
  if (!model.writes) throw new InternalError(`${model.config.modelType} writes nothing`);
  const method = { ...untrained(), hooks: compose(beside?.method.hooks ?? none, hooks) };
  const trained = beside?.tensors ?? new Map<string, Tensor>();
  return { model, method, head: HEAD, alsoTrains: new Set(), weights, trained, decoding: null };
}

const HEAD = { kind: "language-model" } as const;
/** The vocabulary's logits are wide: few texts at a time. */
const LOGITS_BATCH = 8;

/** Texts with `fed` beside what they are made from, as the task scores them. */
export interface OpenWriting {
  said(examples: EncodedExamples, fed?: ReadonlyMap<string, Tensor>): Promise<TaskScore>;
  dispose(): Promise<void>;
}

/** Opens the programs that write; several are open at once, so weights stay where they lie. Errors as `Backend.compile`. */
export async function openWriting(
  backend: Backend,
  written: WritingModel,
  { opened: { base } }: Pick<MergedModel, "opened">,
  { task, generation }: { readonly task: CompressData["task"]; readonly generation: GenerationOptions },
): Promise<OpenWriting> {
  const generator = await openGenerator({ ...written, backend, sparseMlp: written.decoding });
  // only a question of several windows asks how likely its texts are
  let scorer: Promise<Scorer> | null = null;
  const record = writingTask(task.kind);
  return {
    async said(examples, fed = new Map()) {
      const scored = record.needsScore(examples);
      const isScored = Array.from({ length: examples.count }, (_, row) => row).some(scored);
      if (isScored) scorer ??= openScorer({ ...written, backend, density: false });
      const writing = { generator, scorer: isScored ? await scorer : null, tokenizer: base.tokenizer, generation };
      const batches = scoringBatches(examples, HEAD, "longest", SCORING_BATCH);
      const all = new Map([...written.trained, ...fed]);
      return record.score(await writtenTexts(writing, all, batches, examples.count, scored), examples, task);
    },
    async dispose() {
      await generator.dispose();
      await (await scorer)?.dispose();
    },
  };
}

/** What a model would write next, against the same program fed otherwise, while it is told the texts that are to be written. */
export interface OpenDivergence {
  /** Mean over label tokens of Kullback and Leibler's divergence of the next token with `fed` from that with `dense`, in nats; 0 without label tokens. */
  divergence(
    examples: EncodedExamples,
    fed: ReadonlyMap<string, Tensor>,
    dense: ReadonlyMap<string, Tensor>,
  ): Promise<number>;
  dispose(): Promise<void>;
}

/**
 * Opens the teacher-forced program. What is kept of the dense model is the head's input `[B, T, D]`, not its logits `[B, T, V]`.
 * Distributions are compared, not logits: what all words' logits share moves no probability. Errors as `Backend.compile`.
 */
export async function openDivergence(backend: Backend, written: WritingModel): Promise<OpenDivergence> {
  const { model, weights } = written;
  const tapped: Value[] = [];
  const headTap: Hooks = {
    linear(site, x, y) {
      if (site.path === "lm_head") tapped.push(x);
      return y;
    },
  };
  const method = { ...untrained(), hooks: compose(written.method.hooks, headTap) };
  const { graph, attended } = buildTaskGraph({ model, method, head: HEAD });
  const [read] = tapped;
  if (read === undefined) throw new InternalError("a head without a linear layer");
  const { vocabSize, hiddenSize, tiedHead } = model.config;
  const table = graph.parameter(tiedHead ? "shared.weight" : "lm_head.weight", [vocabSize, hiddenSize]);
  const logShares = (states: Value) => logSoftmax(matmul(flattenRows(states), table, { transB: true }));
  const [now, before] = [logShares(read), logShares(graph.input("reference", "float32", read.shape))];
  const lost = reduceSum(mul(exp(before), sub(before, now)), { axes: [1] });
  const counted = cast(attended.decoder!, "float32");
  const distance = reduceSum(mul(lost, reshape(counted, lost.shape)));
  const program = await backend.compile({ states: read, distance, tokens: reduceSum(counted) }, { weights });
  const kept = new WeakMap<EncodedExamples, Tensor[]>();
  const run = ({ inputs }: ModelBatch, fed: ReadonlyMap<string, Tensor>, reference: Tensor) =>
    program.run({ ...inputs, ...Object.fromEntries(written.trained), ...Object.fromEntries(fed), reference });
  const batchesOf = (examples: EncodedExamples) => scoringBatches(examples, HEAD, "longest", LOGITS_BATCH);
  const referencesOf = async (examples: EncodedExamples, dense: ReadonlyMap<string, Tensor>) => {
    const references: Tensor[] = [];
    for (const batch of batchesOf(examples)) {
      const [rows, length] = batch.inputs.labels!.shape as readonly [number, number];
      references.push((await run(batch, dense, zeros("float32", [rows, length, hiddenSize]))).states!);
    }
    return references;
  };
  return {
    async divergence(examples, fed, dense) {
      const references = kept.get(examples) ?? (await referencesOf(examples, dense));
      kept.set(examples, references);
      let [sum, tokens, at] = [0, 0, 0];
      for (const batch of batchesOf(examples)) {
        const outputs = await run(batch, fed, references[at++]!);
        sum += Number(outputs.distance!.data[0]);
        tokens += Number(outputs.tokens!.data[0]);
      }
      // rounding puts what is the same a little below 0
      return tokens === 0 ? 0 : Math.max(0, sum / tokens);
    },
    dispose: () => program.dispose(),
  };
}

/** The largest difference of two models' logits over the texts that are to be written, at label positions. */
export async function writtenDifference(
  backend: Backend,
  models: readonly [WritingModel, WritingModel],
  examples: EncodedExamples,
): Promise<number> {
  const open = (written: WritingModel) => openScorer({ ...written, backend, density: false, fetch: true });
  const first = await open(models[0]);
  const second = await open(models[1]);
  let worst = 0;
  try {
    for (const batch of scoringBatches(examples, HEAD, "longest", LOGITS_BATCH)) {
      const [a, b] = [await first.run(models[0].trained, batch), await second.run(models[1].trained, batch)];
      worst = Math.max(worst, largestDifference(a.logits!, b.logits!, batch.inputs.labels!));
    }
  } finally {
    await first.dispose();
    await second.dispose();
  }
  return worst;
}

function largestDifference(a: Tensor, b: Tensor, labels: Tensor): number {
  const width = a.shape.at(-1)!;
  let worst = 0;
  labels.data.forEach((label: number | bigint, position: number) => {
    if (Number(label) === IGNORED_LABEL) return;
    for (let v = position * width; v < (position + 1) * width; v++)
      worst = Math.max(worst, Math.abs(Number(a.data[v]) - Number(b.data[v])));
  });
  return worst;
}
