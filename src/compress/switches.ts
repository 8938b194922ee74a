// Neurons switched for each run of one program: what a removal will do, without making the smaller model.
import { add, mul } from "../graph/index.ts";
import type { Hooks } from "../nn/index.ts";
import { float32, type Tensor } from "../tensor/index.ts";
import { keepNeurons, type LayerFacts } from "./choose.ts";

const KEPT = "kept_neurons";
const STAND_IN = "stand_in";
const OPEN = "open_sublayer";

/** An MLP with an adapter behind it, which goes when no neuron is left: then the whole sublayer is switched. */
const isWhole = ({ statistics }: LayerFacts): boolean => statistics?.added !== undefined;

/**
 * Middleware that multiplies every MLP's activations by `kept_neurons` `[F]` and adds `stand_in` `[D]` to its output, both fed
 * with each run; behind an adapter it multiplies the sublayer's output by `open_sublayer` `[1]` and adds a `stand_in` there too. To be
 * composed behind the method's hooks.
 */
export function neuronSwitches(facts: readonly LayerFacts[]): Hooks {
  const outputs = new Set(facts.map(({ site }) => site.out));
  const whole = new Set(facts.filter(isWhole).map(({ site }) => site.sublayer));
  return {
    activation: (site, a) => site.at(() => mul(a, site.buffer(KEPT, [Number(a.shape.at(-1))], { kind: "ones" }))),
    linear(site, _, y) {
      if (!outputs.has(site.path)) return y;
      return add(y, site.buffer(STAND_IN, [Number(y.shape.at(-1))], { kind: "zeros" }));
    },
    sublayer(site, _x, h, _norm, kind) {
      if (kind !== "mlp" || !whole.has(site.path)) return h;
      const standIn = site.buffer(STAND_IN, [Number(h.shape.at(-1))], { kind: "zeros" });
      return site.at(() => add(mul(h, site.buffer(OPEN, [1], { kind: "ones" })), standIn));
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
    feeds.set(`${site.activation}.${KEPT}`, float32([mask.length], mask));
    // the output's bias is still there
    const removed = left === null ? null : keepNeurons({ ...of, outBias: null }, left, "mean").constant;
    const none = new Float32Array(outWeight.length / site.neurons);
    const standIn = removed === null ? none : Float32Array.from(removed);
    const isClosed = isWhole(of) && left?.length === 0;
    const feed = (name: string, values: Float32Array) => feeds.set(name, float32([values.length], values));
    feed(`${site.out}.${STAND_IN}`, isClosed ? none : standIn);
    if (!isWhole(of)) return;
    feed(`${site.sublayer}.${STAND_IN}`, isClosed ? standIn : none);
    feed(`${site.sublayer}.${OPEN}`, Float32Array.of(isClosed ? 0 : 1));
  });
  return feeds;
}
