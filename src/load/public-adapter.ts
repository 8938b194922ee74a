// A method with its tensors as an adapter of a public format, and such an adapter as a method.
import type { CheckpointIssue } from "../errors.ts";
import { isHeadName, linearSites, type Model } from "../models/index.ts";
import { type Adapter, type AdapterFacts, isAdded, type MethodSettings, prefix, recordOf } from "../peft/index.ts";
import { buildTaskGraph, type HeadKind, headRecord } from "../tasks/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { BaseModel } from "./base-model.ts";

/** What a model answers with: its head, and the names of its classes. */
interface HeadAnswers {
  readonly head: HeadKind;
  readonly labels: readonly string[];
}

/** What was trained in peft's or AdapterHub's terms; null when no public format can say it. */
export function publicAdapter(
  settings: MethodSettings,
  tensors: ReadonlyMap<string, Tensor>,
  base: BaseModel,
  answers: HeadAnswers,
): Adapter | null {
  const { format } = recordOf(settings);
  const facts = adapterFacts(base, tensors, answers);
  if (format === null || format.obstacle?.(settings, facts)) return null;
  return format.toAdapter(settings, tensors, facts);
}

/** What an adapter holds, in this base's terms. */
export interface AdapterPart {
  readonly settings: MethodSettings;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Class names that it holds; null: none. */
  readonly labels: readonly string[] | null;
}

/**
 * The method that an adapter was made with, and its tensors by the names that this base gives them. `misfits` is what is known not to
 * fit so far. Errors as the method's `settingsOf` and `tensorsOf`.
 */
export function adapterPart(
  adapter: Adapter,
  base: BaseModel,
  folder: string,
  misfits: readonly CheckpointIssue[],
): AdapterPart {
  const format = recordOf({ kind: adapter.method }).format!;
  const facts = adapterFacts(base, adapter.tensors, { head: usualHead(base), labels: [] });
  return {
    settings: format.settingsOf(adapter, facts, folder),
    tensors: format.tensorsOf?.(adapter, facts, { folder, misfits }) ?? new Map(adapter.tensors),
    labels: format.labelsOf?.(adapter) ?? null,
  };
}

/** What file formats ask of a base and of what was trained on it. */
export function adapterFacts(
  base: BaseModel,
  tensors: ReadonlyMap<string, Tensor>,
  { head, labels }: HeadAnswers,
): AdapterFacts {
  const { hiddenSize, numLayers, numHeads, modelType } = base.model.config;
  const { hf } = headRecord(head);
  const modules = savedModules(base.model, tensors);
  return {
    model: base.name,
    modelType,
    modelClass: `${base.model.facts.classPrefix}${hf.classSuffix}`,
    taskType: base.model.writes || modules.some((name) => isHeadName(base.model, `${name}.`)) ? hf.peftTaskType : null,
    modulesToSave: modules,
    labels,
    writes: base.model.writes,
    hiddenSize,
    numLayers,
    numHeads,
    linearSites: () => linearSites(base.model, base.weights),
    attentionSites: () => attentionSites(base),
  };
}

/** Every attention of an encoder, in order: where a prefix would stand. */
function attentionSites({ model }: BaseModel): string[] {
  const head: HeadKind = { kind: "classification", numLabels: 2 };
  return buildTaskGraph({ model, method: prefix({ virtualTokens: 1 }), head }).parameters.flatMap(({ name }) =>
    name.endsWith(".prefix_key") ? [name.slice(0, -".prefix_key".length)] : [],
  );
}

/** Whether the layer that a tensor belongs to has a LoRA. */
function hasLora(tensors: ReadonlyMap<string, Tensor>, name: string): boolean {
  return isLora(name) || tensors.has(`${name.slice(0, name.lastIndexOf("."))}.lora_A.weight`);
}

/** The head that files are read for before the adapter's own is known: formats are the same for every head. */
function usualHead({ model }: BaseModel): HeadKind {
  return { kind: model.writes ? "language-model" : "classification" };
}

/** A LoRA's matrices. */
const isLora = (name: string): boolean => /\.lora_([AB]\.weight|embedding_[AB])$/.test(name);

/** Heads and poolers by their module's name; a head with a LoRA of its own is the base's. */
function savedModules(model: Model, tensors: ReadonlyMap<string, Tensor>): string[] {
  const names = [...tensors.keys()].filter((name) => isHeadName(model, name) && !hasLora(tensors, name));
  const heads = new Set(names.map((name) => name.split(".")[0]!));
  const { pooler } = model.facts.names;
  // a bias that is trained with LoRA is no trained layer
  const isTrained = (name: string) => name.startsWith(`${pooler}.`) && name.endsWith(".weight") && !isAdded(name);
  const hasPooler = pooler !== null && [...tensors.keys()].some(isTrained);
  return [...heads, ...(hasPooler ? [pooler.slice(pooler.lastIndexOf(".") + 1)] : [])];
}
