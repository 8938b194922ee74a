// Where a model's MLPs are: the sites and weights that removing neurons or whole MLPs touches.
import type { Stack } from "../nn/index.ts";

/** One MLP of a model by the paths of its parts. */
export interface MlpSite {
  readonly stack: Stack;
  /** Number of the layer in its stack. */
  readonly layer: number;
  /** Where hooks see the activations, `[B, S, F]`. */
  readonly activation: string;
  /** Where hooks see the sublayer's output. */
  readonly sublayer: string;
  /**
   * Linear layers with a row for each neuron, `[F, D]`, and where they have one a bias `[F]`; when gated the factor's is second. One path
   * twice: a layer `[2F, D]` holds the factor's rows behind the activation's.
   */
  readonly into: readonly string[];
  /** The linear layer with a column for each neuron, `[D, F]`. */
  readonly out: string;
  /** The norm whose output the MLP reads. */
  readonly norm: string;
  /** The norm's output is also the residual, and nothing else reads it: a constant output of the MLP fits into its bias. */
  readonly isPostNorm: boolean;
  /** Neurons now; 0: removed. */
  readonly neurons: number;
}

/** Rows of a linear layer, one for each neuron of an MLP. */
export interface NeuronRows {
  readonly path: string;
  /** How many rows the layer has for each neuron: its parts, one behind the other. */
  readonly parts: number;
  /** Which of the parts these are, from 0. */
  readonly part: number;
}

/** The rows that the activation reads, and when gated those of the factor. */
export function neuronRows({ into }: Pick<MlpSite, "into">): readonly NeuronRows[] {
  const countOf = (paths: readonly string[], path: string) => paths.filter((other) => other === path).length;
  return into.map((path, i) => ({ path, parts: countOf(into, path), part: countOf(into.slice(0, i), path) }));
}

/** The numbers that are of these rows, of all that their layer holds, `[parts · F, …]`. */
export function partOf(data: Float32Array, { parts, part }: NeuronRows): Float32Array {
  const size = data.length / parts;
  return parts === 1 ? data : data.subarray(part * size, (part + 1) * size);
}

/** The linear layers in front of the activation, each once. */
export const layersInto = ({ into }: Pick<MlpSite, "into">): readonly string[] => [...new Set(into)];
