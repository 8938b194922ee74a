import { expect, it } from "vitest";
import { Graph } from "./graph.ts";
import { add, mul, relu } from "./ops/elementwise.ts";
import { matmul } from "./ops/matmul.ts";
import { reshape } from "./ops/movement.ts";
import { layerNorm } from "./ops/normalize.ts";
import { printGraph } from "./print.ts";

it("prints one line a node, with stable names, sites and what each returns", () => {
  const graph = new Graph();
  const x = graph.input("x", "float32", ["B", "S", 4]);
  const h = graph.at("mlp.dense", () => {
    const w = graph.parameter("mlp.dense.weight", [8, 4]);
    return relu(add(matmul(x, w, { transB: true }), graph.parameter("mlp.dense.bias", [8], { trainable: true })));
  });
  mul(h, 3);
  const [gamma, beta] = [graph.parameter("norm.weight", [8]), graph.parameter("norm.bias", [8])];
  const { y, mean } = graph.at("norm", () => layerNorm(h, gamma, beta, { epsilon: 1e-12 }));
  expect(printGraph({ hidden: reshape(mul(y, 1 / 3), ["B*S", 8]), mean })).toMatchInlineSnapshot(`
    "a: float32[B, S, 4] = input(name=x)
    b: float32[8, 4] = parameter(name=mlp.dense.weight, trainable=false) @ mlp.dense
    c: float32[B, S, 8] = matmul(a, b, transA=false, transB=true, alpha=1) @ mlp.dense
    d: float32[8] = parameter(name=mlp.dense.bias, trainable=true) @ mlp.dense
    e: float32[B, S, 8] = add(c, d) @ mlp.dense
    f: float32[B, S, 8] = relu(e) @ mlp.dense
    g: float32[8] = parameter(name=norm.weight, trainable=false)
    h: float32[8] = parameter(name=norm.bias, trainable=false)
    i: float32[B, S, 8], j: float32[B, S, 1], k: float32[B, S, 1] = layerNorm(f, g, h, epsilon=1e-12) @ norm
    l: float32[] = constant(0.333333)
    m: float32[B, S, 8] = mul(i, l)
    n: float32[B*S, 8] = reshape(m, shape=[B*S, 8])
    return hidden = n
    return mean = j"
  `);
});
