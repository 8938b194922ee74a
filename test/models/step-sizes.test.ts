// What opening a step costs must grow as its layers do: ONNX Runtime's planner compares each result with all freed ones
// whose size it was not told, so their number may not depend on the number of layers.
import { fromBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openCheckpoint } from "../../src/hub/index.ts";
import { anyModel } from "../../src/models/index.ts";
import { ModelProtoSchema } from "../../src/onnx/generated/onnx_pb.js";
import { emit } from "../../src/onnx/index.ts";
import { lora } from "../../src/peft/index.ts";
import type { HeadKind } from "../../src/tasks/index.ts";
import { elementCount } from "../../src/tensor/index.ts";
import { buildStep } from "../../src/train/index.ts";

const ENCODER = {
  folder: "encoders/checkpoints/roberta-gelu",
  head: { kind: "classification", numLabels: 2 },
} as const;
const CASES: readonly [string, { readonly folder: string; readonly head: HeadKind }, readonly string[]][] = [
  ["T5", { folder: "t5/checkpoints/t5-v11", head: { kind: "language-model" } }, ["q", "v"]],
  ["RoBERTa", ENCODER, ["query", "value"]],
];

async function emitted(folder: string, head: HeadKind, targets: readonly string[], layers: number) {
  const { config, weights } = await openCheckpoint(nodeFiles(), `test/golden/${folder}`);
  const sized = { ...config, num_layers: layers, num_decoder_layers: layers, num_hidden_layers: layers };
  const { step } = buildStep({
    model: anyModel(sized, folder, weights),
    method: lora({ dropout: 0.1, targets }),
    head,
    density: { positions: "attended" },
    weightDecay: 0.01,
    maxGradNorm: 1,
  });
  const { bytes } = emit(step, { place: ({ shape }) => new Uint8Array(4 * elementCount(shape)) });
  return fromBinary(ModelProtoSchema, bytes).graph!;
}

test.each(CASES)("%s: more layers, no more results of untold size", async (_, { folder, head }, targets) => {
  const [few, many] = await Promise.all([1, 4].map((layers) => emitted(folder, head, targets, layers)));
  const untold = ({ node, valueInfo, output }: NonNullable<typeof few>) => {
    const told = new Set([...valueInfo, ...output].map(({ name }) => name));
    return node.flatMap((each) => each.output.filter((name) => !told.has(name)).map(() => each.opType)).sort();
  };
  expect(many!.node.length).toBeGreaterThan(2 * few!.node.length);
  expect(untold(many!)).toEqual(untold(few!));
});
