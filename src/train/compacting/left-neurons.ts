// Neurons that left a training graph: which, and how tensors of the whole model and of the smaller one become each other.
import { invariant } from "../../errors.ts";
import type { MlpSite } from "../../models/index.ts";
import type { KeptColumns, ParameterSpec } from "../../nn/index.ts";
import { maskName, meanName } from "../../prune/index.ts";
import { elementBytes, elementCount, float32, type Tensor } from "../../tensor/index.ts";

/** The neurons that were gone when the graph was made smaller, as a checkpoint holds them. */
export interface LeftNeurons {
  /** Steps that had been made. */
  readonly step: number;
  /** The masks as they were then, by name: 1 for a neuron that stayed, 0 for one that left, `[F]`. */
  readonly masks: ReadonlyMap<string, Tensor>;
}

/** The neurons of an MLP that stayed. */
export interface ReducedMlp extends KeptColumns {
  readonly site: MlpSite;
}

/** The MLPs that neurons have left. */
export function reducedMlps(sites: readonly MlpSite[], masks: ReadonlyMap<string, Tensor>): ReducedMlp[] {
  return sites.flatMap((site) => {
    const mask = masks.get(maskName(site.activation))?.data as Float32Array | undefined;
    if (mask === undefined) return [];
    const kept = Array.from(mask.keys()).filter((f) => mask[f] === 1);
    return kept.length < mask.length ? [{ site, kept, of: mask.length }] : [];
  });
}

/** Which neurons are there, by the sites that values with an axis of neurons have: the activation's, and the output matrix's, which reads them. */
export function columnsBySite(mlps: readonly ReducedMlp[]): ReadonlyMap<string, KeptColumns> {
  return new Map(
    mlps.flatMap(({ site: { activation, out }, kept, of }) =>
      [activation, out].map((path) => [path, { kept, of }] as const),
    ),
  );
}

/** Bytes of what is left of these parameters where they are of an MLP that got smaller. */
export function keptBytes(mlps: readonly ReducedMlp[], parameters: readonly Shaped[]): number {
  let bytes = 0;
  for (const { site, kept, of } of mlps) {
    for (const { name, shape } of parameters)
      if (isOfMlp(name, site)) bytes += (elementBytes("float32") * elementCount(shape) * kept.length) / of;
  }
  return bytes;
}

/** Whether a parameter stands at a site of an MLP whose values have an axis of neurons. */
const isOfMlp = (name: string, { activation, into, out }: MlpSite): boolean =>
  [activation, ...into, out].some((path) => name.startsWith(`${path}.`));

/** Energies and means of the neurons that stayed among those of all; neurons that left give nothing. */
export function wholeEnergies(
  mlps: readonly ReducedMlp[],
  energies: ReadonlyMap<string, Float32Array>,
): ReadonlyMap<string, Float32Array> {
  const all = new Map(energies);
  for (const { site, kept, of } of mlps) {
    for (const name of [site.activation, meanName(site.activation)]) {
      const some = energies.get(name);
      if (some === undefined) continue;
      const whole = new Float32Array(of);
      kept.forEach((f, i) => {
        whole[f] = some[i]!;
      });
      all.set(name, whole);
    }
  }
  return all;
}

/** Where a parameter has its neurons. */
interface NeuronAxis {
  readonly shape: readonly number[];
  readonly axis: number;
  readonly kept: readonly number[];
}

type Shaped = Pick<ParameterSpec, "name" | "shape">;

/** Takes the smaller model's part out of the whole one's tensors, and puts it back. */
export class NeuronSlices {
  readonly #axes = new Map<string, NeuronAxis>();

  /** The neuron axis of a parameter is the one that differs between both models; its MLP is the one whose paths it lies under. */
  constructor(mlps: readonly ReducedMlp[], whole: readonly Shaped[], smaller: readonly Shaped[]) {
    const sizes = new Map(smaller.map(({ name, shape }) => [name, shape]));
    for (const { name, shape } of whole) {
      const small = sizes.get(name);
      const axis = small?.findIndex((size, i) => size !== shape[i]) ?? -1;
      if (small === undefined || axis < 0) continue;
      const mlp = mlps.find(({ site }) => isOfMlp(name, site));
      const fits = mlp?.of === shape[axis] && mlp?.kept.length === small[axis];
      invariant(mlp && fits, `${name} is smaller at an axis that has no neurons`);
      this.#axes.set(name, { shape, axis, kept: mlp.kept });
    }
  }

  /** Whether a parameter has an axis of neurons that some have left. */
  has(name: string): boolean {
    return this.#axes.has(name);
  }

  /** The smaller model's part of a tensor of the whole; the tensor itself where it has no neurons. */
  taken(name: string, whole: Tensor): Tensor {
    const at = this.#axes.get(name);
    if (at === undefined) return whole;
    const size = whole.shape.map((length, axis) => (axis === at.axis ? at.kept.length : length));
    const data = new Float32Array(elementCount(size));
    places(at).forEach((place, i) => {
      data[i] = Number(whole.data[place]);
    });
    return float32(size, data);
  }

  /** The smaller model's parts of tensors of the whole. */
  allTaken(whole: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
    return new Map(Array.from(whole, ([name, one]) => [name, this.taken(name, one)]));
  }

  /** Writes the smaller model's part over that of a tensor of the whole. */
  put(name: string, whole: Tensor, smaller: Tensor): void {
    const at = this.#axes.get(name);
    invariant(at, `${name} has no neurons`);
    places(at).forEach((place, i) => {
      whole.data[place] = smaller.data[i]!;
    });
  }
}

/** Where in the whole tensor each number of the smaller one stands, in order. */
function places({ shape, axis, kept }: NeuronAxis): Uint32Array {
  const [neurons, inner] = [shape[axis]!, elementCount(shape.slice(axis + 1))];
  const outer = elementCount(shape.slice(0, axis));
  const found = new Uint32Array(outer * kept.length * inner);
  let i = 0;
  for (let o = 0; o < outer; o++) {
    for (const f of kept) for (let j = 0; j < inner; j++) found[i++] = (o * neurons + f) * inner + j;
  }
  return found;
}
