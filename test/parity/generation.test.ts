// Texts as transformers' `generate` writes them, token for token: greedily, by beams; and what its warpers leave to chance.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openCheckpoint } from "../../src/hub/index.ts";
import { warp } from "../../src/infer/generation/decoding.ts";
import { type GenerationOptions, type Generator, type GeneratorOptions, openGenerator } from "../../src/infer/index.ts";
import { sanitize, t5Model } from "../../src/models/index.ts";
import { full, headOnly, lora } from "../../src/peft/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { webBackend } from "../../src/runtime/web.ts";
import { buildTaskGraph } from "../../src/tasks/index.ts";
import { int64, type Tensor } from "../../src/tensor/index.ts";
import { initialParameters } from "../../src/train/index.ts";
import { describeWithPython, runPython } from "../support/python.ts";

interface GenerationRecord {
  readonly cases: readonly {
    readonly checkpoint: string;
    readonly name: string;
    readonly options: GenerationOptions;
    readonly batches: readonly (readonly (readonly number[])[])[];
    readonly texts: readonly (readonly (readonly number[])[])[];
    readonly scores: readonly (readonly number[])[];
    readonly ties: readonly number[];
  }[];
  readonly warpers: readonly {
    readonly temperature: number;
    readonly topK: number | null;
    readonly topP: number;
    readonly logits: readonly number[];
    readonly probabilities: readonly number[];
  }[];
}

const GOLDEN = "test/golden/generation";
const files = nodeFiles();
const folder = mkdtempSync(join(tmpdir(), "deft-generation-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = async (from: string) => JSON.parse(await files.readText(`${from}/generation.json`)) as GenerationRecord;

async function generatorOptions(checkpoint: string): Promise<GeneratorOptions> {
  const { config, weights } = await openCheckpoint(files, checkpoint);
  const model = t5Model(config, checkpoint, weights);
  const method = { ...headOnly(), trains: () => false };
  return { model, method, weights: sanitize(model.config, weights), backend: nodeBackend({ threads: 1 }) };
}

/** Prompts of several lengths as one batch, padded on the right. */
function batchOf(prompts: readonly (readonly number[])[]): { readonly inputs: Readonly<Record<string, Tensor>> } {
  const length = Math.max(...prompts.map((prompt) => prompt.length));
  const table = (of: (prompt: readonly number[], column: number) => number) =>
    int64(
      [prompts.length, length],
      prompts.flatMap((prompt) => Array.from({ length }, (_, column) => of(prompt, column))),
    );
  return {
    inputs: {
      tokenIds: table((prompt, column) => prompt[column] ?? 0),
      attentionMask: table((prompt, column) => Number(column < prompt.length)),
    },
  };
}

/** Compares every case; gives what was compared, with the ties that differ. */
async function compareTexts(from: string): Promise<{ compared: number; ties: number; tiesThatDiffer: string[] }> {
  const seen = { compared: 0, ties: 0, tiesThatDiffer: [] as string[] };
  const open = new Map<string, Generator>();
  for (const one of (await read(from)).cases) {
    const known =
      open.get(one.checkpoint) ?? (await openGenerator(await generatorOptions(`${from}/${one.checkpoint}`)));
    open.set(one.checkpoint, known);
    let example = 0;
    for (const prompts of one.batches) {
      for (const texts of await known.generate(new Map(), batchOf(prompts), one.options)) {
        const place = `${one.checkpoint} ${one.name} prompt ${example}`;
        const wanted = one.texts[example]!;
        const got = texts.map(({ tokenIds }) => tokenIds);
        seen.compared++;
        if (one.ties.includes(example)) {
          seen.ties++;
          if (JSON.stringify(got) !== JSON.stringify(wanted)) seen.tiesThatDiffer.push(place);
        } else {
          expect(got, place).toEqual(wanted);
          one.scores[example]?.forEach((score, i) => {
            expect(Math.abs(texts[i]!.score! - score), `${place} score ${i}`).toBeLessThan(1e-4);
          });
        }
        example++;
      }
    }
  }
  for (const generator of open.values()) await generator.dispose();
  return seen;
}

test("greedy and beam search, as recorded", async () => {
  const { compared, ties } = await compareTexts(GOLDEN);
  expect(compared).toBe(33);
  expect(ties).toBe(0);
});

test("the first texts of each search on wasm", async () => {
  const { cases } = await read(GOLDEN);
  for (const name of ["greedy", "beam-4"]) {
    const one = cases.find((each) => each.name === name)!;
    const options = await generatorOptions(`${GOLDEN}/${one.checkpoint}`);
    const generator = await openGenerator({ ...options, backend: webBackend({ threads: 1 }) });
    const texts = await generator.generate(new Map(), batchOf(one.batches[1]!), one.options);
    // the first batch holds one prompt
    expect(texts.map((each) => each.map(({ tokenIds }) => tokenIds))).toEqual(one.texts.slice(1, 1 + texts.length));
    await generator.dispose();
  }
});

test("temperature, top-k and top-p leave what transformers' warpers leave", async () => {
  const { warpers } = await read(GOLDEN);
  expect(warpers.length).toBeGreaterThan(5);
  for (const { logits, probabilities, ...options } of warpers) {
    const got = warp(Float32Array.from(logits), options);
    probabilities.forEach((wanted, id) => {
      expect(Math.abs(got[id]! - wanted), JSON.stringify({ ...options, id })).toBeLessThan(1e-6);
    });
  }
});

test("a batch writes what its examples write alone, and no end comes before minNewTokens", async () => {
  const options = await generatorOptions(`${GOLDEN}/checkpoints/t5-v11`);
  const generator = await openGenerator(options);
  const prompts = [[5, 6, 7, 8, 9, 10, 11], [12], [13, 14, 15]];
  for (const choices of [{}, { numBeams: 3 }, { minNewTokens: 8, numBeams: 2, numReturnSequences: 2 }]) {
    const together = await generator.generate(new Map(), batchOf(prompts), choices);
    const ids = together.map((texts) => texts.map(({ tokenIds }) => tokenIds));
    for (const [i, prompt] of prompts.entries()) {
      const [alone] = await generator.generate(new Map(), batchOf([prompt]), choices);
      expect(alone!.map(({ tokenIds }) => tokenIds)).toEqual(ids[i]);
    }
    if (choices.minNewTokens) {
      for (const text of ids.flat()) expect(text.length).toBeGreaterThan(choices.minNewTokens);
    }
  }
  await generator.dispose();
});

test("drawn texts depend on the seed alone, and top-k 1 is greedy", async () => {
  const generator = await openGenerator(await generatorOptions(`${GOLDEN}/checkpoints/t5-v11`));
  const batch = batchOf([
    [5, 6, 7],
    [8, 9, 10, 11],
  ]);
  const draw = async (sampling: GenerationOptions["sampling"], numReturnSequences = 1) =>
    generator.generate(new Map(), batch, { numReturnSequences, sampling: sampling ?? null });
  const first = await draw({ seed: 1 }, 4);
  expect(first.map((texts) => texts.length)).toEqual([4, 4]);
  expect(await draw({ seed: 1 }, 4)).toEqual(first);
  expect(await draw({ seed: 2 }, 4)).not.toEqual(first);
  expect(new Set(first[0]!.map((text) => text.tokenIds.join())).size).toBeGreaterThan(1);
  expect(await draw({ seed: 3, topK: 1 })).toEqual(await draw(null));
  await generator.dispose();
});

test("trained tensors are fed to both programs", async () => {
  const options = await generatorOptions(`${GOLDEN}/checkpoints/t5-v10`);
  const batch = batchOf([
    [5, 6, 7],
    [8, 9, 10, 11],
  ]);
  const write = async (method: GeneratorOptions["method"], change: (data: Float32Array) => void) => {
    const generator = await openGenerator({ ...options, method, density: true });
    const { parameters } = buildTaskGraph({ model: options.model, method, head: { kind: "language-model" } });
    const trained = await initialParameters(
      parameters.filter(({ trainable }) => trainable),
      options.weights,
      1,
    );
    for (const [name, { data }] of trained) if (name.endsWith("lora_B.weight")) change(data as Float32Array);
    const texts = await generator.generate(trained, batch);
    const density = generator.density()!;
    await generator.dispose();
    return { texts, density };
  };
  const plain = await write({ ...headOnly(), trains: () => false }, () => {});
  expect((await write(full(), () => {})).texts).toEqual(plain.texts);
  const targets = { rank: 2, targets: ["q", "v"] };
  expect((await write(lora(targets), () => {})).texts).toEqual(plain.texts);
  const bent = await write(lora(targets), (data) => data.fill(0.5));
  expect(bent.texts).not.toEqual(plain.texts);
  expect(plain.density.layers.map(({ stack, layer }) => `${stack} ${layer}`)).toEqual(["generation 0", "generation 1"]);
  expect(plain.density.generation!.exact).toBeGreaterThan(0.1);
  expect(plain.density.generation!.exact).toBeLessThan(0.9);
});

describeWithPython("generation as transformers", (python) => {
  test("200 prompts, greedy and with four beams, other choices, and rules about scores", {
    timeout: 20 * 60_000,
  }, async () => {
    await runPython("scripts/golden/generation.py", ["--out", folder], { interpreter: python });
    const { compared, ties, tiesThatDiffer } = await compareTexts(folder);
    // each rule with one text at a time and with beams, on one checkpoint
    expect(compared).toBe(3 * (2 * 200 + 5 * 50) + 2 * 13 * 16);
    // where float64 writes otherwise than float32, rounding decides
    expect(ties).toBeLessThan(compared / 50);
    if (ties > 0) console.log(`${ties} ties, of which differ: ${tiesThatDiffer.join(", ") || "none"}`);
  });
});
