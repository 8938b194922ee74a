// The one place where a graph and weights meet: placement of weights, the session, feeds and outputs.
import type { InferenceSession as OrtSession, Tensor as OrtTensor } from "onnxruntime-common";
import { BackendError, CheckpointError, type CheckpointIssue } from "../errors.ts";
import { evaluateDim, printShape, type Value } from "../graph/index.ts";
import {
  type EmittedModel,
  type ExternalWeight,
  emit,
  externalWeights,
  fuseAttention,
  type Placement,
  readModel,
  writeModel,
} from "../onnx/index.ts";
import {
  type DType,
  elementBytes,
  elementCount,
  findWeight,
  type Tensor,
  type TypedArray,
  type Weights,
} from "../tensor/index.ts";
import type { Backend, CompileOptions, DeviceTensor, Feeds, Outputs, Program, Targets } from "./backend.ts";
import { HostTensor } from "./host-tensor.ts";

/** The part of ONNX Runtime's API that its node and web packages share. */
export interface Ort {
  readonly InferenceSession: { create(model: Uint8Array, options?: OrtSession.SessionOptions): Promise<OrtSession> };
  readonly Tensor: new (type: OrtTensor.Type, data: OrtTensor.DataType, dims: readonly number[]) => OrtTensor;
}

/** Only what is fatal: other failures are thrown, and would be printed twice. */
const RUN_OPTIONS = { logSeverityLevel: 4 } as const;

/** Weights up to this size are written into the model itself. */
const INLINE_BYTES = 1024;

export interface Prepared {
  readonly model: EmittedModel;
  /** Folder that external locations are relative to; absent when nothing is external. */
  readonly folder: string | undefined;
}

/**
 * Emits the graph with each frozen parameter placed: mapped from its file where `mapFiles` allows, else written into the model.
 * @throws {CheckpointError} naming every parameter that is missing or does not fit.
 */
export async function prepare(
  outputs: Readonly<Record<string, Value>>,
  { weights = new Map(), attentionHeads }: Pick<CompileOptions, "weights" | "attentionHeads">,
  mapFiles: boolean,
): Promise<Prepared> {
  const wanted = externalWeights(outputs);
  checkFit(wanted, weights);
  const folder = mapFiles ? commonFolder(wanted, weights) : undefined;
  const placements = new Map<string, Placement>();
  for (const { name } of wanted) {
    const weight = findWeight(weights, name)!;
    const mapped = folder !== undefined && weight.span?.folder === folder && weight.span.byteLength > INLINE_BYTES;
    placements.set(name, mapped ? weight.span : bytesOf((await weight.read()).data));
  }
  const model = emit(outputs, { place: ({ name }) => placements.get(name)! });
  if (attentionHeads === undefined) return { model, folder };
  return { model: { ...model, bytes: writeModel(fuseAttention(readModel(model.bytes), attentionHeads)) }, folder };
}

/** What is asked of a model while it runs: its bytes, which may hold weights, are not kept. */
type Emitted = Omit<EmittedModel, "bytes">;

/** A program over a session of either package; `fetchesInPlace` says whether `run` writes into tensors it is given. */
export async function openProgram(
  ort: Ort,
  backend: Backend["name"],
  { model: { bytes, ...model } }: Prepared,
  options: OrtSession.SessionOptions,
  { fetchesInPlace = true } = {},
): Promise<Program> {
  let session: OrtSession;
  try {
    session = await ort.InferenceSession.create(bytes, withoutUndoing(options, model));
  } catch (cause) {
    throw new BackendError(backend, "compile", messageOf(cause), {
      cause,
      site: siteIn(messageOf(cause), model.sites),
    });
  }
  return {
    inputs: model.inputs,
    outputs: model.outputs,
    sites: model.sites,
    run: async (feeds, into) => {
      if (fetchesInPlace) return run(ort, backend, session, model, feeds, into);
      return copyInto(backend, await run(ort, backend, session, model, feeds), into);
    },
    endProfiling: () => session.endProfiling(),
    dispose: () => session.release(),
  };
}

/** Leaves out the optimisers that would undo what the graph does on purpose. */
function withoutUndoing(options: OrtSession.SessionOptions, model: Emitted): OrtSession.SessionOptions {
  const left = [
    ...(model.hasCopies ? ["CommonSubexpressionElimination"] : []),
    // else every matrix is restored when the session opens, and stays
    ...(model.hasStoredMatrices ? ["ConstantFolding"] : []),
  ];
  if (left.length === 0) return options;
  const optimization = { disable_specified_optimizers: left.join(";") };
  return { ...options, extra: { ...options.extra, optimization } };
}

async function run(
  ort: Ort,
  backend: Backend["name"],
  session: OrtSession,
  model: Emitted,
  feeds: Feeds,
  into: Targets = {},
): Promise<Outputs> {
  const ortFeeds: Record<string, OrtTensor> = {};
  for (const { name, dtype } of model.inputs) {
    const feed = feeds[name];
    if (!feed || feed.dtype !== dtype) {
      throw new BackendError(backend, "run", `input ${name}: expected ${dtype}, got ${feed ? feed.dtype : "nothing"}`);
    }
    ortFeeds[name] = toOrt(ort, memoryOf(backend, `input ${name}`, feed));
  }
  checkNonEmpty(backend, model, feeds);
  const fetches: Record<string, OrtTensor | null> = {};
  for (const { name } of model.outputs) {
    const target = into[name];
    fetches[name] = target ? toOrt(ort, memoryOf(backend, `output ${name}`, target)) : null;
  }
  let results: Readonly<Record<string, OrtTensor>>;
  try {
    results = await session.run(ortFeeds, fetches, RUN_OPTIONS);
  } catch (cause) {
    throw new BackendError(backend, "run", messageOf(cause), { cause, site: siteIn(messageOf(cause), model.sites) });
  }
  const outputs: Record<string, Tensor> = {};
  for (const { name, dtype } of model.outputs) {
    const target = into[name];
    if (!target) outputs[name] = fromOrt(results[name]!, dtype);
    else if (isHost(target)) outputs[name] = target;
  }
  return outputs;
}

const isHost = (tensor: Tensor | DeviceTensor): tensor is Tensor => "data" in tensor;

function memoryOf(backend: Backend["name"], what: string, tensor: Tensor | DeviceTensor): Tensor {
  const memory = HostTensor.memoryOf(tensor);
  if (memory !== undefined) return memory;
  throw new BackendError(backend, "run", `${what}: expected a tensor that this backend placed, got another backend's`);
}

function checkNonEmpty(backend: Backend["name"], { inputs, nonEmpty }: Emitted, feeds: Feeds): void {
  if (nonEmpty.length === 0) return;
  const sizes = new Map<string, number>();
  for (const { name, shape } of inputs) {
    for (const [axis, dim] of shape.entries()) if (typeof dim === "string") sizes.set(dim, feeds[name]!.shape[axis]!);
  }
  const empty = nonEmpty.filter((size) => evaluateDim(size, sizes) === 0);
  if (empty.length > 0) throw new BackendError(backend, "run", `expected ${empty.join(", ")} of 1 or more, got 0`);
}

function copyInto(backend: Backend["name"], outputs: Outputs, into: Targets = {}): Outputs {
  const placed = Object.entries(outputs).flatMap(([name, made]) => {
    const given = into[name];
    if (!given) return [[name, made] as const];
    const target = memoryOf(backend, `output ${name}`, given);
    if (target.dtype !== made.dtype || target.shape.join() !== made.shape.join()) {
      const [expected, got] = [made, target].map(({ dtype, shape }) => `${dtype}${printShape(shape)}`);
      throw new BackendError(backend, "run", `output ${name}: expected a tensor ${expected} to write into, got ${got}`);
    }
    // both arrays have the dtype's type, which the union of typed arrays cannot express
    (target.data as Float32Array).set(made.data as Float32Array);
    return isHost(given) ? [[name, target] as const] : [];
  });
  return Object.fromEntries(placed);
}

function toOrt(ort: Ort, { dtype, data, shape }: Tensor): OrtTensor {
  return new ort.Tensor(dtype as OrtTensor.Type, data as OrtTensor.DataType, shape);
}

function fromOrt(value: OrtTensor, dtype: DType): Tensor {
  return { dtype, shape: value.dims, data: value.data as TypedArray };
}

function checkFit(wanted: readonly ExternalWeight[], weights: Weights): void {
  const issues: CheckpointIssue[] = [];
  for (const { name, dtype, shape } of wanted) {
    const expected = `${dtype}${printShape(shape)}`;
    const weight = findWeight(weights, name);
    if (!weight) issues.push({ name, expected, got: "nothing" });
    else if (weight.dtype !== dtype || weight.shape.join() !== shape.join()) {
      issues.push({ name, expected, got: `${weight.dtype}${printShape(weight.shape)}` });
    }
  }
  if (issues.length > 0) throw new CheckpointError("weights", issues);
}

/** The folder that holds most bytes: one session can map files of one folder only. */
function commonFolder(wanted: readonly ExternalWeight[], weights: Weights): string | undefined {
  const bytes = new Map<string, number>();
  for (const { name, dtype, shape } of wanted) {
    const span = findWeight(weights, name)?.span;
    if (span) bytes.set(span.folder, (bytes.get(span.folder) ?? 0) + elementCount(shape) * elementBytes(dtype));
  }
  return [...bytes].sort(([, a], [, b]) => b - a)[0]?.[0];
}

function bytesOf(data: TypedArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** The site of the node that ORT's message names, as `Name:'…'` when it ran or `node (…)` when it was refused. */
function siteIn(message: string, sites: ReadonlyMap<string, string>): string {
  for (const match of message.matchAll(/'([^']+)'|\bnode ?\(([^()]+)\)/gi)) {
    const site = sites.get(match[1] ?? match[2] ?? "");
    if (site !== undefined) return site;
  }
  return "";
}
