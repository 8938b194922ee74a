import { expect, it } from "vitest";
import { Graph, matmul } from "../graph/index.ts";
import { float32, randomStream } from "../tensor/index.ts";
import { nodeBackend } from "./node.ts";

it("a program gives the same numbers whether its threads rest between runs or not", async () => {
  const random = randomStream(1, "rest");
  const drawn = (shape: readonly [number, number]) =>
    float32(
      shape,
      Float32Array.from({ length: shape[0] * shape[1] }, () => random.normal()),
    );
  const feeds = { x: drawn([64, 256]), w: drawn([256, 512]) };
  const results: unknown[] = [];
  for (const [ofBackend, ofProgram] of [
    [false, false],
    [true, undefined],
    [false, true],
  ] as const) {
    const graph = new Graph();
    const y = matmul(graph.input("x", "float32", ["B", 256]), graph.input("w", "float32", [256, 512]));
    const backend = nodeBackend({ threads: 2, sleepThreads: ofBackend });
    const program = await backend.compile({ y }, ofProgram === undefined ? {} : { sleepThreads: ofProgram });
    for (let run = 0; run < 2; run++) results.push((await program.run(feeds)).y!.data);
    await program.dispose();
  }
  for (const other of results.slice(1)) expect(other).toEqual(results[0]);
});
