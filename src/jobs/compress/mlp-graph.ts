// The linear layers in front of an MLP's output matrix, as values over what the MLP reads.
import { add, matmul, slice, type Value } from "../../graph/index.ts";
import { type MlpSite, type NeuronRows, neuronRows } from "../../models/index.ts";
import type { Weights } from "../../tensor/index.ts";

/** What the activation reads, `[N, F]`, over `x` `[N, D]`. */
export const preActivation = (x: Value, weights: Weights, site: MlpSite) =>
  linear(x, weights, neuronRows(site)[0]!, site);

/** What a gated MLP multiplies its activation by, `[N, F]`; undefined for the others. */
export function factorOf(x: Value, weights: Weights, site: MlpSite): Value | undefined {
  const rows = neuronRows(site)[1];
  return rows === undefined ? undefined : linear(x, weights, rows, site);
}

function linear(x: Value, weights: Weights, { path, parts, part }: NeuronRows, { neurons }: MlpSite): Value {
  const { graph } = x;
  const own = (name: string, ...width: number[]) => {
    const whole = graph.parameter(`${path}.${name}`, [parts * neurons, ...width]);
    return parts === 1 ? whole : slice(whole, 0, part * neurons, neurons);
  };
  const y = matmul(x, own("weight", Number(x.shape[1])), { transB: true });
  return weights.has(`${path}.bias`) ? add(y, own("bias")) : y;
}
