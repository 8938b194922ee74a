// Scoring: a classifier's program run over batches, with losses, logits in the order of the examples, and density.
import { DensityMeter, type DensityReport, densityCounts, tapShapes } from "../density/index.ts";
import type { ParameterSpec } from "../nn/index.ts";
import type { Backend, CompileOptions, Program } from "../runtime/index.ts";
import type { Tensor, Weights } from "../tensor/index.ts";
import { buildClassifier, type ClassifierOptions, numLogits } from "./classifier.ts";

/** One padded batch as the program is fed it. */
export interface ModelBatch {
  /** `[B, S]` int64, as the next two. */
  readonly tokenIds: Tensor;
  readonly attentionMask: Tensor;
  readonly tokenTypeIds: Tensor;
  /** `[B]` int64, float32 for regression. */
  readonly labels: Tensor;
  /** Place of each row's example in its split. */
  readonly indices: ArrayLike<number>;
  readonly attendedTokens: number;
}

export interface ScorerOptions extends Omit<ClassifierOptions, "training"> {
  /** Everything the graph needs that `score` is not given: the frozen base. */
  readonly weights: Weights;
  readonly backend: Backend;
  /** Count activations too; costs about a third of the time. */
  readonly density: boolean;
  readonly compile?: Omit<CompileOptions, "weights">;
}

export interface Scores {
  /** `[examples, C]`, row i for the example with index i. */
  readonly logits: Float32Array;
  readonly numLogits: number;
  readonly examples: number;
  /** Mean task loss; NaN where labels are missing. */
  readonly loss: number;
  readonly density: DensityReport | null;
  readonly attendedTokens: number;
  readonly durationMs: number;
}

/** An open scoring program. Dispose it to free its session. */
export interface Scorer {
  readonly parameters: readonly ParameterSpec[];
  /** Scores `examples` examples; `trained` feeds the parameters that the method trains. */
  score(
    trained: ReadonlyMap<string, Tensor>,
    batches: Iterable<ModelBatch> | AsyncIterable<ModelBatch>,
    examples: number,
  ): Promise<Scores>;
  /** Logits `[B, C]` of one batch. */
  logits(trained: ReadonlyMap<string, Tensor>, batch: ModelBatch): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Compiles the forward pass for scoring. Errors as `Backend.compile`. */
export async function openScorer(options: ScorerOptions): Promise<Scorer> {
  const classifier = buildClassifier(options);
  const { logits, losses, taps, inputs, trainable } = classifier;
  const counts = options.density ? densityCounts(taps, inputs.attentionMask) : {};
  const program = await options.backend.compile(
    { logits, losses, ...counts },
    { ...options.compile, weights: options.weights },
  );
  const shapes = tapShapes(taps, inputs.attentionMask);
  const width = numLogits(options.head);
  const feedsOf = (trained: ReadonlyMap<string, Tensor>) =>
    Object.fromEntries(trainable.map(({ spec }) => [spec.name, trained.get(spec.name)!]));
  return {
    parameters: classifier.parameters,
    score: (trained, batches, examples) =>
      score(
        program,
        { ...feedsOf(trained) },
        batches,
        examples,
        width,
        options.density ? new DensityMeter(shapes) : null,
      ),
    async logits(trained, batch) {
      const outputs = await program.run({ ...feedsOf(trained), ...batchFeeds(batch) });
      return outputs.logits!.data as Float32Array;
    },
    dispose: () => program.dispose(),
  };
}

/** The feeds of one batch by input name. */
export function batchFeeds({ tokenIds, attentionMask, tokenTypeIds, labels }: ModelBatch): Record<string, Tensor> {
  return { tokenIds, attentionMask, typeIds: tokenTypeIds, labels };
}

async function score(
  program: Program,
  trained: Readonly<Record<string, Tensor>>,
  batches: Iterable<ModelBatch> | AsyncIterable<ModelBatch>,
  examples: number,
  width: number,
  meter: DensityMeter | null,
): Promise<Scores> {
  const started = performance.now();
  const logits = new Float32Array(examples * width);
  let loss = 0;
  let attendedTokens = 0;
  for await (const batch of batches) {
    const outputs = await program.run({ ...trained, ...batchFeeds(batch) });
    const rows = outputs.logits!.data as Float32Array;
    for (let row = 0; row < batch.indices.length; row++) {
      logits.set(rows.subarray(row * width, (row + 1) * width), batch.indices[row]! * width);
      loss += Number(outputs.losses!.data[row]);
    }
    meter?.add(outputs, { length: batch.tokenIds.shape[1]!, attendedTokens: batch.attendedTokens });
    attendedTokens += batch.attendedTokens;
  }
  return {
    logits,
    numLogits: width,
    examples,
    loss: loss / examples,
    density: meter?.report() ?? null,
    attendedTokens,
    durationMs: performance.now() - started,
  };
}

/** The class of each row: index of the largest logit; the value itself for regression. */
export function predictionsOf(logits: Float32Array, width: number): Float64Array {
  const rows = logits.length / width;
  const predictions = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    if (width === 1) predictions[row] = logits[row]!;
    else {
      let best = 0;
      for (let c = 1; c < width; c++) if (logits[row * width + c]! > logits[row * width + best]!) best = c;
      predictions[row] = best;
    }
  }
  return predictions;
}
