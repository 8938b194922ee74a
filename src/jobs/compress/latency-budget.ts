// The share of the dense model's latency that a smaller model takes, measured side by side.

import { batches, type EncodedExamples, isTargets } from "../../data/index.ts";
import { buildDecodeStep, buildPrefill, cachedNames } from "../../infer/index.ts";
import { compilePlain, type MergedModel, openDeployed } from "../../load/index.ts";
import type { EncoderDecoderModel } from "../../models/index.ts";
import type { PlainModel } from "../../prune/index.ts";
import type { Backend, Program } from "../../runtime/index.ts";
import { int64, parameterCount, type Tensor, zeros } from "../../tensor/index.ts";
import { interleaved, latencyBatches, medianRatio, percentile } from "../bench/latency.ts";
import { targetTokens } from "./examples.ts";
import { plainWriting, type WritingModel } from "./writing.ts";

/** Shares of the dense model's time, the larger of two batch sizes. */
export interface LatencyShare {
  /** Of a whole text. */
  readonly latency: number;
  /** Of reading alone, and of one token written; for models that write. */
  readonly parts?: { readonly reading: number; readonly token: number };
}

/** Compares smaller models with the dense one, which stays open. */
export interface LatencyMeter {
  share(smaller: PlainModel): Promise<LatencyShare>;
  dispose(): Promise<void>;
}

/** Opens the dense model's side. Errors as `Backend.compile`. */
export function openLatency(backend: Backend, frozen: MergedModel, examples: EncodedExamples): Promise<LatencyMeter> {
  return frozen.model.writes ? writingLatency(backend, frozen, examples) : encoderLatency(backend, frozen, examples);
}

/** Batch sizes and rounds of encoders. */
const BATCHES = [
  [1, 25],
  [32, 7],
] as const;
/** Of models that write: a batch is as large as `deft predict`'s. */
const WRITING_BATCHES = [
  [1, 25],
  [8, 7],
] as const;
const WARMUP = 3;

async function encoderLatency(backend: Backend, frozen: MergedModel, examples: EncodedExamples): Promise<LatencyMeter> {
  const dense = await openExported(backend, frozen);
  return {
    async share(smaller) {
      const program = await openExported(backend, smaller);
      const shares: number[] = [];
      try {
        for (const [batchSize, rounds] of BATCHES) {
          const feeds = latencyBatches(examples, batchSize, rounds);
          const [first, second] = await interleaved([dense, program], feeds, WARMUP);
          shares.push(medianRatio(second!, first!));
        }
      } finally {
        await program.dispose();
      }
      return { latency: Math.max(...shares) };
    },
    dispose: () => dense.dispose(),
  };
}

/** Two models are timed side by side: neither's threads may spin beside the other. */
const IN_TURN = { sleepThreads: true } as const;

/** One ONNX file holds two gigabytes. */
const MOST_PARAMETERS = 4.5e8;

/** As its export will be, attention fused; what is too large for one file as it is run here. */
async function openExported(backend: Backend, model: PlainModel): Promise<Program> {
  if (parameterCount(model.weights) > MOST_PARAMETERS) return compilePlain(backend, model, IN_TURN);
  return openDeployed(backend, model, "fp32", IN_TURN);
}

type Runs = Pick<Program, "run">;

/** Programs that read a text and write one token of it. */
interface PrefillAndDecode {
  readonly reader: Runs;
  readonly writer: Runs;
  dispose(): Promise<void>;
}

async function openPrefillAndDecode(backend: Backend, written: WritingModel): Promise<PrefillAndDecode> {
  const { weights, trained } = written;
  const compile = { ...IN_TURN, weights, mapWeights: false };
  const reading = buildPrefill(written);
  const reader = await backend.compile(reading.outputs, compile);
  const writer = await backend.compile(buildDecodeStep(written, reading, { reorders: false }).outputs, compile);
  const own = Object.fromEntries(trained);
  const runs = (program: Program): Runs => ({ run: (feeds) => program.run({ ...own, ...feeds }) });
  return {
    reader: runs(reader),
    writer: runs(writer),
    async dispose() {
      await reader.dispose();
      await writer.dispose();
    },
  };
}

/**
 * A text takes `reading + n · token`, with n the mean number of tokens to write in the examples, and a token measured behind n / 2
 * others. The shares of both parts are medians of rounds taken in turn; the whole weighs them by the dense model's own times.
 */
async function writingLatency(backend: Backend, frozen: MergedModel, examples: EncodedExamples): Promise<LatencyMeter> {
  const written = plainWriting(frozen);
  const dense = await openPrefillAndDecode(backend, written);
  const tokens = meanTargetTokens(examples);
  return {
    async share(smaller) {
      const small = await openPrefillAndDecode(backend, plainWriting(smaller));
      let worst: LatencyShare = { latency: 0 };
      try {
        for (const [batchSize, rounds] of WRITING_BATCHES) {
          const feeds = readingBatches(examples, batchSize, rounds);
          const [readDense, readSmall] = await interleaved([dense.reader, small.reader], feeds, WARMUP);
          const step = await stepFeeds(written.model, dense.reader, feeds[0]!, Math.floor(tokens / 2));
          const steps = Array.from({ length: rounds }, () => step);
          const [stepDense, stepSmall] = await interleaved([dense.writer, small.writer], steps, WARMUP);
          const parts = { reading: medianRatio(readSmall!, readDense!), token: medianRatio(stepSmall!, stepDense!) };
          const [read, write] = [percentile(readDense!, 0.5), tokens * percentile(stepDense!, 0.5)];
          const latency = (parts.reading * read + parts.token * write) / (read + write);
          if (latency > worst.latency) worst = { latency, parts };
        }
      } finally {
        await small.dispose();
      }
      return worst;
    },
    dispose: () => dense.dispose(),
  };
}

/** Tokens to write in an example that has some; at least 1. */
export function meanTargetTokens(examples: EncodedExamples): number {
  const count = isTargets(examples) ? examples.targetLengths.filter((length) => length > 0).length : 0;
  return count === 0 ? 1 : Math.max(1, Math.round(targetTokens(examples) / count));
}

type Feeds = Readonly<Record<string, Tensor>>;

function readingBatches(examples: EncodedExamples, batchSize: number, rounds: number): Feeds[] {
  const indices = (batch: number) =>
    Int32Array.from({ length: batchSize }, (_, i) => (batch * batchSize + i) % examples.count);
  const plan = { batchCount: rounds, indices };
  return Array.from(batches(examples, plan, { padding: "longest" }), ({ tokenIds, attentionMask }) => ({
    tokenIds,
    attentionMask,
  }));
}

/** One step of every text of a batch, behind `past` tokens. */
async function stepFeeds({ config }: EncoderDecoderModel, reader: Runs, feeds: Feeds, past: number): Promise<Feeds> {
  const { numDecoderLayers, numHeads, headDim, decoderStartTokenId } = config;
  const rows = feeds.tokenIds!.shape[0]!;
  const keys = zeros("float32", [rows, 1, numHeads, past, headDim]);
  const names = Array.from({ length: numDecoderLayers }, (_, layer) => Object.values(cachedNames(layer).past)).flat();
  const perText = (value: number) => int64([rows, 1], Array(rows).fill(value));
  return {
    ...(await reader.run(feeds)),
    ...Object.fromEntries(names.map((name) => [name, keys])),
    tokenIds: perText(decoderStartTokenId),
    active: perText(1),
  };
}
