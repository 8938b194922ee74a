// Generation: texts written token by token by an encoder–decoder, greedily, by beams or by chance.
import {
  DensityMeter,
  type DensityReport,
  densityCounts,
  type Tap,
  type TapShape,
  tapShapes,
} from "../../density/index.ts";
import type { Value } from "../../graph/index.ts";
import type { EncoderDecoderModel } from "../../models/index.ts";
import type { Backend, CompileOptions, Outputs, Program } from "../../runtime/index.ts";
import type { ModelBatch, ModelBundle } from "../../tasks/index.ts";
import { int64, type Tensor, zeros } from "../../tensor/index.ts";
import { requireFinite } from "../finite.ts";
import { beamDecoding } from "./beam-search.ts";
import {
  type Decoding,
  type Generated,
  type GenerationOptions,
  resolveGeneration,
  rowDecoding,
  type SpecialTokens,
} from "./decoding.ts";
import {
  buildDecodeStep,
  buildPrefill,
  cachedNames,
  type GenerationGraphOptions,
  type PrefillGraph,
} from "./generation-graph.ts";
import { readsSource } from "./logit-rules.ts";
import { type SparseMlpPlan, withRowsByNeuron } from "./sparse-mlp.ts";

/** Fetches more of each step, and sees it. */
export interface StepObserver {
  /** What is fetched beside a step, given the decoder's MLPs. */
  outputs(taps: readonly Tap[]): Readonly<Record<string, Value>>;
  /** A step of so many tokens was run. */
  step(outputs: Outputs, tokens: number): void;
  /** What is fetched comes of products that are fast over packed matrices alone. */
  readonly wantsPacked?: boolean;
}

export interface GeneratorOptions extends Omit<GenerationGraphOptions, "gathered">, Pick<ModelBundle, "weights"> {
  readonly backend: Backend;
  /** Count the decoder's activations while it writes. */
  readonly density?: boolean;
  /** Which of the decoder's MLPs read only the rows of active neurons; a layer of another model changes nothing. */
  readonly sparseMlp?: SparseMlpPlan | null;
  readonly observe?: StepObserver;
  readonly compile?: Omit<CompileOptions, "weights">;
}

/** Open programs that write. Dispose them to free their sessions. */
export interface Generator {
  /**
   * The texts of each example of a batch, in its order, the best first; `trained` feeds what the method trains.
   * @throws {ConfigError} when the options are out of range.
   */
  generate(
    trained: ReadonlyMap<string, Tensor>,
    batch: Pick<ModelBatch, "inputs">,
    options?: GenerationOptions,
  ): Promise<Generated[][]>;
  /**
   * Density over everything written so far, each token read by the decoder being one position; of beams every one that
   * was still in the race counts. Null unless asked for, and before the first token.
   */
  density(): Pick<DensityReport, "generation" | "layers"> | null;
  /** Forgets what was counted, so that `density` starts anew. */
  clearDensity(): void;
  dispose(): Promise<void>;
}

/** A step program and what measures it. */
interface DecodeStep {
  readonly program: Program;
  readonly trainable: readonly string[];
  /** What counts at the moment. */
  readonly meter: () => DensityMeter | null;
  readonly observe: StepObserver | undefined;
}

/** Compiles the programs of a model with a method. Errors as `Backend.compile`. */
export async function openGenerator(options: GeneratorOptions): Promise<Generator> {
  const { model, backend, weights, density = false, observe } = options;
  const reading = buildPrefill(options);
  const reader = await backend.compile(reading.outputs, { ...options.compile, weights });
  const gathered = options.sparseMlp?.layers.filter(({ isGathered }) => isGathered) ?? [];
  // over matrices that are not packed, a product of one row takes longer, and one in four bits a hundred times as long (ONNX Runtime 1.30)
  const isPacked = observe?.wantsPacked === true || gathered.length > 0;
  const compile = {
    ...options.compile,
    ...(isPacked ? { mapWeights: false } : {}),
    weights: withRowsByNeuron(model, weights, gathered),
  };
  let meter: DensityMeter | null = null;
  let shapes: readonly TapShape[] = [];
  const open = async (reorders: boolean): Promise<DecodeStep> => {
    const writing = buildDecodeStep({ ...options, gathered }, reading, { reorders });
    const { outputs, taps, active } = writing;
    const written = taps.map((tap) => ({ ...tap, stack: "generation" as const }));
    const masks = { generation: active };
    shapes = tapShapes(written, masks);
    meter ??= density ? new DensityMeter(shapes) : null;
    const counts = density ? densityCounts(written, masks) : {};
    const program = await backend.compile({ ...outputs, ...counts, ...observe?.outputs(taps) }, compile);
    return { program, trainable: namesOf(writing), meter: () => meter, observe };
  };
  const writers = new Map<boolean, Promise<DecodeStep>>();
  const writer = (reorders: boolean) => {
    const known = writers.get(reorders) ?? open(reorders);
    writers.set(reorders, known);
    return known;
  };
  const special = specialTokens(model);
  return {
    async generate(trained, batch, choices) {
      const resolved = resolveGeneration(choices);
      const rows = batch.inputs.tokenIds!.shape[0]!;
      const texts = readsSource(resolved.rules) ? sourceTexts(batch.inputs) : [];
      const tokens = { ...special, ...resolved.special };
      const decoding =
        resolved.numBeams > 1
          ? beamDecoding(rows, resolved, tokens, texts)
          : rowDecoding(rows, resolved, tokens, texts);
      const read = await reader.run({ ...pick(namesOf(reading), trained), ...batch.inputs });
      await write(await writer(decoding.sources !== null), model, trained, read, decoding);
      return decoding.result();
    },
    density: () => (meter?.isEmpty === false ? meter.report() : null),
    clearDensity() {
      if (meter !== null) meter = new DensityMeter(shapes);
    },
    async dispose() {
      await reader.dispose();
      for (const opened of writers.values()) await (await opened).program.dispose();
    },
  };
}

/** The tokens of each text of a batch, without padding. */
function sourceTexts({ tokenIds, attentionMask }: ModelBatch["inputs"]): number[][] {
  const [rows, length] = tokenIds!.shape as readonly [number, number];
  const attended = (row: number) => (_: unknown, column: number) => {
    const at = row * length + column;
    return Number(attentionMask!.data[at]) === 1 ? [Number(tokenIds!.data[at])] : [];
  };
  return Array.from({ length: rows }, (_, row) => Array.from({ length }, attended(row)).flat());
}

function specialTokens({ config }: EncoderDecoderModel): SpecialTokens {
  return { startId: config.decoderStartTokenId, padId: config.padTokenId, endIds: config.eosTokenIds };
}

const namesOf = ({ trainable }: Pick<PrefillGraph, "trainable">) => trainable.map(({ name }) => name);

/** The tensors of these names; a program says what it misses. */
function pick(names: readonly string[], trained: ReadonlyMap<string, Tensor>): Record<string, Tensor> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const tensor = trained.get(name);
      return tensor ? [[name, tensor]] : [];
    }),
  );
}

/** Runs the step program until the decoding is done; each step's keys are the next one's past. */
async function write(
  { program, trainable, meter, observe }: DecodeStep,
  model: EncoderDecoderModel,
  trained: ReadonlyMap<string, Tensor>,
  read: Outputs,
  decoding: Decoding,
): Promise<void> {
  const { numDecoderLayers, numHeads, headDim } = model.config;
  const batch = decoding.tokens.length / decoding.copies;
  const perText = (values: readonly number[]) => int64([batch, decoding.copies], values);
  const fixed = { ...pick(trainable, trained), ...read };
  const names = Array.from({ length: numDecoderLayers }, (_, layer) => Object.values(cachedNames(layer).past)).flat();
  const none = zeros("float32", [batch, decoding.copies, numHeads, 0, headDim]);
  let past: Record<string, Tensor> = Object.fromEntries(names.map((name) => [name, none]));
  while (!decoding.isDone) {
    const { tokens, sources, active } = decoding;
    const outputs = await program.run({
      ...fixed,
      ...past,
      tokenIds: perText(tokens),
      active: perText(active),
      ...(sources ? { sources: perText(sources) } : {}),
    });
    const attendedTokens = active.reduce((sum, one) => sum + one, 0);
    meter()?.add(outputs, { generation: { length: 1, attendedTokens } });
    observe?.step(outputs, tokens.length);
    past = Object.fromEntries(names.map((name) => [name, outputs[`next.${name}`]!]));
    const logits = outputs["logits"]!.data as Float32Array;
    const width = logits.length / tokens.length;
    // what a text that has ended would go on with means nothing
    for (const [row, isActive] of active.entries())
      if (isActive) requireFinite("logits of the next token", logits, row * width, (row + 1) * width);
    decoding.advance(logits);
  }
}
