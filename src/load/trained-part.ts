// The trained part of a run on disk: `adapter/` in the method's public format, with our sidecar, and back.

import { CheckpointError, type CheckpointIssue } from "../errors.ts";
import {
  checkSums,
  isSameFingerprint,
  issueList,
  type JsonObject,
  openSafetensors,
  safetensorsBytes,
} from "../hub/index.ts";
import { isHeadName } from "../models/index.ts";
import {
  type Adapter,
  foldedPart,
  type Method,
  type MethodSettings,
  methodOf,
  readAdapter,
  readSidecar,
  SIDECAR_VERSION,
  type Sidecar,
  writeAdapter,
  writeSidecar,
} from "../peft/index.ts";
import type { RunRecord } from "../runs/index.ts";
import { buildTaskGraph, type HeadKind } from "../tasks/index.ts";
import { type Files, joinPath, type Tensor } from "../tensor/index.ts";
import { adapterOver } from "./adapter-names.ts";
import type { BaseModel } from "./base-model.ts";
import { adapterPart, publicAdapter } from "./public-adapter.ts";
import { extrasOf, isExtra, withExtras } from "./run-method.ts";

/** What was trained, with what it needs to run again. */
export interface TrainedPart {
  readonly method: Method;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly labels: readonly string[];
  readonly sidecar: Sidecar | null;
  /** What peft calls the task; null where nothing says. */
  readonly taskType: string | null;
  /** What does not fit the base, or the adapter's own settings, so far; `checkTrainedPart` tells it with the rest. */
  readonly misfits: readonly CheckpointIssue[];
}

export interface TrainedPartOptions {
  readonly method: Method;
  readonly base: BaseModel;
  readonly head: HeadKind;
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

/** Writes `folder`: adapter files that peft or AdapterHub load, and `deft.json`; gives the format. */
export async function writeTrainedPart(
  files: Files,
  folder: string,
  tensors: ReadonlyMap<string, Tensor>,
  options: TrainedPartOptions,
): Promise<NonNullable<RunRecord["trainedFormat"]>> {
  const { method, base, head, labels } = options;
  const extras = new Map([...tensors].filter(([name]) => isExtra(name)));
  const part = foldedPart(method.settings, new Map([...tensors].filter(([name]) => !isExtra(name))));
  const own = part.tensors;
  const adapter = publicAdapter(part.settings, own, base, { labels, head });
  if (adapter) await writeAdapter(files, folder, adapter);
  else await files.write(joinPath(folder, PLAIN), safetensorsBytes(own));
  if (extras.size > 0) await files.write(joinPath(folder, EXTRAS), safetensorsBytes(extras));
  await writeSidecar(files, folder, {
    schemaVersion: SIDECAR_VERSION,
    toolVersion: options.toolVersion,
    method: { ...part.settings },
    density: options.density,
    removal: options.removal,
    gates: options.gates,
    report: options.report,
    base: {
      model: base.name,
      revision: base.commit,
      fingerprint: base.fingerprint,
      quantization: base.quantization?.format ?? null,
    },
    data: options.data,
    labels: [...labels],
  });
  if (adapter === null) return "tensors";
  return adapter.method === "adapter" ? "adapters" : "peft";
}

/**
 * Reads an adapter folder, ours or one made by peft or AdapterHub. What does not fit the base is not yet an error: give it to
 * `checkTrainedPart`. Errors as `readAdapter` where its settings are malformed or not supported, and as `checkSums`.
 */
export async function readTrainedPart(files: Files, folder: string, base: BaseModel): Promise<TrainedPart> {
  await checkSums(files, folder);
  const sidecar = await readSidecar(files, folder);
  const misfits: CheckpointIssue[] = [];
  if (sidecar && !isSameFingerprint(sidecar.base.fingerprint, base.fingerprint)) {
    misfits.push({
      name: "base model",
      expected: `${sidecar.base.model} (${sidecar.base.fingerprint.slice(0, 19)}…), which it was trained on`,
      got: `${base.name} (${base.fingerprint.slice(0, 19)}…)`,
    });
  }
  const part = await readMethodPart(files, folder, base, sidecar, misfits);
  const extras = (await readTensors(files, joinPath(folder, EXTRAS))) ?? new Map<string, Tensor>();
  const tensors = new Map([...part.tensors, ...extras]);
  const method = withExtras(part.method, extrasOf(extras.keys()));
  // what the method would train of the model itself is the base's own where the adapter does not hold it
  return {
    ...part,
    method: { ...method, trains: (parameter) => method.trains(parameter) && tensors.has(parameter.name) },
    tensors,
    misfits,
  };
}

async function readMethodPart(
  files: Files,
  folder: string,
  base: BaseModel,
  sidecar: Sidecar | null,
  misfits: CheckpointIssue[],
): Promise<Omit<TrainedPart, "misfits">> {
  const tensors = sidecar && (await readTensors(files, joinPath(folder, PLAIN)));
  if (tensors) {
    const method = methodOf(sidecar.method as unknown as MethodSettings);
    return { method, tensors, labels: sidecar.labels, sidecar, taskType: null };
  }
  const adapter = await adapterOver(base, await readAdapter(files, folder, misfits), misfits);
  const part = adapterPart(adapter, base, folder, misfits);
  const labels = sidecar?.labels ?? part.labels ?? headLabels(adapter, base);
  const taskType = adapter.method === "adapter" ? null : adapter.config.taskType;
  return { method: methodOf(part.settings), tensors: part.tensors, labels, sidecar, taskType };
}

/** The base's classes, or as many unnamed ones as the adapter's head has. */
function headLabels({ tensors }: Adapter, { model }: BaseModel): readonly string[] {
  const { labels } = model.config;
  const rows =
    (tensors.get("classifier.weight") ?? tensors.get("classifier.out_proj.weight"))?.shape[0] ?? labels.length;
  return rows === labels.length ? labels : Array.from({ length: rows }, (_, i) => `LABEL_${i}`);
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
 * @throws {CheckpointError} listing every tensor that is missing, misshapen, of a wrong dtype or left over, at once.
 */
export function checkTrainedPart(
  folder: string,
  { method, tensors, misfits }: TrainedPart,
  base: BaseModel,
  head: HeadKind,
): ReadonlySet<string> {
  const known = buildTaskGraph({ model: base.model, method, head }).parameters;
  const alsoTrains = new Set(
    known.filter(({ name, trainable }) => !trainable && tensors.has(name)).map(({ name }) => name),
  );
  const issues = [...misfits];
  // one fault a tensor: what is wrong in itself is not also missing
  const told = (name: string) => misfits.some((issue) => issue.name === name || issue.name.endsWith(`.${name}`));
  for (const { name, shape, trainable, init } of known) {
    const stored = tensors.get(name);
    const expected = `float32[${shape.join(", ")}]`;
    if (told(name)) continue;
    if (!stored && (trainable || init) && !base.weights.has(name)) issues.push({ name, expected, got: "nothing" });
    if (stored && stored.shape.join() !== shape.join())
      issues.push({ name, expected, got: `${stored.dtype}[${stored.shape.join(", ")}]` });
  }
  const names = new Set(known.map(({ name }) => name));
  for (const name of tensors.keys())
    if (!names.has(name) && !told(name))
      issues.push({ name, expected: `a parameter of ${base.name}`, got: "a tensor the model has no place for" });
  const lacksHead = issues.every(
    ({ name, got }) => got === "nothing" && (isHeadName(base.model, name) || name.includes(".pooler.")),
  );
  if (issues.length > 0)
    throw new CheckpointError(folder, issueList(issues), { hint: lacksHead ? HEADLESS_HINT : MISFIT_HINT });
  return alsoTrains;
}

const HEADLESS_HINT =
  "Neither the adapter nor the model has this head: give a model that has it with --model ID|DIR, or train one with deft train.";
const MISFIT_HINT = "Give the base model, and the version of it, that the adapter was trained on: --model ID|DIR.";
