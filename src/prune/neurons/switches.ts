// Neurons switched for each run of one program: what a removal will do, without making the smaller model.
import { add, matmul, mul } from "../../graph/index.ts";
import type { Hooks } from "../../nn/index.ts";
import { float32, type Tensor } from "../../tensor/index.ts";
import { keepNeurons, type LayerFacts } from "./choose.ts";

const KEPT = "kept_neurons";
const STAND_IN = "stand_in";
const REFIT = "refit";
const OPEN = "open_sublayer";

/** An MLP with an adapter behind it, which goes when no neuron is left: then the whole sublayer is switched. */
const isWhole = ({ statistics }: LayerFacts): boolean => statistics?.added !== undefined;
/** An MLP whose output is fitted again to the neurons that stay. */
const isRefitted = ({ statistics }: LayerFacts): boolean => statistics?.moments !== undefined;

/**
 * Middleware that multiplies every MLP's activations by `kept_neurons` `[F]` and adds `stand_in` `[D]` to its output, both fed
 * with each run; with second moments it also adds what the output reads times `refit` `[F, D]`. Behind an adapter it multiplies the
 * sublayer's output by `open_sublayer` `[1]` and adds a `stand_in` there too. To be composed behind the method's hooks.
 */
export function neuronSwitches(facts: readonly LayerFacts[]): Hooks {
  const outputs = new Set(facts.map(({ site }) => site.out));
  const fitted = new Set(facts.filter(isRefitted).map(({ site }) => site.out));
  const whole = new Set(facts.filter(isWhole).map(({ site }) => site.sublayer));
  return {
    activation: (site, a) => site.at(() => mul(a, site.buffer(KEPT, [Number(a.shape.at(-1))], { kind: "ones" }))),
    linear(site, x, y) {
      if (!outputs.has(site.path)) return y;
      const [neurons, width] = [Number(x.shape.at(-1)), Number(y.shape.at(-1))];
      const moved = add(y, site.buffer(STAND_IN, [width], { kind: "zeros" }));
      if (!fitted.has(site.path)) return moved;
      return add(moved, matmul(x, site.buffer(REFIT, [neurons, width], { kind: "zeros" })));
    },
    sublayer(site, _x, h, _norm, kind) {
      if (kind !== "mlp" || !whole.has(site.path)) return h;
      const standIn = site.buffer(STAND_IN, [Number(h.shape.at(-1))], { kind: "zeros" });
      return site.at(() => add(mul(h, site.buffer(OPEN, [1], { kind: "ones" })), standIn));
    },
  };
}

/** What `neuronSwitches` is fed: what stands for neurons left out is as a plan with `refit` has it; null keeps all of a layer. */
export async function switchFeeds(
  facts: readonly LayerFacts[],
  kept: readonly (readonly number[] | null)[],
): Promise<Map<string, Tensor>> {
  const feeds = new Map<string, Tensor>();
  for (const [i, of] of facts.entries()) {
    const { site, outWeight } = of;
    if (site.neurons === 0) continue;
    const left = kept[i] ?? null;
    const mask = new Float32Array(site.neurons).fill(left === null ? 1 : 0);
    for (const f of left ?? []) mask[f] = 1;
    const width = outWeight.length / site.neurons;
    const none = new Float32Array(width);
    // the output's bias is still there
    const standIn = left === null ? null : await keepNeurons({ ...of, outBias: null }, left, "refit");
    const constant = standIn?.constant ?? null;
    const added = constant === null ? none : Float32Array.from(constant);
    const isClosed = isWhole(of) && left?.length === 0;
    const feed = (name: string, values: Float32Array, shape = [values.length]) => {
      feeds.set(name, float32(shape, values));
    };
    feed(`${site.activation}.${KEPT}`, mask);
    feed(`${site.out}.${STAND_IN}`, isClosed ? none : added);
    if (isRefitted(of))
      feed(`${site.out}.${REFIT}`, refitDifference(outWeight, left ?? [], standIn?.out, site.neurons), [
        site.neurons,
        width,
      ]);
    if (!isWhole(of)) continue;
    feed(`${site.sublayer}.${STAND_IN}`, isClosed ? added : none);
    feed(`${site.sublayer}.${OPEN}`, Float32Array.of(isClosed ? 0 : 1));
  }
  return feeds;
}

/** What the fitted columns `[D, kept]` add to the stored ones, as `[F, D]`; zeros where nothing is fitted. */
function refitDifference(
  outWeight: Float32Array,
  kept: readonly number[],
  out: Float32Array | undefined,
  neurons: number,
): Float32Array {
  const difference = new Float32Array(outWeight.length);
  if (out === undefined) return difference;
  const width = outWeight.length / neurons;
  kept.forEach((f, i) => {
    for (let d = 0; d < width; d++) difference[f * width + d] = out[d * kept.length + i]! - outWeight[d * neurons + f]!;
  });
  return difference;
}
