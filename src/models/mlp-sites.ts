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
  /** Linear layers with a row for each neuron, `[F, D]`, and where they have one a bias `[F]`; when gated the factor's is second. */
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
