import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { GraphError, UnsupportedError } from "../errors.ts";
import {
  add,
  argMax,
  expand,
  Graph,
  gather,
  layerNorm,
  matmul,
  mul,
  pad,
  reshape,
  slice,
  softmax,
  tanh,
  type Value,
} from "../graph/index.ts";
import { type EmitOptions, emit } from "./emit.ts";
import { type ModelProto, ModelProtoSchema, type NodeProto, type ValueInfoProto } from "./generated/onnx_pb.js";

const nowhere: EmitOptions = { place: () => ({ name: "model.safetensors", byteOffset: 1021, byteLength: 96 }) };

function model(outputs: Record<string, Value>, options = nowhere): ModelProto {
  return fromBinary(ModelProtoSchema, emit(outputs, options).bytes);
}

const types = ({ graph }: ModelProto) => graph!.node.map(({ opType }) => opType);
const made = ({ graph }: ModelProto) => graph!.node.flatMap(({ output }) => output);
const sizes = ({ type }: ValueInfoProto) =>
  type?.value.case === "tensorType" ? type.value.value.shape!.dim.map(({ value }) => value.value) : [];
const lines = ({ graph }: ModelProto) =>
  graph!.node.map(({ opType, input, output }: NodeProto) => `${output.join(", ")} = ${opType}(${input.join(", ")})`);

describe("outputs", () => {
  it("are named on the node that makes them, also where others read them", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B"]);
    const hidden = tanh(x);
    expect(lines(model({ logits: softmax(hidden), hidden }))).toEqual(["hidden = Tanh(x)", "logits = Softmax(hidden)"]);
  });

  it("may give one value several names, or be an input, a constant or a parameter", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B"]);
    const y = tanh(x);
    const emitted = model({
      first: y,
      second: y,
      third: y,
      x2: x,
      one: graph.scalar(1),
      w2: graph.parameter("w", [24]),
    });
    expect(lines(emitted)).toEqual([
      "first = Tanh(x)",
      "second = Identity(first)",
      "third = Identity(first)",
      "x2 = Identity(x)",
      "one = Identity(%c0)",
      "w2 = Identity(w)",
    ]);
    expect(emitted.graph!.output.map(({ name }) => name)).toEqual(["first", "second", "third", "x2", "one", "w2"]);
    expect(new Set(made(emitted)).size).toBe(made(emitted).length);
  });

  it("may not take a name that is taken, all said at once", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B"]);
    const y = add(x, graph.parameter("w", [1]));
    expect(() => model({ x: y, w: y, "%1": y })).toThrowErrorMatchingInlineSnapshot(`
      [GraphError: graph: expected a legal graph, got 3 fault(s)
        output x: an input or parameter has this name; name the output otherwise
        output w: an input or parameter has this name; name the output otherwise
        %1: kept for values without a name]
    `);
    expect(() => model({ y: graph.at("head", () => expand(y, ["N", "B"])) })).toThrow(GraphError);
  });
});

describe("weights", () => {
  it("lie outside the model at the span they are given, or inside when given as bytes", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B", 4]);
    const y = matmul(matmul(x, graph.parameter("a", [4, 6])), graph.parameter("b", [6, 1]));
    const bytes = new Uint8Array(24).fill(7);
    const place: EmitOptions["place"] = (weight) => (weight.name === "b" ? bytes : nowhere.place(weight));
    const [b, a] = [...model({ y }, { place }).graph!.initializer].sort((p, q) => (p.name < q.name ? 1 : -1));
    expect(Object.fromEntries(a!.externalData.map(({ key, value }) => [key, value]))).toEqual({
      location: "model.safetensors",
      offset: "1021",
      length: "96",
    });
    expect([a!.dims, a!.rawData.length, b!.externalData.length, b!.rawData]).toEqual([[4n, 6n], 0, 0, bytes]);
    expect(emit({ y }, nowhere).external).toEqual([
      { name: "a", dtype: "float32", shape: [4, 6] },
      { name: "b", dtype: "float32", shape: [6, 1] },
    ]);
  });

  it("are inputs when trainable, and have sizes known at once when not", () => {
    const graph = new Graph();
    const w = graph.parameter("w", [2], { trainable: true });
    const emitted = emit({ y: mul(w, graph.input("x", "float32", ["B", 2])) }, nowhere);
    expect(emitted.inputs).toEqual([
      { name: "w", dtype: "float32", shape: [2] },
      { name: "x", dtype: "float32", shape: ["B", 2] },
    ]);
    expect(emitted.external).toEqual([]);
    const open = graph.parameter("open", ["B"]);
    expect(() => emit({ y: add(open, graph.input("z", "float32", ["B"])) }, nowhere)).toThrow(UnsupportedError);
  });
});

describe("the graph", () => {
  it("leaves out what no output needs, and writes equal constants and sizes once", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B", "S", 4]);
    softmax(tanh(x));
    const flat = mul(reshape(x, ["B*S", 4]), 2);
    const emitted = model({ a: flat, b: add(reshape(mul(x, 2), ["B*S", 4]), 2), c: expand(graph.scalar(2), ["B*S"]) });
    expect(types(emitted)).not.toContain("Tanh");
    expect(types(emitted).filter((type) => type === "Shape")).toHaveLength(2);
    expect(emitted.graph!.initializer.filter(({ dataType, dims }) => dataType === 1 && dims.length === 0)).toHaveLength(
      1,
    );
  });

  it("carries sites in the names of its nodes", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B"]);
    const { bytes, sites } = emit({ y: graph.at("encoder.layer.0/grad", () => tanh(x)) }, nowhere);
    const [node] = fromBinary(ModelProtoSchema, bytes).graph!.node;
    expect(node!.name).toBe("encoder.layer.0/grad/Tanh_0");
    expect(sites.get(node!.name)).toBe("encoder.layer.0/grad");
  });

  it("tells the size of all results, so that ONNX Runtime's planner need not compare each with all it does not know", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B", "S", 4]);
    const [gamma, beta] = [graph.parameter("gamma", [6]), graph.parameter("beta", [6])];
    const rows = add(matmul(reshape(x, ["B*S", 4]), graph.parameter("w", [4, 6])), graph.parameter("b", [6]));
    const { y, invStd } = layerNorm(reshape(rows, ["B", "S", 6]), gamma, beta);
    const emitted = model({ y: tanh(slice(pad(mul(y, invStd), 1, 60, 0), 1, 30, "S")) });
    const told = new Map(emitted.graph!.valueInfo.map((info) => [info.name, sizes(info)]));
    const untold = emitted.graph!.node.filter(
      ({ opType, output }) => !["Shape", "Add", "Mul", "Concat", "CastLike"].includes(opType) && !told.has(output[0]!),
    );
    expect(untold.map(({ opType, output }) => [opType, output])).toEqual([["Tanh", ["y"]]]);
    const [gemm] = emitted.graph!.node.flatMap(({ opType, output }) => (opType === "Gemm" ? output : []));
    expect(told.get(gemm!)).toEqual(["B*S", 6n]);
    expect([...told.values()].filter((shape) => shape.join() === "B,S,1")).toHaveLength(2);
  });

  it("reads sizes from the inputs that have them and computes the rest", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B", "S"]);
    expect(
      lines(model({ y: slice(pad(x, 1, 60, 0), 1, "S", 60) })).filter((line) => !line.startsWith("y")),
    ).toMatchInlineSnapshot(`
      [
        "%1 = CastLike(%c0, x)",
        "%4 = Pad(x, %c2, %1, %c3)",
        "%5 = Shape(x)",
        "%7 = Add(%5, %c6)",
      ]
    `);
  });

  it("says which sizes may not be 0: a largest of nothing, a batched product over nothing", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B", "S", "N"]);
    const keys = graph.input("keys", "float32", ["B", "T", "N"]);
    expect(emit({ y: argMax(x, 1) }, nowhere).nonEmpty).toEqual(["S"]);
    expect(emit({ y: matmul(x, keys, { transB: true }) }, nowhere).nonEmpty).toEqual(["N"]);
    // with S = 0 the result is empty itself
    expect(emit({ y: matmul(softmax(matmul(x, x, { transB: true })), x) }, nowhere).nonEmpty).toEqual(["N"]);
    expect(emit({ y: gather(x, argMax(graph.input("z", "float32", [3, 2]), 1)) }, nowhere).nonEmpty).toEqual([]);
  });
});
