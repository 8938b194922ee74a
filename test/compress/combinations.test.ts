// Pruned, then made smaller, then put into fewer bits: zeros stay exact zeros, and sizes that no block divides are computed right.
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { logitsOf } from "../../src/evaluate/encoder-logits.ts";
import { deployedProgram } from "../../src/export/optimize.ts";
import { openCompressData } from "../../src/jobs/compress/data.ts";
import { onnxFile } from "../../src/jobs/export/onnx-files.ts";
import { inferenceOf, openMergedModel } from "../../src/load/merged-model.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { type OnnxModel, type OnnxTensor, readModel } from "../../src/onnx/index.ts";
import { multiplied } from "../../src/onnx/passes/quantize-static.ts";
import { INT4_BLOCK } from "../../src/onnx/passes/quantize-weights.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { deft } from "../support/command.ts";
import { type TinyRun, tinyRun } from "./support.ts";

const PRECISIONS = ["fp32", "int8", "qdq", "q4"] as const;
type Precision = (typeof PRECISIONS)[number];
const SIZES = { pruned: [80, 80], both: [45, 0] } as const;

describe.each(["bert", "roberta"] as const)("%s", (modelType) => {
  let tiny: TinyRun;
  const models = new Map<string, OnnxModel>();
  const model = (name: keyof typeof SIZES, precision: Precision) => models.get(`${name} ${precision}`)!;

  beforeAll(async () => {
    tiny = await tinyRun({ modelType, hiddenSize: 40, prune: "wanda:0.5" });
    const both = join(tiny.root, "both");
    const rule = ["--keep-neurons", "0.5625", "--skip", "1", "--quantize", "qdq", "--threads", "1", "-q"];
    expect((await deft("compress", tiny.run, "--output", both, ...rule)).err).toBe("");
    for (const [name, folder] of [
      ["pruned", tiny.run],
      ["both", both],
    ]) {
      const output = join(tiny.root, `${name}-onnx`);
      const how = ["--format", "onnx", "--precision", PRECISIONS.join(","), "--threads", "1", "-q"];
      const { err } = await deft("export", folder!, ...how, "--output", output);
      // the tiny byte-level tokenizer has words that Transformers.js splits otherwise, which is said
      expect(err.replace(/^Transformers\.js makes other tokens of some texts .*\n$/, "")).toBe("");
      for (const precision of PRECISIONS)
        models.set(
          `${name} ${precision}`,
          readModel(Uint8Array.from(readFileSync(join(output, "onnx", onnxFile("model", precision))))),
        );
    }
  });
  afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

  const cases = (["pruned", "both"] as const).flatMap((name) =>
    (["int8", "qdq", "q4"] as const).map((precision) => [name, precision] as const),
  );

  test.each(cases)("%s in %s: what was zero is zero, and half of all is", (name, precision) => {
    const whole = model(name, "fp32");
    let [zeros, size] = [0, 0];
    for (const weight of [...multiplied(whole).values()].flat()) {
      const before = numbers(whole.tensors.get(weight)!);
      const after = restored(model(name, precision), weight, whole.tensors.get(weight)!.shape, precision);
      expect(after).toHaveLength(before.length);
      for (const [i, value] of before.entries()) if (value === 0) expect(Math.abs(after[i]!)).toBe(0);
      if (!/encoder/.test(weight)) continue;
      zeros += before.filter((value) => value === 0).length;
      size += before.length;
    }
    expect(zeros / size).toBeGreaterThan(0.45);
  });

  test.each(cases)("%s in %s computes what its weights say", async (name, precision) => {
    const whole = model(name, "fp32");
    const folder = name === "pruned" ? tiny.run : join(tiny.root, "both");
    const frozen = await openMergedModel(nodeEnvironment(), { kind: "run", folder }, {});
    const { heldOut: stated } = await openCompressData(nodeEnvironment(), frozen, 1);
    const tensors = new Map(whole.tensors);
    for (const weight of [...multiplied(whole).values()].flat()) {
      const { shape } = whole.tensors.get(weight)!;
      const data = new Uint8Array(restored(model(name, precision), weight, shape, precision).buffer);
      tensors.set(weight, { dtype: "float32", shape, data });
    }
    const logits = async (of: OnnxModel) => {
      const program = await nodeBackend({ threads: 1 }).open(deployedProgram(inferenceOf(frozen.config), of));
      const made = await logitsOf(program, frozen.opened.head, stated);
      await program.dispose();
      return made;
    };
    const [fewer, same, float] = [
      await logits(model(name, precision)),
      await logits({ ...whole, tensors }),
      await logits(whole),
    ];
    const scale = Math.max(...float.map(Math.abs));
    const gap = (a: Float32Array, b: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - b[i]!))) / scale;
    // what is left is what eight bits make of the activations and of the tables
    expect(gap(fewer, same)).toBeLessThan(0.03);
    if (precision === "q4") expect(gap(fewer, same)).toBeLessThan(0.5 * gap(fewer, float));
  });

  test("sizes are those that were asked for, and blocks are filled up", () => {
    const matrices = (name: keyof typeof SIZES) =>
      [...multiplied(model(name, "fp32")).values()]
        .flat()
        .filter((weight) => /layer\.\d+\.output\.dense/.test(weight))
        .map((weight) => [weight, model(name, "fp32").tensors.get(weight)!.shape] as const);
    expect(matrices("pruned").map(([, shape]) => shape)).toEqual(SIZES.pruned.map((neurons) => [40, neurons]));
    expect(matrices("both").map(([, shape]) => shape)).toEqual([[40, 45]]);
    const [weight] = matrices("both")[0]!;
    expect(model("both", "q4").tensors.get(`${weight}:int4`)!.shape).toEqual([40, 2, INT4_BLOCK / 2]);
  });

  test("compress states the score of qdq, and export makes it the usual one", async () => {
    const both = join(tiny.root, "both");
    const compression = JSON.parse(readFileSync(join(both, "compression.json"), "utf8")) as Record<string, object>;
    expect(compression).toMatchObject({ quantization: "qdq" });
    // a count of the stated examples
    const { stated, quantized } = compression as { stated: { examples: number }; quantized: { accuracy: number } };
    const right = quantized.accuracy * stated.examples;
    expect(right).toBeCloseTo(Math.round(right), 9);
    expect(right).toBeLessThanOrEqual(stated.examples);
    const output = join(tiny.root, "usual");
    const { out } = await deft("export", both, "--format", "onnx", "--output", output, "--json");
    expect(JSON.parse(out)).toMatchObject({
      files: [
        { precision: "fp32", path: "onnx/model.onnx" },
        { precision: "qdq", path: "onnx/model_int8.onnx" },
      ],
      loads: expect.stringContaining('dtype: "int8"') as string,
    });
    expect(statSync(join(output, "onnx/model_int8.onnx")).size).toBeLessThan(
      statSync(join(output, "onnx/model.onnx")).size,
    );
  });

  test("without texts qdq is refused, and nothing is written", async () => {
    const output = join(tiny.root, "refused");
    const bare = ["--model", join(tiny.root, "usual-merged"), "--format", "onnx", "--output", output];
    const merged = ["export", tiny.run, "--format", "merged", "--output", join(tiny.root, "usual-merged"), "-q"];
    expect((await deft(...merged)).code).toBe(0);
    const refused = await deft("export", ...bare, "--precision", "fp32,qdq");
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /--task: expected the task.*\n.*--data: expected.*\n.*qdq.*int8 and int4 need none/,
      ) as string,
    });
    expect(existsSync(output)).toBe(false);
    const given = ["--task", "sst2", "--data", tiny.data, "--threads", "1"];
    expect(await deft("export", ...bare, "--precision", "qdq", ...given)).toMatchObject({ code: 0 });
  });
});

function numbers({ data }: OnnxTensor): Float32Array {
  return new Float32Array((data as Uint8Array).slice().buffer);
}

/** `[out, in]` as its codes say. */
function restored(
  { tensors }: OnnxModel,
  weight: string,
  [rows, width]: readonly number[],
  precision: Exclude<Precision, "fp32">,
): Float32Array {
  const made = new Float32Array(rows! * width!);
  const part = (name: string) => tensors.get(`${weight}:${name}`)!;
  const bytes = (name: string) => part(name).data as Uint8Array;
  if (precision !== "q4") {
    const codes = new Int8Array(bytes("int8").slice().buffer);
    const scales = numbers(part("scale"));
    for (let at = 0; at < made.length; at++) {
      const [o, i] = [Math.floor(at / width!), at % width!];
      made[at] = scales[o]! * codes[i * rows! + o]!;
    }
    return made;
  }
  const [codes, scales] = [bytes("int4"), numbers(part("scales"))];
  const blocks = Math.ceil(width! / INT4_BLOCK);
  for (let at = 0; at < made.length; at++) {
    const [o, i] = [Math.floor(at / width!), at % width!];
    const place = o * blocks * INT4_BLOCK + i;
    const code = (codes[place >> 1]! >> (place % 2 === 0 ? 0 : 4)) & 15;
    made[at] = scales[o * blocks + Math.floor(i / INT4_BLOCK)]! * (code - 8);
  }
  return made;
}
