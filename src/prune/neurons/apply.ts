// A plan applied: the same model with smaller matrices, as plain weights and a plain config.
import { gateName } from "../../density/index.ts";
import { ConfigError, type ConfigIssue } from "../../errors.ts";
import type { JsonObject } from "../../hub/index.ts";
import { factsOf, layersInto, type MlpSite, type NeuronRows, neuronRows } from "../../models/index.ts";
import type { Method } from "../../peft/index.ts";
import { type Tensor, tensor, type Weight, type Weights } from "../../tensor/index.ts";
import { keepColumns, keepRows } from "./matrix.ts";
import { keptCount, type LayerPlan } from "./plan.ts";

/** What no merge can put into weights: a method that stays beside its base, with what was trained. */
export interface BesideMethod {
  readonly method: Method;
  /** Also among the model's weights. */
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** A model as config.json and weights, adapter merged where it can be. */
export interface PlainModel {
  readonly config: JsonObject;
  readonly weights: Weights;
  /** Absent: everything is in the weights. */
  readonly beside?: BesideMethod | undefined;
}

/** Whether a bottleneck adapter stands behind an MLP: what it gives goes when the MLP goes. */
export function hasAdapter(weights: Weights, { sublayer }: MlpSite): boolean {
  return weights.has(`${sublayer}.adapter_down.weight`);
}

/** Whether a tensor belongs to an MLP's sublayer and not to the model: its adapter, its gate. */
function isBehind(name: string, { sublayer }: MlpSite): boolean {
  return name.startsWith(`${sublayer}.adapter_`) || name === gateName(sublayer);
}

/**
 * The model with the plan's neurons and MLPs gone, its gates folded and, where it has one, its activation in place of the old one. Weights
 * are computed when they are read.
 *
 * A constant goes into the output's bias, or where no MLP is left into the bias of the norm before it. A pre-norm model without biases is
 * given one of the output, also where no MLP is left (`mlpBiases` of its type). An adapter behind an MLP that goes, goes with it.
 * @throws {ConfigError} when a constant has no bias to go into, or no neuron of any layer would be left.
 */
export function applyPlan(
  { config, weights, beside }: PlainModel,
  sites: readonly MlpSite[],
  layers: readonly LayerPlan[],
  activation?: string,
): PlainModel {
  const reduced = new Map(weights);
  const issues: ConfigIssue[] = [];
  layers.forEach((layer, i) => {
    issues.push(...reduceLayer(reduced, sites[i]!, layer));
  });
  if (layers.every((layer) => keptCount(layer) === 0))
    issues.push({ path: "layers", expected: "an MLP left in at least one layer", got: "all of them removed" });
  if (issues.length > 0) throw new ConfigError(issues);
  const biases = fillBiases(reduced, sites, layers, config);
  const named =
    activation === undefined ? config : { ...config, ...factsOf(config).withActivation(config, activation) };
  const plain = { config: reducedConfig(named as JsonObject, layers, biases), weights: reduced };
  if (beside === undefined) return plain;
  const tensors = new Map([...beside.tensors].filter(([name]) => reduced.has(name)));
  return { ...plain, beside: { ...beside, tensors } };
}

/**
 * Gives every MLP the biases that a plan gave to some of a model whose MLPs have none: behind them, and in front of the activation. Those
 * that are left are zeros. What config.json then says.
 */
function fillBiases(
  weights: Map<string, Weight>,
  sites: readonly MlpSite[],
  layers: readonly LayerPlan[],
  config: JsonObject,
): JsonObject {
  const { mlpBiases } = factsOf(config);
  if (mlpBiases === null) return {};
  const { output, input } = mlpBiases;
  const hasOutput = sites.some(({ out }) => weights.has(`${out}.bias`));
  const hasInput = config[input] === true || layers.some(({ shift }) => shift !== undefined);
  const areOne = input === output && (hasOutput || hasInput);
  const fill = (path: string, size: number | undefined) => {
    const name = `${path}.bias`;
    if (size !== undefined && !weights.has(name)) weights.set(name, made(new Float32Array(size)));
  };
  for (const site of sites) {
    if (hasOutput || areOne) fill(site.out, hiddenSizeOf(config));
    if (hasInput || areOne)
      for (const path of inputPaths(site, areOne)) fill(path, weights.get(`${path}.weight`)?.shape[0]);
  }
  return { ...(hasOutput || areOne ? { [output]: true } : {}), ...(hasInput || areOne ? { [input]: true } : {}) };
}

/** The layers in front of an activation that may have biases: the activation's own, or all. */
const inputPaths = (site: MlpSite, all: boolean) => layersInto(site).slice(0, all ? undefined : 1);

function reduceLayer(weights: Map<string, Weight>, site: MlpSite, layer: LayerPlan): ConfigIssue[] {
  const { kept, gate, constant } = layer;
  if (keptCount(layer) === 0) return removeMlp(weights, site, layer);
  const bias = weights.get(`${site.out}.bias`);
  if (constant !== null && bias === undefined && !site.isPostNorm)
    weights.set(`${site.out}.bias`, made(new Float32Array(constant.length)));
  else if (constant !== null && bias === undefined)
    return [{ path: `${layer.site}.constant`, expected: `nothing, as ${site.out} has no bias`, got: "a constant" }];
  if (kept !== null) for (const path of layersInto(site)) keepNeurons(weights, site, path, { ...layer, kept });
  const { into, out } = layer;
  const count = keptCount(layer);
  const [activated] = neuronRows(site) as [NeuronRows];
  if (into !== undefined) replaceRows(weights, activated, into, count);
  if (layer.shift !== undefined) shiftBias(weights, activated, layer.shift);
  if (out !== undefined) {
    const scaled = () => (gate === 1 ? out : out.map((value) => gate * value));
    weights.set(`${site.out}.weight`, computed([out.length / count, count], scaled));
  } else if (kept !== null || gate !== 1) {
    const columns = kept ?? Array.from({ length: layer.neurons }, (_, f) => f);
    replace(
      weights,
      `${site.out}.weight`,
      ([rows]) => [rows!, columns.length],
      (data, [, width]) => keepColumns(data, width!, columns, gate),
    );
  }
  if (gate !== 1 || constant !== null)
    replace(
      weights,
      `${site.out}.bias`,
      (shape) => shape,
      (data) => data.map((b, d) => gate * b + (constant?.[d] ?? 0)),
    );
  return [];
}

/** Leaves the rows of the kept neurons in one of the layers in front of the activation; of each of its parts where it has several. */
function keepNeurons(
  weights: Map<string, Weight>,
  site: MlpSite,
  path: string,
  { kept, neurons }: { readonly kept: readonly number[]; readonly neurons: number },
): void {
  const { parts } = neuronRows(site).find((rows) => rows.path === path)!;
  const rows = Array.from({ length: parts }, (_, part) => kept.map((f) => part * neurons + f)).flat();
  replace(
    weights,
    `${path}.weight`,
    ([, width]) => [rows.length, width!],
    (data, [, width]) => keepRows(data, width!, rows),
  );
  replace(
    weights,
    `${path}.bias`,
    () => [rows.length],
    (data) => keepRows(data, 1, rows),
  );
}

/** Puts `rows` `[count, D]` in the place of a layer's own. */
function replaceRows(
  weights: Map<string, Weight>,
  { path, parts, part }: NeuronRows,
  rows: Float32Array,
  count: number,
): void {
  const name = `${path}.weight`;
  if (parts === 1) {
    weights.set(
      name,
      computed([count, rows.length / count], () => rows),
    );
    return;
  }
  replace(
    weights,
    name,
    (shape) => shape,
    (data) => laidInto(data, rows, part * rows.length),
  );
}

function laidInto(data: Float32Array, rows: Float32Array, at: number): Float32Array {
  const changed = data.slice();
  changed.set(rows, at);
  return changed;
}

/** Subtracts thresholds from a bias, which is made where there is none. */
function shiftBias(weights: Map<string, Weight>, { path, parts, part }: NeuronRows, shift: Float32Array): void {
  const name = `${path}.bias`;
  if (!weights.has(name)) weights.set(name, made(new Float32Array(parts * shift.length)));
  const first = part * shift.length;
  replace(
    weights,
    name,
    (shape) => shape,
    (data) => data.map((bias, f) => bias - (shift[f - first] ?? 0)),
  );
}

function removeMlp(
  weights: Map<string, Weight>,
  site: MlpSite,
  { site: path, neurons, gate, constant }: LayerPlan,
): ConfigIssue[] {
  const bias = `${site.out}.bias`;
  for (const name of weights.keys()) if (isBehind(name, site)) weights.delete(name);
  if (neurons === 0 && !site.isPostNorm && weights.has(bias)) {
    // what stands for an MLP that is gone already goes on standing for it
    replace(
      weights,
      bias,
      (shape) => shape,
      (data) => data.map((b, d) => gate * b + (constant?.[d] ?? 0)),
    );
    return [];
  }
  for (const linear of [...layersInto(site), site.out])
    for (const part of ["weight", "bias"]) weights.delete(`${linear}.${part}`);
  if (constant === null) return [];
  if (!site.isPostNorm) {
    weights.set(bias, made(Float32Array.from(constant)));
    return [];
  }
  const name = `${site.norm}.bias`;
  if (!weights.has(name))
    return [{ path: `${path}.constant`, expected: "nothing, as no bias is left to hold it", got: "a constant" }];
  replace(
    weights,
    name,
    (shape) => shape,
    (data) => data.map((b, d) => b + constant[d]!),
  );
  return [];
}

/** Width of a model's hidden states, by its config.json. */
export const hiddenSizeOf = (config: JsonObject): number => Number(config[factsOf(config).keys.hiddenSize]);

/** A weight whose numbers are made when it is read. */
const computed = (shape: readonly number[], compute: () => Float32Array | Promise<Float32Array>): Weight => ({
  dtype: "float32",
  shape,
  read: async () => tensor("float32", shape, await compute()),
});

const made = (data: Float32Array): Weight => computed([data.length], () => data);

type Shape = readonly number[];

/** Puts a computed weight in the place of a stored one; a weight that the model lacks stays away. */
function replace(
  weights: Map<string, Weight>,
  name: string,
  shapeOf: (shape: Shape) => Shape,
  compute: (data: Float32Array, shape: Shape) => Float32Array,
): void {
  const stored = weights.get(name);
  if (stored === undefined) return;
  const shape = shapeOf(stored.shape);
  const data = async () => compute((await stored.read()).data as Float32Array, stored.shape);
  weights.set(name, computed(shape, data));
}

/** The size of all MLPs where one is left, our key `mlp_sizes` where layers differ. */
function reducedConfig(config: JsonObject, layers: readonly LayerPlan[], changes: JsonObject): JsonObject {
  const sizes = layers.map(keptCount);
  const { mlp_sizes: _, ...rest } = config;
  const isUniform = sizes.every((size) => size === sizes[0]);
  return {
    ...rest,
    [factsOf(config).keys.intermediateSize]: Math.max(...sizes),
    ...(isUniform ? {} : { mlp_sizes: sizes }),
    ...changes,
  };
}
