// Tiny T5s for the tests of compression: random inputs, and what a model says of them.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openGenerator, openScorer } from "../../src/infer/index.ts";
import { t5Model } from "../../src/models/index.ts";
import { untrained } from "../../src/peft/index.ts";
import type { PlainModel } from "../../src/prune/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { int64, randomStream, type Tensor } from "../../src/tensor/index.ts";
import { deft } from "../support/command.ts";
import { tinySeq2seq, tinySquad, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles } from "../support/tiny-model.ts";

/** Both forms of T5, by what config.json says of them. */
export const VARIANTS = {
  "v1.0": { feed_forward_proj: "relu", tie_word_embeddings: true },
  "v1.1": { feed_forward_proj: "gated-gelu", tie_word_embeddings: false },
} as const;
export type Variant = keyof typeof VARIANTS;

/** Random texts and targets of random lengths, padded: `[count, 12]` to read, `[count, 5]` to write. */
export function randomTexts(count: number, seed: number): Record<"tokenIds" | "attentionMask" | "labels", Tensor> {
  const random = randomStream(seed, "texts");
  const rows = (width: number, none: number) =>
    Array.from({ length: count }, () => {
      const length = 1 + random.integer(width);
      return Array.from({ length: width }, (_, i) => (i < length ? 3 + random.integer(28) : none));
    });
  const [read, written] = [rows(12, 0), rows(5, -100)];
  return {
    tokenIds: int64([count, 12], read.flat()),
    attentionMask: int64(
      [count, 12],
      read.flat().map((id) => (id === 0 ? 0 : 1)),
    ),
    labels: int64([count, 5], written.flat()),
  };
}

/** A model's logits over the labels `[count, 5, V]`, and the token ids that it writes greedily. */
export async function saidOf({ config, weights }: PlainModel, inputs: Readonly<Record<string, Tensor>>, length = 6) {
  const model = t5Model(config, undefined, weights);
  const options = { model, method: untrained(), weights, backend: nodeBackend({ threads: 1 }) };
  const scorer = await openScorer({ ...options, head: { kind: "language-model" }, density: false, fetch: true });
  const generator = await openGenerator(options);
  const batch = { inputs, indices: [], attendedTokens: 0 };
  const logits = (await scorer.run(new Map(), batch)).logits!.data as Float32Array;
  const { tokenIds, attentionMask } = inputs as { tokenIds: Tensor; attentionMask: Tensor };
  const written = await generator.generate(
    new Map(),
    { inputs: { tokenIds, attentionMask } },
    { maxNewTokens: length },
  );
  await scorer.dispose();
  await generator.dispose();
  return { logits, texts: written.map(([best]) => best!.tokenIds) };
}

/** The largest difference of two lists of numbers. */
export function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}

/** Runs `deft` and expects nothing on standard error. @throws {Error} with it when the command fails. */
export async function done(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await deft(...argv);
  if (code !== 0) throw new Error(`deft ${argv.join(" ")}: ${code}\n${err}`);
  return out;
}

/** Folders of a tiny T5, data, and runs on it. */
export interface TinyTexts {
  readonly root: string;
  readonly at: (...parts: readonly string[]) => string;
  /** Trains a run in `at(name)`. */
  readonly train: (
    name: string,
    variant: Variant,
    flags: Parameters<typeof argv>[0],
    ...more: string[]
  ) => Promise<string>;
}

/** Writes both T5s and data of both tasks. */
export async function tinyTexts(): Promise<TinyTexts> {
  const root = mkdtempSync(join(tmpdir(), "deft-t5-compress-"));
  const at = (...parts: readonly string[]) => join(root, ...parts);
  for (const [name, config] of Object.entries(VARIANTS)) await writeTinyT5(at(name), { config });
  await writeFiles(root, {
    "squad/train-v1.1.json": tinySquad(96, 1),
    "squad/dev-v1.1.json": tinySquad(40, 2),
    "texts/train.jsonl": tinySeq2seq(160, 1),
    "texts/dev.jsonl": tinySeq2seq(64, 2),
  });
  return {
    root,
    at,
    async train(name, variant, flags, ...more) {
      const fixed = { model: at(variant), output: at(name), threads: 1, "batch-size": 8 };
      await done("train", ...argv({ ...fixed, ...flags }), "-q", ...more);
      return at(name);
    },
  };
}

/** Flags by name as a command line has them. */
export const argv = (flags: Readonly<Record<string, string | number>>): string[] =>
  Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);

/** Flags of a run of texts that learns its task. */
export const learns = (data: string) => ({
  task: "seq2seq",
  data,
  method: "full",
  "learning-rate": 1e-2,
  "density-weight": 0.01,
  epochs: 12,
  "source-prefix": "say: ",
  "max-target-length": 4,
});
