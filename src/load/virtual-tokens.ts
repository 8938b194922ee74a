// Prompt and prefix tuning beside a base model: positions, the words a prompt begins as, and peft's one table.
import { CheckpointError, type CheckpointIssue, ConfigError, UnsupportedError } from "../errors.ts";
import { maxSequenceLength } from "../models/index.ts";
import {
  type Adapter,
  type MethodSettings,
  numVirtualTokens,
  PROMPT_EMBEDDINGS,
  prefix,
  prefixTable,
  prefixTensors,
  type VirtualTokenAdapter,
  type VirtualTokenConfig,
} from "../peft/index.ts";
import { buildTaskGraph, type HeadKind } from "../tasks/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { BaseModel } from "./base-model.ts";

/** Shorter than this an example says nothing. */
const LEAST_LENGTH = 4;

/**
 * Checks that a method's virtual tokens and an example's fit into the model's positions together.
 * @throws {ConfigError} naming the setting to lower.
 */
export function checkPositions({ model, tokenizer, name }: BaseModel, method: MethodSettings, wanted: number): void {
  const virtual = numVirtualTokens(method);
  const positions = maxSequenceLength(model.config);
  const length = Math.min(wanted, tokenizer.maxLength ?? Number.POSITIVE_INFINITY);
  if (virtual === 0 || virtual + length <= positions) return;
  const room = positions - virtual;
  throw new ConfigError(
    [
      room < LEAST_LENGTH
        ? {
            path: "--virtual-tokens",
            expected: `at most ${positions - LEAST_LENGTH}, as ${name} has ${positions} positions for them and the text`,
            got: String(virtual),
          }
        : {
            path: "--max-length",
            expected: `at most ${room}, the ${positions} positions of ${name} less ${virtual} virtual tokens`,
            got: String(length),
          },
    ],
    { hint: room < LEAST_LENGTH ? "Use fewer virtual tokens." : `--max-length ${room}, or fewer --virtual-tokens.` },
  );
}

/** The tokens that a prompt begins as, special ones included. @see HF PEFT `PromptEmbedding`. */
export function initTokenIds({ tokenizer }: BaseModel, method: MethodSettings): readonly number[] {
  if (method.kind !== "prompt" || method.initText === null) return [];
  return tokenizer.encode(method.initText, null, { maxLength: null }).ids;
}

/**
 * A prompt or prefix as peft has it; null for an encoder–decoder's prefix, which is in every attention and which peft
 * could not say.
 */
export function virtualTokenAdapter(
  { kind, virtualTokens }: Extract<MethodSettings, { kind: "prompt" | "prefix" }>,
  tensors: ReadonlyMap<string, Tensor>,
  base: BaseModel,
  facts: Pick<VirtualTokenConfig, "modulesToSave" | "taskType">,
): VirtualTokenAdapter | null {
  const { hiddenSize, numLayers, numHeads } = base.model.config;
  const config = { virtualTokens, hiddenSize, numLayers, numHeads, ...facts, baseModel: base.name };
  if (kind === "prompt") return { method: kind, config, tensors };
  if (base.model.architecture !== "encoder") return null;
  const sites = prefixSites(base, virtualTokens);
  const others = [...tensors].filter(([name]) => !/\.prefix_(key|value)$/.test(name));
  return { method: kind, config, tensors: new Map([[PROMPT_EMBEDDINGS, prefixTable(sites, tensors)], ...others]) };
}

/** Every attention of an encoder, in order. */
function prefixSites({ model }: BaseModel, virtualTokens: number): string[] {
  const head: HeadKind = { kind: "classification", numLabels: 2 };
  return buildTaskGraph({ model, method: prefix({ virtualTokens }), head }).parameters.flatMap(({ name }) =>
    name.endsWith(".prefix_key") ? [name.slice(0, -".prefix_key".length)] : [],
  );
}

/**
 * An adapter's tensors by the names that the model gives them. `misfits` is what is known not to fit.
 * @throws {CheckpointError} when a prefix has another number of layers than the model.
 * @throws {UnsupportedError} when it is an encoder–decoder's prefix made by peft.
 */
export function modelTensors(
  folder: string,
  { method, config, tensors }: Adapter,
  base: BaseModel,
  misfits: readonly CheckpointIssue[],
): Map<string, Tensor> {
  if (method !== "prefix") return new Map(tensors);
  if (base.model.architecture !== "encoder") {
    throw new UnsupportedError(`${folder}: a prefix in peft's format on ${base.name}`, ["one that deft trained"], {
      hint: "peft gives an encoder–decoder a prefix in its decoder alone; ours is one in every attention.",
    });
  }
  const sites = prefixSites(base, config.virtualTokens);
  if (config.numLayers !== sites.length) {
    const [expected, got] = [sites.length, config.numLayers].map((count) => `a prefix of ${count} layers`);
    const issue = { name: PROMPT_EMBEDDINGS, expected: expected!, got: got! };
    throw new CheckpointError(folder, [...misfits, issue], { hint: "The adapter belongs to another base model." });
  }
  const others = [...tensors].filter(([name]) => name !== PROMPT_EMBEDDINGS);
  return new Map([...prefixTensors(sites, tensors.get(PROMPT_EMBEDDINGS)!), ...others]);
}
