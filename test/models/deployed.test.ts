// The graph that is shipped gives what the plain one gives, for every type of encoder: attention is fused where its form allows it.
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { deploy, deployedProgram, inferenceGraph } from "../../src/export/index.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openCheckpoint } from "../../src/hub/index.ts";
import { anyModel, ENCODER_TYPES, type EncoderModel, sanitize } from "../../src/models/index.ts";
import type { Program } from "../../src/runtime/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { headOfConfig } from "../../src/tasks/index.ts";
import { int64, randomStream, type Tensor } from "../../src/tensor/index.ts";

const FOLDER = "test/golden/encoders/checkpoints";
const FOLDERS = readdirSync(FOLDER);

/** Attentions of two blocks that are one node; the last block of a head over the first token alone has another form where queries have biases of their own. */
const FUSED: Readonly<Record<string, number>> = { "mpnet-gelu": 1 };
/** Rotary positions and fused queries, keys and values are another form. */
const UNFUSED: readonly string[] = ["modernbert"];

const LENGTH = 9;

function feeds(vocabSize: number): Record<string, Tensor> {
  const random = randomStream(3, "deployed");
  const lengths = [9, 4, 7];
  const table = (value: (row: number, at: number) => number) =>
    int64(
      [lengths.length, LENGTH],
      lengths.flatMap((_, row) => Array.from({ length: LENGTH }, (_, at) => value(row, at))),
    );
  return {
    input_ids: table((row, at) => (at < lengths[row]! ? 4 + random.integer(vocabSize - 4) : 1)),
    attention_mask: table((row, at) => Number(at < lengths[row]!)),
    token_type_ids: table(() => 0),
  };
}

test.each(FOLDERS)("%s", async (name) => {
  const { config, weights: stored } = await openCheckpoint(nodeFiles(), `${FOLDER}/${name}`);
  const model = anyModel(config) as EncoderModel;
  const weights = sanitize(model.config, stored);
  const head = headOfConfig(config, model.config.labels)!;
  const backend = nodeBackend({ threads: 1 });
  const given = feeds(model.config.vocabSize);
  const run = async (program: Program) => {
    const outputs = await program.run(given);
    await program.dispose();
    return outputs;
  };
  const plain = await run(
    await backend.compile(inferenceGraph({ model, head }, { firstOnly: false }).outputs, { weights }),
  );
  const shipped = await deploy({ model, head }, weights, "fp32");
  const fused = await run(await backend.open(deployedProgram({ model, head }, shipped)));
  for (const [output, { data }] of Object.entries(plain)) {
    const got = fused[output]!.data as Float32Array;
    const gap = (data as Float32Array).reduce((most, value, i) => Math.max(most, Math.abs(value - got[i]!)), 0);
    expect(gap, output).toBeLessThan(1e-5);
  }
  const attentions = shipped.nodes.filter(({ type }) => type === "MultiHeadAttention").length;
  expect(attentions).toBe(UNFUSED.some((type) => name.startsWith(type)) ? 0 : (FUSED[name] ?? 2));
});

test("every type of encoder is among them", () => {
  for (const type of ENCODER_TYPES)
    expect(
      FOLDERS.some((name) => name.startsWith(`${type}-`)),
      type,
    ).toBe(true);
});
