// What each op says when it meets shapes or dtypes it cannot take.
import { describe, expect, it } from "vitest";
import { ShapeError, UnsupportedError } from "../../errors.ts";
import { Graph } from "../graph.ts";
import * as ops from "../index.ts";
import type { Value } from "../value.ts";

const graph = new Graph();
const f = (...shape: ops.Dim[]): Value => graph.input(`f${shape.join("_")}`, "float32", shape);
const i = (...shape: ops.Dim[]): Value => graph.input(`i${shape.join("_")}`, "int64", shape);

function message(build: () => unknown): string {
  try {
    graph.at("encoder.layer.3.output.dense", build);
  } catch (error) {
    expect(error instanceof ShapeError || error instanceof UnsupportedError).toBe(true);
    return (error as Error).message;
  }
  return "nothing was thrown";
}

describe("messages", () => {
  it("name the op, the site, what was wanted and what came", () => {
    const said = [
      () => ops.matmul(f("B", "S", 3072), f(1024, 768)),
      () => ops.matmul(f(3), f(3, 2)),
      () => ops.matmul(f(2, 3), ops.cast(f(3, 2), "float64")),
      () => ops.matmul(f("B", 2, 3), f("S", 3, 2)),
      () => ops.add(f("B"), f("S")),
      () => ops.add(f("B"), i("B")),
      () => ops.add(1, 2),
      () => ops.exp(i("B")),
      () => ops.not(f("B")),
      () => ops.and(f("B"), f("B")),
      () => ops.where(f("B"), 1, 0),
      () => ops.reshape(f("B", 4), ["B", 5]),
      () => ops.transpose(f("B", 4), [0, 0]),
      () => ops.expand(f("B", 4), ["B", 8]),
      () => ops.concat([f("B", 4), f("B", "S", 4)], 0),
      () => ops.concat([], 0),
      () => ops.slice(f(4), 0, 2, 3),
      () => ops.slice(f("B"), 0, -1, 1),
      () => ops.pad(f(4), 0, -1, 0),
      () => ops.gather(f(4), f(2)),
      () => ops.gather(f(), i(2)),
      () => ops.scatterAdd(f("B", 4), i("S"), 10),
      () => ops.layerNorm(f("B", 4), f(3), f(4)),
      () => ops.softmax(f("B", 4), 2),
      () => ops.reduceSum(f("B", 4), { axes: [-3] }),
      () => ops.reduceMax(f("B", 0)),
      () => ops.argMax(f("B", 0), 1),
      () => ops.erf(graph.input("d", "float64", [])),
      () => ops.pow(graph.input("u", "uint8", []), 2),
      () => ops.shiftRight(i(), i()),
      () => ops.where(graph.input("c", "bool", []), graph.input("u", "uint8", []), f()),
      () => ops.where(graph.input("c", "bool", []), graph.input("s", "int8", []), 0),
    ].map(message);
    expect(said.join("\n")).toMatchInlineSnapshot(`
      "matmul at encoder.layer.3.output.dense: expected inner sizes to match, got [B, S, 3072] · [1024, 768]
      matmul at encoder.layer.3.output.dense: expected two values of rank 2 or more, got [3] · [3, 2]
      matmul at encoder.layer.3.output.dense: expected two values of one dtype, got float32 · float64
      matmul at encoder.layer.3.output.dense: expected shapes that broadcast, got [B] · [S]
      add at encoder.layer.3.output.dense: expected shapes that broadcast, got [B] · [S]
      add at encoder.layer.3.output.dense: expected two values of one dtype, got float32 · int64
      add: expected at least one value of a graph, got 1 · 2
      exp at encoder.layer.3.output.dense: expected a float dtype, got int64
      not at encoder.layer.3.output.dense: expected a bool, got float32
      and at encoder.layer.3.output.dense: expected two bools, got float32 · float32
      where at encoder.layer.3.output.dense: expected a bool condition, got float32
      reshape at encoder.layer.3.output.dense: expected as many elements, got [B, 4] · [B, 5]
      transpose at encoder.layer.3.output.dense: expected a permutation of 2 axes, got [0, 0]
      expand at encoder.layer.3.output.dense: expected shapes that broadcast, got [B, 4] · [B, 8]
      concat at encoder.layer.3.output.dense: expected values alike but for axis 0, got float32[B, 4] · float32[B, S, 4]
      concat: expected at least one value, got none
      slice at encoder.layer.3.output.dense: expected a range inside 4 elements, got 2 + 3
      slice at encoder.layer.3.output.dense: expected a range inside B elements, got -1 + 1
      pad at encoder.layer.3.output.dense: expected amounts from 0 up, got -1 and 0
      gather at encoder.layer.3.output.dense: expected int32 or int64 indices, got float32
      gather at encoder.layer.3.output.dense: expected data of rank 1 or more, got []
      scatterAdd at encoder.layer.3.output.dense: expected updates that begin with the indices' shape, got [B, 4] · [S]
      layerNorm at encoder.layer.3.output.dense: expected γ and β of float32[4], got float32[3]
      softmax at encoder.layer.3.output.dense: expected an axis of a rank-2 value, got 2
      reduceSum at encoder.layer.3.output.dense: expected an axis of a rank-2 value, got -3
      reduceMax at encoder.layer.3.output.dense: expected at least one element along the axis, got [B, 0]
      argMax at encoder.layer.3.output.dense: expected at least one element along the axis, got [B, 0]
      erf of float64 at encoder.layer.3.output.dense: not supported; expected one of float32, float16
      cast the value to one of these first
      pow of uint8 at encoder.layer.3.output.dense: not supported; expected one of float32, float16, float64, int64, int32
      cast the value to one of these first
      shiftRight of int64 at encoder.layer.3.output.dense: not supported; expected one of uint64, uint32, uint8
      cast the value to one of these first
      where at encoder.layer.3.output.dense: expected two values of one dtype, got uint8 · float32
      where of int8 at encoder.layer.3.output.dense: not supported; expected one of float32, float16, float64, int64, int32, uint8
      cast the value to one of these first"
    `);
  });
});
