// MLP activations as they pass by, and which of their positions count.
import {
  cast,
  type Dim,
  matmul,
  mul,
  multiplyDims,
  pad,
  reduceSum,
  reshape,
  square,
  subtractDims,
  type Value,
} from "../graph/index.ts";
import type { Hooks, KeptColumns, Site } from "../nn/index.ts";
import type { StackName } from "./report.ts";

/** One MLP's activations as they passed by. */
export interface Tap {
  readonly site: string;
  readonly stack: StackName;
  readonly layer: number;
  /** After the nonlinearity, `[B, P + S, F]`: P virtual tokens stand before the text. */
  readonly activation: Value;
  /** Which neurons these are, where others have left the graph: those count as silent in every share. Absent: all. */
  readonly columns?: KeptColumns;
}

/** A hook that only reads: records the activations of every MLP in order; `columns` are of MLPs that neurons have left, by site. */
export function activationTap(columns: ReadonlyMap<string, KeptColumns> = new Map()): {
  readonly hooks: Hooks;
  readonly taps: readonly Tap[];
} {
  const taps: Tap[] = [];
  return {
    taps,
    hooks: {
      activation(site: Site, a: Value) {
        const stack = site.part?.kind === "block" ? site.part.stack : "encoder";
        const layer = taps.filter((tap) => tap.stack === stack).length;
        const left = columns.get(site.path);
        taps.push({ site: site.path, stack, layer, activation: a, ...(left ? { columns: left } : {}) });
        return a;
      },
    },
  };
}

/** The mean over a tap's neurons, a scalar, as a mean over all that the MLP had: those that have left the graph add zeros. */
export function overAllNeurons(mean: Value, { columns }: Pick<Tap, "columns">): Value {
  return columns ? mul(mean, columns.kept.length / columns.of) : mean;
}

/** Which text positions of a stack count as attended: 1 there, `[B, S]` int64. A decoder counts those with a label. */
export type StackMasks = Readonly<Partial<Record<StackName, Value>>>;

/** How many virtual tokens stand before the text in a tap: by how much it is longer than its stack's mask. */
export function numVirtualTokens({ activation, stack }: Tap, attended: StackMasks): number {
  return Number(subtractDims(activation.shape[1]!, attended[stack]!.shape[1]!));
}

/** 1 where a tap's position is attended text, `[B, P + S]` float32: 0 at padding and virtual tokens. */
export function attendedPositions(tap: Tap, attended: StackMasks): Value {
  return pad(cast(attended[tap.stack]!, "float32"), 1, numVirtualTokens(tap, attended), 0);
}

/** Σ a² of each neuron over the positions where `counted` `[B, P + S]` is 1: `[F]`, float32; and how many those are. */
export function sumOfSquares({ activation }: Tap, counted: Value): { readonly sums: Value; readonly count: Value } {
  return { sums: sumOver(square(cast(activation, "float32")), counted), count: reduceSum(counted) };
}

/** Σ of each neuron's `values` `[B, P + S, F]` over the positions where `counted` `[B, P + S]` is 1: `[F]`, float32. */
export function sumOver(values: Value, counted: Value): Value {
  const [batch, length, neurons] = values.shape as readonly [Dim, Dim, number];
  const positions = multiplyDims(batch, length);
  const rows = reshape(cast(values, "float32"), [positions, neurons]);
  return reshape(matmul(reshape(counted, [1, positions]), rows), [neurons]);
}
