// The linear layers in front of an MLP's output matrix, as values over what the MLP reads.
import { add, matmul, type Value } from "../../graph/index.ts";
import type { MlpSite } from "../../models/index.ts";
import type { Weights } from "../../tensor/index.ts";

/** What the activation reads, `[N, F]`, over `x` `[N, D]`. */
export const preActivation = (x: Value, weights: Weights, site: MlpSite) => linear(x, weights, site.into[0]!, site);

/** What a gated MLP multiplies its activation by, `[N, F]`; undefined for the others. */
export function factorOf(x: Value, weights: Weights, site: MlpSite): Value | undefined {
  const path = site.into[1];
  return path === undefined ? undefined : linear(x, weights, path, site);
}

function linear(x: Value, weights: Weights, path: string, { neurons }: MlpSite): Value {
  const { graph } = x;
  const y = matmul(x, graph.parameter(`${path}.weight`, [neurons, x.shape[1]!]), { transB: true });
  return weights.has(`${path}.bias`) ? add(y, graph.parameter(`${path}.bias`, [neurons])) : y;
}
