// What the density loss pulls on: its gradient before GELU, against central differences. From "deft-tune/graph" outside.
import { add, backward, div, float32, Graph, gelu, reduceSum, square } from "../src/graph.ts";
import { nodeBackend } from "../src/node.ts";

// a = gelu(x), surrogate a² / (a² + ε): close to 1 for an active neuron, to 0 for a silent one
const graph = new Graph();
const x = graph.input("x", "float32", ["N"]);
const epsilon = graph.input("epsilon", "float32", []);
const active = square(gelu(x));
const surrogate = div(active, add(active, epsilon));
const [pull] = backward(reduceSum(surrogate), [x]);
const program = await nodeBackend({ threads: 1 }).compile({ surrogate, pull: pull! });

const points = [-4, -2, -1, -0.5, -0.1, 0.1, 0.5, 1, 2];
const at = async (shift: number, value: number) => {
  const feeds = {
    x: float32(
      [points.length],
      points.map((point) => point + shift),
    ),
    epsilon: float32([], [value]),
  };
  const { surrogate, pull } = await program.run(feeds);
  return { surrogate: Array.from(surrogate!.data, Number), pull: Array.from(pull!.data, Number) };
};

for (const value of [1e-2, 1e-7]) {
  const h = 1e-3;
  const [here, before, after] = [await at(0, value), await at(-h, value), await at(h, value)];
  console.log(`ε = ${value}\n     x  surrogate  pull`);
  for (const [i, point] of points.entries()) {
    const slope = (after.surrogate[i]! - before.surrogate[i]!) / (2 * h);
    console.log(
      `${point.toFixed(1).padStart(6)}  ${here.surrogate[i]!.toFixed(5)}    ${here.pull[i]!.toExponential(2)}`,
    );
    if (Math.abs(slope - here.pull[i]!) > 2e-3 * Math.max(1, Math.abs(slope))) throw new Error(`wrong at x = ${point}`);
  }
}
await program.dispose();
