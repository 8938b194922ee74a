// Neurons switched for each run of one program: what a removal will do, without making the smaller model.
import { add, mul } from "../graph/index.ts";
import type { MlpSite } from "../models/index.ts";
import type { Hooks } from "../nn/index.ts";
import { float32, type Tensor } from "../tensor/index.ts";
import { keepNeurons, type LayerFacts } from "./choose.ts";

const KEPT = "kept_neurons";
const STAND_IN = "stand_in";

/**
 * Middleware that multiplies every MLP's activations by `kept_neurons` `[F]` and adds `stand_in` `[D]` to its output, both fed
 * with each run.
 */
export function neuronSwitches(sites: readonly MlpSite[]): Hooks {
  const outputs = new Set(sites.map(({ out }) => out));
  return {
    activation: (site, a) => site.at(() => mul(a, site.buffer(KEPT, [Number(a.shape.at(-1))], { kind: "ones" }))),
    linear(site, _, y) {
      if (!outputs.has(site.path)) return y;
      return add(y, site.buffer(STAND_IN, [Number(y.shape.at(-1))], { kind: "zeros" }));
    },
  };
}

/** What `neuronSwitches` is fed: neurons left out stand at their calibration mean; null keeps all of a layer. */
export function switchFeeds(
  facts: readonly LayerFacts[],
  kept: readonly (readonly number[] | null)[],
): Map<string, Tensor> {
  const feeds = new Map<string, Tensor>();
  facts.forEach((of, i) => {
    const { site, outWeight } = of;
    if (site.neurons === 0) return;
    const left = kept[i] ?? null;
    const mask = new Float32Array(site.neurons).fill(left === null ? 1 : 0);
    for (const f of left ?? []) mask[f] = 1;
    // the output's bias is still there
    const removed = left === null ? null : keepNeurons({ ...of, outBias: null }, left, "mean").constant;
    const standIn = removed === null ? new Float32Array(outWeight.length / site.neurons) : Float32Array.from(removed);
    feeds.set(`${site.activation}.${KEPT}`, float32([mask.length], mask));
    feeds.set(`${site.out}.${STAND_IN}`, float32([standIn.length], standIn));
  });
  return feeds;
}
