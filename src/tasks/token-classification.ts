// A label for each word of a text, as in named-entity recognition: read from the word's first token, scored over entities.
import {
  type EncodedExamples,
  type EncodedWords,
  encodeWords,
  isWords,
  type Task,
  tokenPlaces,
} from "../data/index.ts";
import { DataError, InternalError } from "../errors.ts";
import { add, cast, equal, mul, not, reduceSum, reshape, type Value } from "../graph/index.ts";
import { encoderTokenLogits } from "../models/index.ts";
import { flattenRows, sparseCrossEntropy, teacherDivergence } from "../nn/index.ts";
import { int64, type Tensor } from "../tensor/index.ts";
import { balancedWeights, overWeights, weightsOf } from "./class-weights.ts";
import { largestOf } from "./classification.ts";
import { countEntities, type EntityGroup, entityMetrics, groupTokens } from "./entities.ts";
import { entropyOfCounts, entropyOfShares, softmaxOf } from "./entropy.ts";
import type { ExampleLogits } from "./example-logits.ts";
import {
  classesOf,
  type HeadKind,
  type LossOptions,
  type LossTerm,
  type ReadingHead,
  type TaskLoss,
  type TaughtOptions,
} from "./head.ts";
import { paddedLabels } from "./language-model.ts";
import { IGNORED_LABEL, labelTokensIn } from "./model-batch.ts";
import type { AnswerChoices, TaskRecord, TaskScore } from "./task.ts";

export const tokenClassificationHead: ReadingHead = {
  kind: "token-classification",
  name: "a token-classification head",
  gives: (head) => `${classesOf(head)} classes of words`,
  hf: {
    classSuffix: "ForTokenClassification",
    classDoes: "which labels each token",
    autoModelClass: "AutoModelForTokenClassification",
    pipelineTag: "token-classification",
    peftTaskType: "TOKEN_CLS",
    problemType: null,
  },
  modules: ["classifier"],
  classNames: (labels) => labels,
  weighing: {
    balanced: (examples, classes) => balancedWeights(labelCounts(examples, allOf(examples), classes)),
    needs: "training examples with a word of every label",
  },
  writes: false,
  readsFirstOnly: false,
  numLogits: () => 0,
  outputs: (model, root, text, { head }) => ({
    logits: encoderTokenLogits(model, root, text, { kind: "classes", width: classesOf(head) }),
  }),
  exportNames: { logits: "logits" },
  losses: ({ logits }, head, options) => tokenLosses(logits!, classesOf(head), options),
  feeds(examples, indices, { length, isRequired }) {
    const rows = Array.from(indices, (index) => examples.labelList?.(index) ?? null);
    if (isRequired && rows.includes(null)) {
      throw new DataError("batch", { expected: "a label for every word", got: "none for at least one text" });
    }
    const labels = paddedLabels(
      rows.map((row) => row ?? []),
      length,
    );
    return { labels: int64([rows.length, length], labels) };
  },
  chanceLoss: (examples, { labels }, { classWeights: weights = null }) =>
    entropyOfCounts(
      labelCounts(examples, allOf(examples), labels.length).map((count, c) => count * (weights?.[c] ?? 1)),
    ),
  logitsPerExample: (head, length) => length * classesOf(head),
  exampleLogits({ logits }, row, length) {
    const [, tokens, classes] = logits!.shape as readonly [number, number, number];
    const from = row * tokens * classes;
    return [(logits!.data as Float32Array).subarray(from, from + length * classes)];
  },
  teacher: { perToken: true, tensor: teacherTensor, chanceLoss: taughtChance },
};

/**
 * Cross entropy of each labelled token, added up over a text: logits `[B, S, C]`, labels `[B, S]` int64, −100 where none counts; their mean
 * over labelled tokens is the loss of transformers' `BertForTokenClassification`. With a teacher `(1 − weight) · that + weight` times
 * KL(teacher ‖ student) of the same tokens, fed as `teacherLogits` `[B, S, C]`. Class weights weigh the labels' part, whose mean is then
 * over the weights of the labelled tokens.
 */
function tokenLosses(
  logits: Value,
  classes: number,
  { distillation = null, classWeights: weights = null }: LossOptions,
): TaskLoss {
  const { graph } = logits;
  const labels = graph.input("labels", "int64", ["B", "S"]);
  const rows = flattenRows(logits);
  const ofTokens = (values: Value) => reduceSum(reshape(values, labels.shape), { axes: [-1] });
  const term = (values: Value): LossTerm => ({ scale: "labelTokenScale", values, count: labelTokensIn });
  const flat = reshape(labels, [rows.shape[0]!]);
  const each = sparseCrossEntropy(rows, flat);
  const hard = ofTokens(weights === null ? each : mul(each, weightsOf(flat, weights)));
  const hardTerm = (values: Value) => (weights === null ? term(values) : overWeights(values, weights));
  const weight = distillation?.weight ?? 0;
  if (weight === 0) return { labels: { labels }, losses: [hardTerm(hard)] };
  const teacherLogits = graph.input("teacherLogits", "float32", ["B", "S", classes]);
  const isLabelled = cast(not(equal(labels, IGNORED_LABEL)), "float32");
  const apart = reshape(teacherDivergence(rows, flattenRows(teacherLogits)), labels.shape);
  const soft = reduceSum(mul(apart, isLabelled), { axes: [-1] });
  const [ours, theirs] = [mul(hard, 1 - weight), mul(soft, weight)];
  const losses = weights === null ? [term(add(ours, theirs))] : [hardTerm(ours), term(theirs)];
  return { labels: { labels, teacherLogits }, losses };
}

const allOf = ({ count }: EncodedExamples) => Array.from({ length: count }, (_, index) => index);

/** Calls `visit` with each labelled token of some examples: its label, the example's place among them and the token's in it. */
function forLabelled(
  { labelList }: EncodedExamples,
  indices: readonly number[],
  visit: (label: number, place: number, token: number) => void,
): void {
  indices.forEach((index, place) => {
    const labels = labelList?.(index) ?? [];
    for (let token = 0; token < labels.length; token++)
      if (labels[token] !== IGNORED_LABEL) visit(labels[token]!, place, token);
  });
}

function labelCounts(examples: EncodedExamples, indices: readonly number[], classes: number): number[] {
  const counts = Array.from({ length: classes }, () => 0);
  forLabelled(examples, indices, (label) => counts[label]!++);
  return counts;
}

/** `[B, S, C]`; zeros behind a text's end, where no label asks for them. */
function teacherTensor(rows: readonly Float32Array[], length: number, head: HeadKind): Tensor {
  const classes = classesOf(head);
  const data = new Float32Array(rows.length * length * classes);
  for (const [row, logits] of rows.entries()) data.set(logits, row * length * classes);
  return { dtype: "float32", shape: [rows.length, length, classes], data };
}

/** `H(m) − w · mean H(p)` over labelled tokens, m the mean of `(1 − w) · onehot`, by class weights, `+ w · p`, p the teacher's shares. */
function taughtChance(
  examples: EncodedExamples,
  indices: readonly number[],
  rows: readonly Float32Array[],
  { task, weight, classWeights: weights = null }: TaughtOptions,
): number {
  const classes = task.labels.length;
  const weightOf = (label: number) => weights?.[label] ?? 1;
  const counts = weights === null ? null : labelCounts(examples, indices, classes);
  const meanWeight =
    counts === null
      ? 1
      : counts.reduce((sum, count, c) => sum + count * weightOf(c), 0) / counts.reduce((sum, count) => sum + count, 0);
  const mean = new Float64Array(classes);
  let [surprise, tokens] = [0, 0];
  forLabelled(examples, indices, (label, place, token) => {
    const shares = softmaxOf(rows[place]!.subarray(token * classes, (token + 1) * classes));
    surprise += entropyOfShares(shares);
    tokens++;
    for (let c = 0; c < classes; c++)
      mean[c]! += (1 - weight) * Number(label === c) * (weightOf(label) / meanWeight) + weight * shares[c]!;
  });
  return entropyOfShares(mean.map((sum) => sum / tokens)) - (weight * surprise) / tokens;
}

/** The entities of a text; of one given in words, each word's label too. */
export interface EntityPrediction {
  readonly entities: readonly EntityGroup[];
  /** Null for a word that was cut off, or that the tokenizer makes nothing of. */
  readonly tags?: readonly (string | null)[];
}

export const tokenClassification: TaskRecord<EntityPrediction> = {
  kind: "token-classification",
  names: ["token-classification"],
  asksQuestions: false,
  takesWords: true,
  hasClasses: true,
  exampleInput: ["--text", "…"],
  encode: (examples, tokenizer, { maxLength }) => encodeWords(examples, tokenizer, { maxLength }),
  reading: {
    head: tokenClassificationHead,
    score: (logits, examples, { task }) => scoreTags(logits, examples, task),
    answers(logits, examples, choices) {
      if (!isWords(examples)) throw new InternalError("words labelled in examples without words");
      return Array.from({ length: examples.count }, (_, index) =>
        entitiesIn(logits.of(index), examples, index, choices),
      );
    },
  },
  writing: null,
};

/** The tags of each text's labelled words, right and given. */
function scoreTags(logits: ExampleLogits, examples: EncodedExamples, { labels, mainMetric }: Task): TaskScore {
  const classes = labels.length;
  const indices = allOf(examples);
  const [given, right] = [0, 1].map(() => indices.map((): string[] => [])) as [string[][], string[][]];
  forLabelled(examples, indices, (label, index, token) => {
    right[index]!.push(labels[label]!);
    given[index]!.push(labels[largestOf(logits.of(index).subarray(token * classes, (token + 1) * classes))]!);
  });
  const counts = indices.map((index) => countEntities(given[index]!, right[index]!));
  const metricsOn = (some: readonly number[]): Readonly<Record<string, number>> =>
    entityMetrics(some.map((index) => counts[index]!));
  const metrics = metricsOn(indices);
  return {
    metrics,
    score: metrics[mainMetric]!,
    count: examples.count,
    scoreOn: (some) => metricsOn(some)[mainMetric]!,
    outcomes: () =>
      indices.map((index) => {
        const { found, given: ours, right: theirs } = counts[index]!;
        const score = ours + theirs === 0 ? 1 : (2 * found) / (ours + theirs);
        const isKnown = examples.labelList?.(index) != null;
        return {
          line: examples.lines[index]!,
          prediction: given[index]!.join(" "),
          target: isKnown ? right[index]!.join(" ") : null,
          score: isKnown ? score : null,
        };
      }),
  };
}

/** The entities of one text, from the logits of all its tokens, special ones too. */
function entitiesIn(
  logits: Float32Array,
  examples: EncodedWords,
  index: number,
  { labels, tokenizer }: AnswerChoices,
): EntityPrediction {
  const source = examples.sources[index]!;
  const { ids, starts, ends } = tokenPlaces(tokenizer, source);
  const classes = labels.length;
  const around = tokenizer.join([]).ids.length;
  const count = Math.min(ids.length, examples.tokens(index).length - around);
  const first = Math.max(0, tokenizer.join(ids.slice(0, count)).specialTokensMask.indexOf(0));
  const labelled = Array.from({ length: count }, (_, i) => {
    const shares = softmaxOf(logits.subarray((first + i) * classes, (first + i + 1) * classes));
    const best = largestOf(shares);
    const [start, end] = [starts[i]!, ends[i]!];
    const isUnknown = ids[i] === tokenizer.special.unk;
    const word = isUnknown ? source.text.slice(start, end) : tokenizer.tokenOf(ids[i]!);
    return { label: labels[best]!, score: shares[best]!, word, start, end };
  });
  const entities = groupTokens(labelled, (words) => tokenizer.spelled(words));
  if (source.words === undefined) return { entities };
  const { owners } = tokenizer.words(source.words);
  const tags = source.words.map((_, word) => labelled[owners.indexOf(word)]?.label ?? null);
  return { entities, tags };
}
