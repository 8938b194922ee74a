// Texts of a fixed length, as ONNX Runtime and Transformers.js write them, with the times of their phases.

import { basename, dirname } from "node:path";
import type { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-common";
import type { BenchJob, ByPhase, PhaseTime, WritingJob } from "../jobs/index.ts";
import { between, type Moment, moment } from "./bench-clock.ts";
import { timedEngine, timedSession } from "./bench-session.ts";

/** A batch as tensors hold it, padded on the right. */
export interface Padded {
  readonly shape: readonly [number, number];
  readonly ids: BigInt64Array;
  readonly mask: BigInt64Array;
  readonly types: BigInt64Array;
}

/** One batch through a model, timed. */
export type TimedRun = (batch: Padded) => Promise<ByPhase<PhaseTime>>;

/** When things happened: the text was begun and read, each token begun, all of it done. */
class Stopwatch {
  readonly #started = moment();
  readonly #steps: Moment[] = [];
  #read = this.#started;

  readText(): void {
    this.#read = moment();
  }

  step(): void {
    this.#steps.push(moment());
  }

  /** The first token, for which cross keys are made, counts among the whole alone. */
  times(): ByPhase<PhaseTime> {
    const ended = moment();
    const decode = between(this.#steps[1]!, ended, this.#steps.length - 1);
    return { encode: between(this.#started, this.#read), decode, generate: between(this.#started, ended) };
  }
}

/** Greedy writing over an encoder and a decoder with its cache. */
export async function openOnnxGenerator(
  { path, threads }: BenchJob,
  { decoder: decoderPath, startId, newTokens }: WritingJob,
): Promise<TimedRun> {
  const { InferenceSession, Tensor } = timedEngine();
  const open = (file: string) =>
    InferenceSession.create(file, {
      ...timedSession(threads),
      graphOptimizationLevel: "all",
      logSeverityLevel: 4,
    });
  const [encoder, decoder] = [await open(path), await open(decoderPath)];
  // Optimum's decoders are two in one
  const branches = decoder.inputNames.includes("use_cache_branch");
  return async ({ shape, ids, mask }) => {
    const [batch] = shape;
    const watch = new Stopwatch();
    const attention = new Tensor("int64", mask, shape);
    const read = await encoder.run({ input_ids: new Tensor("int64", ids, shape), attention_mask: attention });
    watch.readText();
    const fixed = { encoder_attention_mask: attention, encoder_hidden_states: read.last_hidden_state! };
    let past = emptyPast(decoder, batch, (cached) => new Tensor("float32", new Float32Array(), cached));
    let last = new BigInt64Array(batch).fill(BigInt(startId));
    for (let step = 0; step < newTokens; step++) {
      watch.step();
      const branch = branches ? { use_cache_branch: new Tensor("bool", [step > 0], [1]) } : {};
      const input_ids = new Tensor("int64", last, [batch, 1]);
      const outputs = await decoder.run({ ...fixed, ...past, ...branch, input_ids });
      last = likeliest(outputs.logits!.data as Float32Array, batch);
      past = nextPast(past, outputs, step === 0);
    }
    return watch.times();
  };
}

type Cache = Readonly<Record<string, OnnxTensor>>;

/** A cache without tokens: only the batch has a size. */
function emptyPast(
  { inputMetadata }: InferenceSession,
  batch: number,
  empty: (shape: readonly number[]) => OnnxTensor,
): Cache {
  return Object.fromEntries(
    inputMetadata.flatMap((input) => {
      if (!input.isTensor || !input.name.startsWith("past_key_values.")) return [];
      const sizeOf = (dim: number | string) => (dim === "batch_size" ? batch : 0);
      return [[input.name, empty(input.shape.map((dim) => (typeof dim === "number" ? dim : sizeOf(dim))))] as const];
    }),
  );
}

/** The decoder's own keys grow; cross keys stay what the first step made them. */
function nextPast(past: Cache, outputs: Cache, isFirst: boolean): Cache {
  return Object.fromEntries(
    Object.entries(past).map(([name, before]) => {
      const stays = !isFirst && name.includes(".encoder.");
      return [name, stays ? before : outputs[name.replace("past_key_values", "present")]!];
    }),
  );
}

function likeliest(logits: Float32Array, batch: number): BigInt64Array<ArrayBuffer> {
  const width = logits.length / batch;
  return BigInt64Array.from({ length: batch }, (_, row) => {
    let best = row * width;
    for (let at = best + 1; at < (row + 1) * width; at++) if (logits[at]! > logits[best]!) best = at;
    return BigInt(best - row * width);
  });
}

interface Watched {
  run(...args: readonly unknown[]): Promise<unknown>;
}

interface TransformersJs {
  readonly env: { localModelPath: string; allowRemoteModels: boolean };
  readonly Tensor: new (type: string, data: BigInt64Array, dims: readonly number[]) => unknown;
  readonly AutoModelForSeq2SeqLM: {
    from_pretrained(
      name: string,
      options: object,
    ): Promise<{
      readonly sessions: { readonly model: Watched; readonly decoder_model_merged: Watched };
      generate(options: object): Promise<unknown>;
    }>;
  };
}

/** Transformers.js' `generate`, its sessions watched. */
export async function openTransformersJsGenerator(
  { path, precision, threads }: BenchJob,
  { newTokens }: WritingJob,
): Promise<TimedRun> {
  // an optional peer: not a dependency of the package
  const name = "@huggingface/transformers";
  const { env, Tensor, AutoModelForSeq2SeqLM } = (await import(name)) as TransformersJs;
  env.allowRemoteModels = false;
  env.localModelPath = `${dirname(path)}/`;
  const model = await AutoModelForSeq2SeqLM.from_pretrained(basename(path), {
    dtype: precision === "int8" ? "q8" : precision,
    device: "cpu",
    session_options: timedSession(threads),
  });
  let watch = new Stopwatch();
  const { model: encoder, decoder_model_merged: decoder } = model.sessions;
  const [encode, decode] = [encoder.run.bind(encoder), decoder.run.bind(decoder)];
  encoder.run = async (...args) => {
    const outputs = await encode(...args);
    watch.readText();
    return outputs;
  };
  decoder.run = (...args) => {
    watch.step();
    return decode(...args);
  };
  return async ({ shape, ids, mask }) => {
    watch = new Stopwatch();
    await model.generate({
      input_ids: new Tensor("int64", ids, shape),
      attention_mask: new Tensor("int64", mask, shape),
      min_new_tokens: newTokens,
      max_new_tokens: newTokens,
    });
    return watch.times();
  };
}
