// The trained part of a run on disk: `adapter/` in the method's public format, with our sidecar, and back.
import { CheckpointError, type CheckpointIssue, ConfigError } from "../errors.ts";
import {
  type Adapter,
  type JsonObject,
  openSafetensors,
  readAdapter,
  readSidecar,
  SIDECAR_VERSION,
  type Sidecar,
  safetensorsBytes,
  writeAdapter,
  writeSidecar,
} from "../hub/index.ts";
import { buildTaskGraph, type HeadKind } from "../infer/index.ts";
import { isHead, type Method, type MethodSettings, methodOf } from "../peft/index.ts";
import { type Files, joinPath, type Tensor } from "../tensor/index.ts";
import type { BaseModel } from "./base-model.ts";
import { extrasOf, isExtra, withExtras } from "./run-method.ts";

/** What was trained, with what it needs to run again. */
export interface TrainedPart {
  readonly method: Method;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly labels: readonly string[];
  readonly sidecar: Sidecar | null;
}

export interface TrainedPartOptions {
  readonly method: Method;
  readonly base: BaseModel;
  readonly labels: readonly string[];
  readonly toolVersion: string;
  readonly density: JsonObject | null;
  readonly removal: JsonObject | null;
  readonly gates: JsonObject | null;
  readonly report: JsonObject | null;
  readonly data: JsonObject | null;
}

/** Methods without a public adapter format keep their tensors here, under checkpoint names. */
const PLAIN = "trained.safetensors";
/** What training adds to any method and no public format has a place for: masks of neurons, gates of MLPs. */
const EXTRAS = "deft.safetensors";

/** Writes `folder`: adapter files that peft or AdapterHub load, and `deft.json`. */
export async function writeTrainedPart(
  files: Files,
  folder: string,
  tensors: ReadonlyMap<string, Tensor>,
  options: TrainedPartOptions,
): Promise<void> {
  const { method, base, labels } = options;
  const extras = new Map([...tensors].filter(([name]) => isExtra(name)));
  const own = new Map([...tensors].filter(([name]) => !isExtra(name)));
  const adapter = publicAdapter(method.settings, own, base, labels);
  if (adapter) await writeAdapter(files, folder, adapter);
  else await files.write(joinPath(folder, PLAIN), safetensorsBytes(own));
  if (extras.size > 0) await files.write(joinPath(folder, EXTRAS), safetensorsBytes(extras));
  await writeSidecar(files, folder, {
    schemaVersion: SIDECAR_VERSION,
    toolVersion: options.toolVersion,
    method: { ...method.settings },
    density: options.density,
    removal: options.removal,
    gates: options.gates,
    report: options.report,
    base: { model: base.name, revision: base.commit, fingerprint: base.fingerprint },
    data: options.data,
    labels: [...labels],
  });
}

/**
 * Reads an adapter folder, ours or one made by peft or AdapterHub.
 * @throws {ConfigError} when it was made for another base model.
 */
export async function readTrainedPart(files: Files, folder: string, base: BaseModel): Promise<TrainedPart> {
  const sidecar = await readSidecar(files, folder);
  if (sidecar && sidecar.base.fingerprint !== base.fingerprint) {
    throw new ConfigError(
      [
        {
          path: folder,
          expected: `an adapter for ${base.name} (${base.fingerprint.slice(0, 19)}…)`,
          got: `one for ${sidecar.base.model} (${sidecar.base.fingerprint.slice(0, 19)}…)`,
        },
      ],
      {
        hint: "Give the base model it was trained on: --model ID|DIR.",
      },
    );
  }
  const part = await readMethodPart(files, folder, base, sidecar);
  const extras = (await readTensors(files, joinPath(folder, EXTRAS))) ?? new Map<string, Tensor>();
  return {
    ...part,
    method: withExtras(part.method, extrasOf(extras.keys())),
    tensors: new Map([...part.tensors, ...extras]),
  };
}

async function readMethodPart(
  files: Files,
  folder: string,
  base: BaseModel,
  sidecar: Sidecar | null,
): Promise<TrainedPart> {
  const tensors = sidecar && (await readTensors(files, joinPath(folder, PLAIN)));
  if (tensors) {
    return { method: methodOf(sidecar.method as unknown as MethodSettings), tensors, labels: sidecar.labels, sidecar };
  }
  const adapter = await readAdapter(files, folder);
  const labels =
    sidecar?.labels ?? (adapter.method === "adapter" ? adapter.config.labels : null) ?? base.model.config.labels;
  return { method: methodOf(settingsOf(adapter)), tensors: adapter.tensors, labels, sidecar };
}

/** The tensors of a file; null when it is not there. */
async function readTensors(files: Files, file: string): Promise<Map<string, Tensor> | null> {
  if ((await files.stat(file)) === null) return null;
  const tensors = new Map<string, Tensor>();
  for (const [name, weight] of await openSafetensors(files, file)) tensors.set(name, await weight.read());
  return tensors;
}

/**
 * Checks a trained part against the model that is to carry it; gives the names it trains beyond the method's own.
 * @throws {CheckpointError} listing every tensor that is missing, misshapen or left over.
 */
export function checkTrainedPart(
  folder: string,
  { method, tensors }: TrainedPart,
  base: BaseModel,
  head: HeadKind,
): ReadonlySet<string> {
  const known = buildTaskGraph({ model: base.model, method, head }).parameters;
  const alsoTrains = new Set(
    known.filter(({ name, trainable }) => !trainable && tensors.has(name)).map(({ name }) => name),
  );
  const issues: CheckpointIssue[] = [];
  for (const { name, shape, trainable } of known) {
    const stored = tensors.get(name);
    const expected = `float32[${shape.join(", ")}]`;
    if (!stored && trainable && !base.weights.has(name)) issues.push({ name, expected, got: "nothing" });
    if (stored && stored.shape.join() !== shape.join())
      issues.push({ name, expected, got: `${stored.dtype}[${stored.shape.join(", ")}]` });
  }
  const names = new Set(known.map(({ name }) => name));
  for (const name of tensors.keys())
    if (!names.has(name))
      issues.push({ name, expected: `a parameter of ${base.name}`, got: "a tensor the model has no place for" });
  if (issues.length > 0)
    throw new CheckpointError(folder, issues, {
      hint: "The adapter belongs to another base model or another number of classes.",
    });
  return alsoTrains;
}

function publicAdapter(
  settings: MethodSettings,
  tensors: ReadonlyMap<string, Tensor>,
  base: BaseModel,
  labels: readonly string[],
): Adapter | null {
  const heads = [...new Set([...tensors.keys()].filter((name) => isHead(name)).map((name) => name.split(".")[0]!))];
  const pooler = [...tensors.keys()].some((name) => name.endsWith(".pooler.dense.weight")) ? ["pooler"] : [];
  switch (settings.kind) {
    case "lora":
      return {
        method: "lora",
        config: {
          rank: settings.rank,
          alpha: settings.alpha,
          dropout: settings.dropout,
          rsLora: settings.rslora,
          bias: settings.bias,
          targets: settings.targets === "all-linear" ? adaptedSites(tensors) : settings.targets,
          modulesToSave: [...heads, ...pooler],
          taskType: "SEQ_CLS",
          baseModel: base.name,
        },
        tensors,
      };
    case "adapter":
      return {
        method: "adapter",
        config: {
          placement: settings.style,
          reductionFactor: settings.reductionFactor,
          nonLinearity: settings.nonLinearity,
          scaling: 1,
          dropout: 0,
          originalLnBefore: settings.style === "pfeiffer",
          originalLnAfter: true,
          residualBeforeLn: true,
          name: "deft",
          hiddenSize: base.model.config.hiddenSize,
          modelType: base.model.config.modelType,
          modelClass:
            base.model.config.modelType === "bert"
              ? "BertForSequenceClassification"
              : "RobertaForSequenceClassification",
          baseModel: base.name,
          labels: [...labels],
        },
        tensors,
      };
    default:
      return null;
  }
}

/** Every adapted linear by its full path: peft's own spelling of "all-linear" once it is resolved. */
function adaptedSites(tensors: ReadonlyMap<string, Tensor>): string[] {
  return [...tensors.keys()].flatMap((name) =>
    name.endsWith(".lora_A.weight") ? [name.slice(0, -".lora_A.weight".length)] : [],
  );
}

function settingsOf(adapter: Adapter): MethodSettings {
  if (adapter.method === "lora") {
    const { rank, alpha, dropout, targets, bias, rsLora } = adapter.config;
    return { kind: "lora", rank, alpha, dropout, targets, bias, rslora: rsLora };
  }
  const { placement, reductionFactor, nonLinearity } = adapter.config;
  return { kind: "adapter", style: placement, reductionFactor, nonLinearity };
}
