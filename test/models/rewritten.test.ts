// A real BERT rewritten as a DistilBERT: the same hidden states, so its block is BERT's under other names.
import { expect, test } from "vitest";
import { Graph } from "../../src/graph/index.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openCheckpoint } from "../../src/hub/index.ts";
import { encoderStates } from "../../src/models/encoder-model.ts";
import { anyModel, type EncoderModel, sanitize } from "../../src/models/index.ts";
import { Scope } from "../../src/nn/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { float32, int64, memoryWeight, randomStream, type Tensor, type Weights } from "../../src/tensor/index.ts";
import { describeWithMinilm } from "../support/python.ts";

const RENAMED: readonly (readonly [RegExp, string])[] = [
  [/^bert\.encoder\.layer\./, "distilbert.transformer.layer."],
  [/^bert\./, "distilbert."],
  [/attention\.self\.query/, "attention.q_lin"],
  [/attention\.self\.key/, "attention.k_lin"],
  [/attention\.self\.value/, "attention.v_lin"],
  [/attention\.output\.dense/, "attention.out_lin"],
  [/attention\.output\.LayerNorm/, "sa_layer_norm"],
  [/intermediate\.dense/, "ffn.lin1"],
  [/(\d)\.output\.dense/, "$1.ffn.lin2"],
  [/(\d)\.output\.LayerNorm/, "$1.output_layer_norm"],
];

const BATCH = 3;
const LENGTH = 40;

async function statesOf(model: EncoderModel, weights: Weights): Promise<Float32Array> {
  const graph = new Graph();
  const tokens = (name: string) => graph.input(name, "int64", ["B", "S"]);
  const inputs = { tokenIds: tokens("tokenIds"), attentionMask: tokens("attentionMask"), typeIds: tokens("typeIds") };
  const { states } = encoderStates(model, Scope.root(graph), inputs);
  const program = await nodeBackend({ threads: 1 }).compile({ states }, { weights });
  const random = randomStream(1, "ids");
  const shape = [BATCH, LENGTH];
  const filled = (value: (at: number) => number) =>
    int64(
      shape,
      Array.from({ length: BATCH * LENGTH }, (_, i) => value(i)),
    );
  const outputs = await program.run({
    tokenIds: filled(() => 1000 + random.integer(20_000)),
    attentionMask: filled((i) => Number(i % LENGTH < 20 + 10 * Math.floor(i / LENGTH))),
    typeIds: filled(() => 0),
  });
  await program.dispose();
  return outputs["states"]!.data as Float32Array;
}

/** Row 0 of the segments added to every row of the positions. */
function withFirstSegment(positions: Tensor, segments: Tensor): Tensor {
  const [, width] = positions.shape as readonly [number, number];
  const values = Float32Array.from(
    positions.data as Float32Array,
    (value, i) => value + Number(segments.data[i % width]),
  );
  return float32(positions.shape, values);
}

describeWithMinilm("MiniLM in DistilBERT's form", (folder) => {
  test("gives the same hidden states", async () => {
    const { config, weights: stored } = await openCheckpoint(nodeFiles(), folder);
    const bert = anyModel(config) as EncoderModel;
    const weights = sanitize(bert.config, stored);
    const renamed = new Map(
      [...weights].map(([name, weight]) => [RENAMED.reduce((old, [from, to]) => old.replace(from, to), name), weight]),
    );
    const read = (name: string) => weights.get(`bert.embeddings.${name}.weight`)!.read();
    const positions = withFirstSegment(await read("position_embeddings"), await read("token_type_embeddings"));
    renamed.set("distilbert.embeddings.position_embeddings.weight", memoryWeight(positions));
    const { hiddenSize, intermediateSize, numLayers, numHeads, vocabSize, maxPositions } = bert.config;
    const distilbert = anyModel({
      model_type: "distilbert",
      dim: hiddenSize,
      hidden_dim: intermediateSize,
      n_layers: numLayers,
      n_heads: numHeads,
      vocab_size: vocabSize,
      max_position_embeddings: maxPositions,
    }) as EncoderModel;
    const [ours, theirs] = [await statesOf(distilbert, renamed), await statesOf(bert, weights)];
    const largest = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const gap = theirs.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[i]!)), 0);
    expect(largest).toBeGreaterThan(0.1);
    expect(gap / largest).toBeLessThan(1e-5);
  });
});
