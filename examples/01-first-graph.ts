// A line fitted by gradient descent: define values, differentiate, compile, run. In your project: from "deft-tune/graph".
import { add, backward, float32, Graph, mul, reduceMean, square, sub, type Tensor } from "../src/graph.ts";
import { nodeBackend } from "../src/node.ts";

// y = slope · x + offset over a batch of any size N
const graph = new Graph();
const x = graph.input("x", "float32", ["N"]);
const y = graph.input("y", "float32", ["N"]);
const slope = graph.parameter("slope", [], { trainable: true });
const offset = graph.parameter("offset", [], { trainable: true });
const loss = reduceMean(square(sub(add(mul(slope, x), offset), y)));

// gradients are values of the same graph, and so is the step that uses them
const [dSlope, dOffset] = backward(loss, [slope, offset]);
const rate = 0.1;
const program = await nodeBackend().compile({
  loss,
  "next slope": sub(slope, mul(dSlope!, rate)),
  "next offset": sub(offset, mul(dOffset!, rate)),
});

// points on y = 3x − 1
const points = { x: float32([4], [-1, 0, 1, 2]), y: float32([4], [-4, -1, 2, 5]) };
let parameters: { slope: Tensor; offset: Tensor } = { slope: float32([], [0]), offset: float32([], [0]) };
for (let step = 0; step <= 100; step++) {
  const { loss, "next slope": slope, "next offset": offset } = await program.run({ ...points, ...parameters });
  if (step % 25 === 0) console.log(`step ${step}: loss ${Number(loss!.data[0]).toPrecision(3)}`);
  parameters = { slope: slope!, offset: offset! };
}
await program.dispose();

const [a, b] = [parameters.slope, parameters.offset].map(({ data }) => Number(data[0]));
console.log(`y = ${a!.toFixed(3)} x ${b! < 0 ? "-" : "+"} ${Math.abs(b!).toFixed(3)}`);
if (Math.abs(a! - 3) > 1e-2 || Math.abs(b! + 1) > 1e-2) throw new Error("the line was not found");
