import type { InferenceSession } from "onnxruntime-common";
import { describe, expect, it } from "vitest";
import { BackendError } from "../errors.ts";
import { add, Graph, tanh } from "../graph/index.ts";
import { float32 } from "../tensor/index.ts";
import type { DeviceTensor } from "./backend.ts";
import { loadEngine } from "./engine-node.ts";
import { HostTensor } from "./host-tensor.ts";
import { nodeBackend } from "./node.ts";
import { type Ort, openProgram, prepare } from "./program.ts";

/** A runtime that only fails, with the messages ONNX Runtime gives. */
const failing = (compile: string | null, run = ""): Ort => ({
  InferenceSession: {
    create: () => {
      if (compile !== null) return Promise.reject(new Error(compile));
      return Promise.resolve({ run: () => Promise.reject(new Error(run)) } as unknown as InferenceSession);
    },
  },
  Tensor: class {} as unknown as Ort["Tensor"],
});

describe("failures", () => {
  const graph = new Graph();
  const outputs = { y: graph.at("encoder.layer.2.mlp", () => tanh(graph.input("x", "float32", ["B"]))) };
  const prepared = () => prepare(outputs, {}, false);

  it("of compiling name the site of the node that was refused, and keep the cause", async () => {
    const message = "Type 'tensor(int8)' of operator (Tanh) in node (encoder.layer.2.mlp/Tanh_0) is invalid.";
    const error: unknown = await openProgram(failing(message), "cpu", await prepared(), {}).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(BackendError);
    expect(error).toMatchObject({ phase: "compile", site: "encoder.layer.2.mlp", cause: { message } });
    expect(error).toMatchInlineSnapshot(
      `[BackendError: cpu (compile) at encoder.layer.2.mlp: Type 'tensor(int8)' of operator (Tanh) in node (encoder.layer.2.mlp/Tanh_0) is invalid.]`,
    );
  });

  it("of runs name the site of the node that failed", async () => {
    const message = "Non-zero status code returned while running Tanh node. Name:'encoder.layer.2.mlp/Tanh_0' Status";
    const program = await openProgram(failing(null, message), "wasm", await prepared(), {});
    const error: unknown = await program.run({ x: float32([1], [1]) }).catch((e: unknown) => e);
    expect(error).toMatchObject({ phase: "run", site: "encoder.layer.2.mlp", backend: "wasm" });
  });

  it("that name no node of ours have no site", async () => {
    const error: unknown = await openProgram(failing("out of memory"), "cpu", await prepared(), {}).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ site: "", message: "cpu (compile): out of memory" });
  });
});

describe("device tensors", () => {
  const graph = new Graph();
  const [x, y] = [graph.input("x", "float32", [2]), graph.input("y", "float32", [2])];
  const outputs = { sum: add(x, y), twice: add(x, x) };
  const backend = nodeBackend({ threads: 1 });
  /** As node's runtime, which writes into what it is given, and as the web's, whose results are copied. */
  const open = async (fetchesInPlace: boolean) =>
    openProgram(await loadEngine({}), "cpu", await prepare(outputs, {}, false), {}, { fetchesInPlace });

  it.each([true, false])("are fed and written from run to run; fetched in place: %s", async (fetchesInPlace) => {
    const program = await open(fetchesInPlace);
    let [now, next] = [await backend.place(float32([2], [1, 2])), await backend.place(float32([2], [0, 0]))];
    for (let run = 0; run < 3; run++) {
      const given = await program.run({ x: now, y: float32([2], [10, 20]) }, { sum: next });
      expect(Object.keys(given)).toEqual(["twice"]);
      [now, next] = [next, now];
    }
    expect([now.dtype, now.shape]).toEqual(["float32", [2]]);
    expect(Array.from((await now.read()).data as Float32Array)).toEqual([31, 62]);
    await now.write(float32([2], [5, 6]));
    const { twice } = await program.run({ x: now, y: now }, { sum: next });
    expect(Array.from(twice!.data as Float32Array)).toEqual([10, 12]);
    expect(Array.from((await next.read()).data as Float32Array)).toEqual([10, 12]);
    await program.dispose();
  });

  it("of another backend are refused, as inputs and as targets", async () => {
    const program = await open(true);
    const other: DeviceTensor = {
      dtype: "float32",
      shape: [2],
      read: () => Promise.reject(new Error("read")),
      write: () => Promise.reject(new Error("written")),
      dispose: () => Promise.resolve(),
    };
    const host = new HostTensor(float32([2], [1, 2]));
    await expect(program.run({ x: other, y: host })).rejects.toThrow(
      "input x: expected a tensor that this backend placed",
    );
    await expect(program.run({ x: host, y: host }, { sum: other })).rejects.toThrow("output sum: expected a tensor");
    await program.dispose();
  });
});
