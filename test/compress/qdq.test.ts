// Eight bits with ranges known beforehand: the numbers, the choice of a range, and that ONNX Runtime multiplies integers.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { logitsOf } from "../../src/evaluate/encoder-logits.ts";
import { deploy, deployEncoder, deployedProgram } from "../../src/export/optimize.ts";
import { Graph } from "../../src/graph/index.ts";
import {
  type ActivationNoise,
  calibrateActivations,
  chosenRange,
  staticRanges,
  taskRanges,
} from "../../src/jobs/compress/calibrate.ts";
import { openCompressData } from "../../src/jobs/compress/data.ts";
import { inferenceOf, type MergedModel, openMergedModel } from "../../src/load/merged-model.ts";
import { linear, Scope } from "../../src/nn/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { type EmittedModel, emit, type OnnxModel, readModel, writeModel } from "../../src/onnx/index.ts";
import { ActivationHistogram, type ActivationRange } from "../../src/onnx/passes/activation-range.ts";
import { bytesOf, deployedFiles, readStored, type StoredModel } from "../../src/onnx/passes/external-data.ts";
import { multiplied, quantizeStatic } from "../../src/onnx/passes/quantize-static.ts";
import { quantizeModel } from "../../src/onnx/passes/quantize-weights.ts";
import type { Backend } from "../../src/runtime/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { float32, randomStream } from "../../src/tensor/index.ts";
import { backends } from "../support/backends.ts";
import { type TinyRun, tinyRun } from "./support.ts";

const normals = (count: number, ...key: (string | number)[]) => {
  const random = randomStream(1, ...key);
  return Float32Array.from({ length: count }, () => random.normal());
};

/** A linear layer alone, as it is emitted and as data. */
function layer(weight: Float32Array, bias: Float32Array) {
  const graph = new Graph();
  const width = weight.length / bias.length;
  const x = graph.input("x", "float32", ["rows", width]);
  const y = linear(Scope.root(graph, { frozen: true }).child("dense"), x, bias.length);
  const bytes: Readonly<Record<string, Float32Array>> = { "dense.weight": weight, "dense.bias": bias };
  const emitted = emit({ y }, { place: ({ name }) => new Uint8Array(bytes[name]!.slice().buffer) });
  const stored = new Map(Object.entries(bytes).map(([name, data]) => [name, async () => bytesOf(data)]));
  return { emitted, model: { ...readModel(emitted.bytes), stored } };
}

async function outputOf(backend: Backend, emitted: EmittedModel, model: StoredModel, x: Float32Array, width: number) {
  const program = await backend.open({ ...emitted, bytes: writeModel(await readStored(model)) });
  const { y } = await program.run({ x: float32([x.length / width, width], x) });
  await program.dispose();
  return y!.data as Float32Array;
}

/** Operators left when ONNX Runtime has optimised a model, by how often. */
async function operators(model: OnnxModel, folder: string): Promise<Readonly<Record<string, number>>> {
  const file = join(folder, "optimized.onnx");
  const options = { optimizedModelFilePath: file, graphOptimizationLevel: "all", logSeverityLevel: 4 } as const;
  await (await ort.InferenceSession.create(writeModel(model), options)).release();
  const counts: Record<string, number> = {};
  for (const { type } of readModel(readFileSync(file)).nodes) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

describe("a product over a known range", () => {
  const [rows, width] = [7, 37];
  const range: ActivationRange = { scale: 0.03, zero: 101 };
  const weight = normals(rows * width, "weight");
  const bias = normals(rows, "bias");
  // a row of zeros with a bias, one without, and one so small that its bias would need more than 32 bits
  weight.fill(0, 0, 2 * width);
  bias[1] = 0;
  for (let i = 2 * width; i < 3 * width; i++) weight[i]! *= 1e-12;
  const x = normals(5 * width, "x").map((value) => 2 * value);

  /** The same in whole numbers and float64. */
  const expected = Float64Array.from({ length: 5 * rows }, (_, at) => {
    const [row, o] = [Math.floor(at / rows), at % rows];
    const own = weight.subarray(o * width, (o + 1) * width);
    const scale = Math.max(...own.map(Math.abs)) / 63;
    let sum = 0;
    for (let i = 0; i < width; i++) {
      const code = Math.min(255, Math.max(0, roundEven(x[row * width + i]! / range.scale) + range.zero));
      sum += (code - range.zero) * (scale === 0 ? 0 : Math.round(own[i]! / scale));
    }
    return sum * range.scale * scale + bias[o]!;
  });

  test("is that of its codes, whatever the rows are, in Node and over wasm", async () => {
    const { emitted, model } = layer(weight, bias);
    const quantized = quantizeStatic(model, new Map([["dense.weight", range]]));
    for (const backend of backends) {
      const y = await outputOf(backend, emitted, quantized, x, width);
      for (const [at, value] of y.entries()) expect(Math.abs(value - expected[at]!), `${at}`).toBeLessThan(2e-3);
      for (let row = 0; row < 5; row++) {
        expect(y[row * rows]).toBeCloseTo(bias[0]!, 6);
        expect(y[row * rows + 1]).toBe(0);
        expect(y[row * rows + 2]).toBeCloseTo(bias[2]!, 6);
      }
    }
  });

  test("without a range is the one that takes its own", () => {
    const { model } = layer(weight, bias);
    const types = ({ nodes }: OnnxModel) => nodes.map(({ type }) => type);
    expect(types(quantizeStatic(model, new Map([["dense.weight", null]])))).toEqual(types(quantizeModel(model, 8)));
  });
});

describe("a range", () => {
  const histogram = (...parts: Float32Array[]) => {
    const made = new ActivationHistogram();
    for (const part of parts) made.add(part);
    return made;
  };

  test("of all values reaches the extremes, and gives 0 a code", () => {
    const { scale, zero } = histogram(Float32Array.of(-1, 0.5), Float32Array.of(4)).wholeRange();
    expect(scale).toBeCloseTo(5 / 255, 7);
    expect(zero).toBe(51);
    expect(histogram(Float32Array.of(3, 5)).wholeRange()).toEqual({ scale: Math.fround(5 / 255), zero: 0 });
    expect(histogram(new Float32Array(4)).wholeRange()).toEqual({ scale: 1, zero: 0 });
  });

  test("of least error keeps normal values nearly whole, and cuts off what stands far out", () => {
    const values = normals(20_000, "values");
    const [low, high] = endsOf(histogram(values).bestRange());
    expect(low).toBeLessThan(-3);
    expect(high).toBeGreaterThan(3);
    // squared error cuts off one value among millions, not one among thousands
    const rare = histogram(...Array.from({ length: 200 }, () => values), Float32Array.of(100));
    const [, cut] = endsOf(rare.bestRange());
    expect(cut).toBeGreaterThan(8);
    expect(cut).toBeLessThan(30);
    const error = (range: ActivationRange) => 200 * errorOf(values, range) + errorOf(Float32Array.of(100), range);
    expect(error(rare.bestRange())).toBeLessThan(0.3 * error(rare.wholeRange()));
  });

  test("is fixed unless it is noisy and one of every run's own is much less so", () => {
    const [whole, best] = [
      { scale: 2, zero: 1 },
      { scale: 1, zero: 1 },
    ];
    const chosen = (dynamic: number, ofWhole: number, ofBest: number) =>
      chosenRange({ dynamic, whole: ofWhole, best: ofBest }, { whole, best });
    expect(chosen(1e-5, 5e-4, 9e-4)).toBe(whole);
    expect(chosen(1e-5, 9e-4, 5e-4)).toBe(best);
    expect(chosen(1e-2, 2e-2, 1.9e-2)).toBe(best);
    expect(chosen(1e-3, 2e-2, 1.9e-2)).toBeNull();
  });
});

describe("a model", () => {
  let tiny: TinyRun;
  let frozen: MergedModel;
  let fp32: OnnxModel;
  let measured: ActivationNoise[];
  const environment = nodeEnvironment();
  const backend = nodeBackend({ threads: 1 });
  beforeAll(async () => {
    tiny = await tinyRun({ hiddenSize: 32 });
    frozen = await openMergedModel(environment, { kind: "run", folder: tiny.run }, { threads: 1 });
    const { calibration } = await openCompressData(environment, frozen, 64);
    measured = await calibrateActivations(backend, frozen, calibration);
    fp32 = await deploy(inferenceOf(frozen.config), frozen.weights, "fp32");
  });
  afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

  const qdq = (ranges = staticRanges(measured)) => deploy(inferenceOf(frozen.config), frozen.weights, "qdq", ranges);

  test("is computed in integers: every product one QGemm, nothing restored, attention in float", async () => {
    const products = [...multiplied(fp32).values()].flat().length;
    const counts = await operators(await qdq(), tiny.root);
    expect(counts).toMatchObject({ QGemm: products, QuantizeLinear: measured.length, MultiHeadAttention: 2 });
    for (const other of ["DequantizeLinear", "Gemm", "FusedGemm", "MatMul"]) expect(counts).not.toHaveProperty(other);
  });

  test("with its weights beside it reads each of them once", async () => {
    const reads = new Map<string, number>();
    const counted = [...frozen.weights].map(([name, weight]) => {
      const read = () => {
        reads.set(name, (reads.get(name) ?? 0) + 1);
        return weight.read();
      };
      return [name, { ...weight, read }] as const;
    });
    const inference = inferenceOf(frozen.config);
    const model = deployEncoder(inference, new Map(counted), "qdq", staticRanges(measured));
    const written = deployedFiles(model, "model", { inlineLimit: 0 });
    const content = async ({ chunks }: (typeof written)["model"]) => {
      const parts: Uint8Array[] = [];
      for await (const part of chunks()) parts.push(part);
      return Buffer.concat(parts);
    };
    const [bytes, beside] = [await content(written.model), await content(written.data[0]!)];
    expect(Math.max(...reads.values())).toBe(1);
    const whole = await qdq();
    for (const [name, { data: place }] of readModel(bytes).tensors) {
      if (place instanceof Uint8Array) continue;
      const stored = beside.subarray(place.byteOffset, place.byteOffset + place.byteLength);
      expect(stored.equals(whole.tensors.get(name)!.data as Uint8Array), name).toBe(true);
    }
  });

  test("whose range does not serve takes it anew, in integers too", async () => {
    const ranges = new Map(staticRanges(measured));
    const out = [...ranges.keys()].filter((name) => name.endsWith(".output.dense.weight") && !/attention/.test(name));
    for (const name of out) ranges.set(name, null);
    const counts = await operators(await qdq(ranges), tiny.root);
    const products = ranges.size - out.length;
    expect(counts).toMatchObject({ QGemm: products, QuantizeLinear: measured.length - out.length });
    expect((counts.DynamicQuantizeMatMul ?? 0) + (counts.MatMulIntegerToFloat ?? 0)).toBe(out.length);
    expect(counts).not.toHaveProperty("DequantizeLinear");
  });

  test("is measured product by product, and ranges known beforehand serve", () => {
    expect(measured.flatMap(({ weights }) => weights)).toHaveLength(2 * 6 + 2);
    for (const { dynamic, whole, best, range } of measured) {
      expect(range).not.toBeNull();
      for (const noise of [dynamic, whole, best]) expect(noise).toBeGreaterThan(0);
      expect(Math.min(whole, best)).toBeLessThan(2e-3);
    }
  });

  test("says the same of a text in any company; with ranges of the run it does not", async () => {
    const { calibration: texts, head } = await openCompressData(environment, frozen, 32);
    const inference = inferenceOf(frozen.config);
    const gap = async (model: OnnxModel) => {
      const program = await backend.open(deployedProgram(inference, model));
      const [together, alone] = [await logitsOf(program, head, texts), await logitsOf(program, head, texts, 1)];
      await program.dispose();
      return Math.max(...together.map((value, i) => Math.abs(value - alone[i]!)));
    };
    expect(await gap(await qdq())).toBeLessThan(1e-6);
    expect(await gap(await deploy(inference, frozen.weights, "int8"))).toBeGreaterThan(1e-5);
  });

  test("is calibrated on the run's own texts, the same every time", async () => {
    const target = { kind: "run", folder: tiny.run } as const;
    const [once, again] = [
      await taskRanges(environment, target, frozen),
      await taskRanges(environment, target, frozen),
    ];
    expect([...once]).toEqual([...again]);
    const asked = await openMergedModel(environment, target, { task: "squad" });
    const bad = taskRanges(environment, target, asked);
    await expect(bad).rejects.toThrow(/--task: expected a task of labels, got squad/);
  });
});

function roundEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  if (rest !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}

const endsOf = ({ scale, zero }: ActivationRange) => [-zero * scale, (255 - zero) * scale] as const;

function errorOf(values: Float32Array, { scale, zero }: ActivationRange): number {
  return values.reduce((sum, value) => {
    const code = Math.min(255, Math.max(0, Math.round(value / scale) + zero));
    return sum + (value - scale * (code - zero)) ** 2;
  }, 0);
}
