import type { InferenceSession } from "onnxruntime-common";
import { describe, expect, it } from "vitest";
import { BackendError } from "../errors.ts";
import { Graph, tanh } from "../graph/index.ts";
import { float32 } from "../tensor/index.ts";
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
  const prepared = () => prepare(outputs, new Map(), false);

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
