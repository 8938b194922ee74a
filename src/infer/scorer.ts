// Scoring: a task's program run over batches, with losses, logits in the order of the examples, and density.
import { DensityMeter, type DensityReport, densityCounts, tapShapes } from "../density/index.ts";
import type { Value } from "../graph/index.ts";
import type { ParameterSpec } from "../nn/index.ts";
import { externalWeights } from "../onnx/index.ts";
import { type Backend, isProcessor, type Outputs, type Program } from "../runtime/index.ts";
import {
  buildTaskGraph,
  type GraphParts,
  headRecord,
  type LossTerm,
  type ModelBatch,
  type ModelBundle,
  partsOf,
  stackPositions,
} from "../tasks/index.ts";
import { elementBytes, elementCount, type Tensor } from "../tensor/index.ts";
import { requireFinite } from "./finite.ts";

export interface ScorerOptions extends GraphParts, Pick<ModelBundle, "weights"> {
  readonly backend: Backend;
  /** Count activations too; costs about a third of the time. */
  readonly density: boolean;
  /** Whether the head's outputs are fetched; by default unless they are as wide as a vocabulary. */
  readonly fetch?: boolean;
  /** Hold frozen matrices a second time, packed for products; by default where they take no more than `PACKED_BYTES`. */
  readonly packed?: boolean;
}

/** Above it, packed matrices would be what a machine runs out of memory for. */
const PACKED_BYTES = 2e9;
/** Padded tokens that are scored at once on a processor: what a block works on stays in its cache. */
const PART_TOKENS = 1024;

export interface Scores {
  /** `[examples, C]`, row i for the example with index i; empty for a head whose outputs depend on the text. */
  readonly logits: Float32Array;
  /** 0 for a head whose outputs depend on the text. */
  readonly numLogits: number;
  readonly examples: number;
  /** Mean task loss over what the head counts; NaN where labels are missing. */
  readonly loss: number;
  readonly density: DensityReport | null;
  readonly attendedTokens: number;
  readonly durationMs: number;
}

/** Receives each batch with the outputs of its run, by `TaskGraph.outputs`' names. */
export type OnBatch = (outputs: Outputs, batch: ModelBatch) => void | Promise<void>;

/** An open scoring program. Dispose it to free its session. */
export interface Scorer {
  readonly parameters: readonly ParameterSpec[];
  /**
   * Scores `examples` examples; `trained` feeds the parameters that the method trains. Outputs of no fixed width are
   * not kept: `onBatch` sees them.
   */
  score(
    trained: ReadonlyMap<string, Tensor>,
    batches: Iterable<ModelBatch> | AsyncIterable<ModelBatch>,
    examples: number,
    onBatch?: OnBatch,
  ): Promise<Scores>;
  /** The head's outputs for one batch, by `TaskGraph.outputs`' names. */
  run(trained: ReadonlyMap<string, Tensor>, batch: ModelBatch): Promise<Outputs>;
  dispose(): Promise<void>;
}

/** Compiles the forward pass for scoring. Errors as `buildTaskGraph` and `Backend.compile`. */
export async function openScorer(options: ScorerOptions): Promise<Scorer> {
  const { backend, weights } = options;
  const task = buildTaskGraph({ ...options, firstOnly: !options.density });
  const { outputs, losses, taps, attended, trainable } = task;
  const counts = options.density ? densityCounts(taps, attended) : {};
  const record = headRecord(options.head);
  const fetched = (options.fetch ?? !record.writes) ? outputs : {};
  const lossOutputs = Object.fromEntries(losses.map(({ scale, values }) => [`losses.${scale}`, values]));
  const asked = { ...fetched, ...lossOutputs, ...counts };
  const program = await backend.compile(asked, {
    weights,
    mapWeights: !(options.packed ?? frozenBytes(asked) <= PACKED_BYTES),
    ...(options.model.writes ? {} : { attentionHeads: options.model.config.numHeads }),
  });
  const shapes = tapShapes(taps, attended);
  const terms = losses.map(({ scale, count }) => ({ scale, count }));
  const feedsOf = (trained: ReadonlyMap<string, Tensor>) =>
    Object.fromEntries(trainable.map(({ spec }) => [spec.name, trained.get(spec.name)!]));
  return {
    parameters: task.parameters,
    score: (trained, batches, examples, onBatch) =>
      score(program, feedsOf(trained), isProcessor(backend) ? inParts(batches) : batches, examples, {
        width: record.writes ? 0 : record.numLogits(options.head),
        terms,
        meter: options.density ? new DensityMeter(shapes) : null,
        onBatch,
      }),
    async run(trained, batch) {
      const given = await program.run({ ...feedsOf(trained), ...batch.inputs });
      requireFiniteOutputs(given);
      return given;
    },
    dispose: () => program.dispose(),
  };
}

/** The parts of each batch. */
async function* inParts(batches: Iterable<ModelBatch> | AsyncIterable<ModelBatch>): AsyncGenerator<ModelBatch> {
  for await (const batch of batches) yield* partsOf(batch, PART_TOKENS);
}

function frozenBytes(outputs: Readonly<Record<string, Value>>): number {
  return externalWeights(outputs).reduce((sum, { dtype, shape }) => sum + elementBytes(dtype) * elementCount(shape), 0);
}

interface Collect {
  readonly width: number;
  readonly terms: readonly Pick<LossTerm, "scale" | "count">[];
  readonly meter: DensityMeter | null;
  readonly onBatch: OnBatch | undefined;
}

async function score(
  program: Program,
  trained: Readonly<Record<string, Tensor>>,
  batches: Iterable<ModelBatch> | AsyncIterable<ModelBatch>,
  examples: number,
  { width, terms: counted, meter, onBatch }: Collect,
): Promise<Scores> {
  const started = performance.now();
  const logits = new Float32Array(examples * width);
  const terms = counted.map(({ scale, count }) => ({ scale, of: count, sum: 0, count: 0 }));
  let attendedTokens = 0;
  for await (const batch of batches) {
    const outputs = await program.run({ ...trained, ...batch.inputs });
    requireFiniteOutputs(outputs);
    if (width > 0) keepRows(logits, width, outputs.logits!, batch.indices);
    for (const term of terms) {
      for (const value of outputs[`losses.${term.scale}`]!.data) term.sum += Number(value);
      term.count += term.of(batch);
    }
    meter?.add(outputs, stackPositions(batch));
    attendedTokens += batch.attendedTokens;
    await onBatch?.(outputs, batch);
  }
  return {
    logits,
    numLogits: width,
    examples,
    loss: terms.reduce((total, { sum, count }) => total + (count === 0 ? 0 : sum / count), 0),
    density: meter?.report() ?? null,
    attendedTokens,
    durationMs: performance.now() - started,
  };
}

/** The head's outputs are finite, and the losses where `given` has nothing else; counts are, and a loss without a label need not be. */
function requireFiniteOutputs(given: Outputs): void {
  const isLoss = (name: string) => name.startsWith("losses.");
  const measured = Object.entries(given).filter(([name]) => !name.startsWith("density."));
  const asked = measured.every(([name]) => isLoss(name)) ? measured : measured.filter(([name]) => !isLoss(name));
  for (const [name, { data }] of asked) requireFinite(name, data);
}

function keepRows(logits: Float32Array, width: number, { data }: Tensor, indices: ArrayLike<number>): void {
  const rows = data as Float32Array;
  for (let row = 0; row < indices.length; row++)
    logits.set(rows.subarray(row * width, (row + 1) * width), indices[row]! * width);
}
