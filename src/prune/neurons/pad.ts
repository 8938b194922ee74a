// A compressed model in one size for all layers, as other libraries can load it: removed neurons and MLPs as zeros.
import { factsOf, layersInto, type MlpSite, neuronRows } from "../../models/index.ts";
import { type Tensor, tensor, type Weight, type Weights } from "../../tensor/index.ts";
import { hiddenSizeOf, type PlainModel } from "./apply.ts";

/** The same model with equal layers, and what of it had no place. */
export interface PaddedModel extends PlainModel {
  /** Neurons or MLPs that are zeros now. */
  readonly isPadded: boolean;
  /** Biases of a pre-norm model that stood for removed neurons or held thresholds, and are left out: its outputs differ by them. */
  readonly lostBiases: readonly string[];
}

/**
 * Pads every MLP with zeros to the size that the config names, which is the largest layer's, and takes our own keys out of it. Weights
 * are computed when they are read. The same function, but for biases of a T5 that other libraries' T5 has no place for.
 */
export async function padded({ config, weights }: PlainModel, sites: readonly MlpSite[]): Promise<PaddedModel> {
  const { keys, mlpBiases } = factsOf(config);
  const { mlp_sizes: sizes } = config;
  const own = ["mlp_sizes", ...(mlpBiases?.isOwn ? [mlpBiases.output, mlpBiases.input] : [])];
  // a spread takes number literals along, which entries do not
  const rest: Record<string, unknown> = { ...config };
  for (const key of own) delete rest[key];
  const [width, hidden] = [Number(config[keys.intermediateSize]), hiddenSizeOf(config)];
  const all = new Map(weights);
  const isPadded = sizes !== undefined && sites.some(({ neurons }) => neurons < width);
  const isBiased = mlpBiases === null || (!mlpBiases.isOwn && config[mlpBiases.input] === true);
  if (isPadded)
    for (const site of sites) if (site.neurons < width) padSite(all, weights, site, { width, hidden, isBiased });
  const lostBiases: string[] = [];
  for (const { into, out } of mlpBiases?.isOwn ? sites : []) {
    for (const name of [`${into[0]}.bias`, `${out}.bias`]) {
      const bias = weights.get(name);
      if (bias === undefined) continue;
      all.delete(name);
      if ((await bias.read()).data.some((value: number | bigint) => Number(value) !== 0)) lostBiases.push(name);
    }
  }
  return { config: rest, weights: all, isPadded, lostBiases };
}

function padSite(
  all: Map<string, Weight>,
  weights: Weights,
  site: MlpSite,
  { width, hidden, isBiased }: { readonly width: number; readonly hidden: number; readonly isBiased: boolean },
): void {
  const pad = (name: string, shape: readonly number[], place: (data: Float32Array, out: Float32Array) => void) => {
    const stored = weights.get(name);
    const read = async (): Promise<Tensor> => {
      const out = new Float32Array(shape.reduce((size, dim) => size * dim, 1));
      if (stored === undefined) place(new Float32Array(0), out);
      else place((await stored.read()).data as Float32Array, out);
      return tensor("float32", shape, out);
    };
    all.set(name, { dtype: "float32", shape, read });
  };
  const first = (data: Float32Array, out: Float32Array) => out.set(data);
  for (const path of layersInto(site)) {
    const { parts } = neuronRows(site).find((rows) => rows.path === path)!;
    // each part begins where its padded rows do
    const parted = (data: Float32Array, out: Float32Array) => {
      const [from, to] = [data.length / parts, out.length / parts];
      for (let part = 0; part < parts; part++) out.set(data.subarray(part * from, (part + 1) * from), part * to);
    };
    pad(`${path}.weight`, [parts * width, hidden], parted);
    if (isBiased) pad(`${path}.bias`, [parts * width], parted);
  }
  pad(`${site.out}.weight`, [hidden, width], (data, out) => {
    for (let row = 0; row < hidden; row++)
      out.set(data.subarray(row * site.neurons, (row + 1) * site.neurons), row * width);
  });
  if (isBiased) pad(`${site.out}.bias`, [hidden], first);
  // the norm before a pre-norm MLP that is gone went with it
  if (!site.isPostNorm && !weights.has(`${site.norm}.weight`))
    pad(`${site.norm}.weight`, [hidden], (_, out) => out.fill(1));
}
