// The search under a budget: what each layer can spare is measured alone, put in an order, and the order is cut where it holds.

/** A candidate: how many neurons each layer keeps. */
export type Sizes = readonly number[];

/** What a candidate did on the search split. */
export interface Measured {
  /** Main metric, a fraction. */
  readonly score: number;
  /** What may be lost of the dense model's score: the difference and one standard error of it. */
  readonly lost: number;
}

export interface SearchOptions {
  /** Neurons of each layer before. */
  readonly neurons: Sizes;
  /** How far what the model says moves from what the dense model says; few examples do, as it is smoother than a score. */
  readonly diverge: (sizes: Sizes) => Promise<number>;
  /** The score; remembered by the caller between runs, as the divergence is. */
  readonly measure: (sizes: Sizes) => Promise<Measured>;
  readonly budget:
    | { readonly kind: "score"; readonly drop: number }
    /** How many neurons stay of all layers together. */
    | { readonly kind: "neurons"; readonly keep: number }
    | { readonly kind: "latency"; readonly ratio: number; readonly latency: (sizes: Sizes) => Promise<number> };
  /** Layers whose neurons take alike long, by number: under a latency budget what a neuron saves is measured for each. Absent: all do. */
  readonly alike?: readonly (readonly number[])[];
}

/** One step of a search, for progress and reports. */
export interface SearchStep {
  readonly phase: "layers" | "path" | "refine";
  readonly sizes: Sizes;
  readonly measured: Measured | null;
  readonly divergence: number | null;
  /** Share of the dense model's latency, where it was measured. */
  readonly latency: number | null;
  /** Measurements so far, and how many there will be at least. */
  readonly done: number;
  readonly total: number;
}

export interface SearchResult {
  readonly sizes: Sizes;
  readonly measured: Measured;
  readonly dense: Measured;
  readonly latency: number | null;
  /** Whether the budget holds on what the search saw. */
  readonly met: boolean;
}

const SHARES = [1, 0.75, 0.5, 0.375, 0.25, 0.15, 0.1, 0.05, 0] as const;
/** Sizes that kernels like, where a layer is large enough. */
const STEP = 16;

const stepOf = (neurons: number) => (neurons >= 8 * STEP ? STEP : 1);

/** The sizes a layer of `neurons` is tried at, falling: all of them … none. */
export function candidateSizes(neurons: number): number[] {
  return [...new Set(SHARES.map((share) => nearestSize(neurons, share)))];
}

/** How many neurons a share of a layer is: the nearest size that kernels like, and not none. */
export function sizeOfShare(neurons: number, share: number): number {
  return Math.min(neurons, Math.max(stepOf(neurons), nearestSize(neurons, share)));
}

function nearestSize(neurons: number, share: number): number {
  const step = stepOf(neurons);
  return Math.min(neurons, Math.round((share * neurons) / step) * step);
}

/**
 * Searches the smallest model within a score budget, or the best one within a latency budget or of so many neurons.
 *
 * Each layer is first measured alone at every level. Moves are then taken in the order of divergence added for each neuron
 * saved, or for the time that it saves, as if layers added up; that order is bisected with real measurements, and the place found is
 * refined: layer by layer, under a latency budget by taking back a part of the last move. A number of neurons is a place in that order, and needs none.
 */
export async function* search(options: SearchOptions): AsyncGenerator<SearchStep, SearchResult> {
  const { neurons, measure, budget, alike = [] } = options;
  const dense = await measure(neurons);
  if (budget.kind === "neurons" && budget.keep >= totalOf(neurons))
    return { sizes: neurons, measured: dense, dense, latency: null, met: true };
  const levels = neurons.map(candidateSizes);
  const step = counted(levels.reduce((sum, of) => sum + of.length - 1, 0));
  const alone = yield* layersAlone(options, levels, step);
  const worth = budget.kind === "latency" ? await timeOfNeurons(neurons, alike, budget.latency) : neurons.map(() => 1);
  const path = orderedPath(levels, alone, worth);
  if (budget.kind === "neurons") {
    const sizes = sizeAtBudget(path, budget.keep);
    return { sizes, measured: await measure(sizes), dense, latency: null, met: totalOf(sizes) <= budget.keep };
  }
  const holds = async (sizes: Sizes): Promise<Held> => {
    if (budget.kind === "score") return { fits: (await measure(sizes)).lost <= budget.drop + 1e-12, latency: null };
    const latency = await budget.latency(sizes);
    return { fits: latency <= budget.ratio, latency };
  };
  const place = yield* bisected(options, path, holds, step);
  let sizes = path[place]!;
  if (budget.kind === "score") {
    for await (const refined of refine(sizes, levels, alone, holds)) {
      sizes = refined.sizes;
      yield step("refine", sizes, { measured: await measure(sizes) });
    }
  } else if (place > 0) {
    for await (const tried of backOff(path[place - 1]!, sizes, budget)) {
      if (tried.fits) sizes = tried.sizes;
      yield step("refine", tried.sizes, { latency: tried.latency });
    }
  }
  const { fits, latency } = await holds(sizes);
  return { sizes, measured: await measure(sizes), dense, latency, met: fits };
}

/** Whether sizes hold the budget, and the latency where that is the budget. */
interface Held {
  readonly fits: boolean;
  readonly latency: number | null;
}

type MakeStep = (phase: SearchStep["phase"], sizes: Sizes, found: Partial<SearchStep>) => SearchStep;

/** Makes steps that count themselves. */
function counted(total: number): MakeStep {
  let done = 0;
  return (phase, sizes, found) => ({
    phase,
    sizes,
    measured: null,
    divergence: null,
    latency: null,
    ...found,
    done: ++done,
    total,
  });
}

/** The divergence of each layer alone at each of its levels, 0 at the first. */
async function* layersAlone(
  { neurons, diverge }: Pick<SearchOptions, "neurons" | "diverge">,
  levels: readonly (readonly number[])[],
  step: MakeStep,
): AsyncGenerator<SearchStep, number[][]> {
  const alone: number[][] = levels.map(() => [0]);
  for (const [layer, of] of levels.entries()) {
    for (const size of of.slice(1)) {
      const sizes = neurons.with(layer, size);
      const divergence = await diverge(sizes);
      alone[layer]!.push(divergence);
      yield step("layers", sizes, { divergence });
    }
  }
  return alone;
}

/** A place of the path: under a score budget the last that holds, under a latency budget the first. */
async function* bisected(
  { budget, measure }: Pick<SearchOptions, "budget" | "measure">,
  path: readonly Sizes[],
  holds: (sizes: Sizes) => Promise<Held>,
  step: MakeStep,
): AsyncGenerator<SearchStep, number> {
  const isScore = budget.kind === "score";
  let [low, high] = [0, path.length - 1];
  while (low < high) {
    const middle = isScore ? Math.ceil((low + high) / 2) : Math.floor((low + high) / 2);
    const { fits, latency } = await holds(path[middle]!);
    yield step("path", path[middle]!, { measured: isScore ? await measure(path[middle]!) : null, latency });
    if (isScore && fits) low = middle;
    else if (isScore) high = middle - 1;
    else if (fits) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** A measured saving below this share of another layer's is no more than noise. */
const LEAST_WORTH = 0.01;

/** What a neuron of each layer takes of the dense model's time, by models without half of a group's; 1 for all where there is one group. */
async function timeOfNeurons(
  neurons: Sizes,
  alike: readonly (readonly number[])[],
  latency: (sizes: Sizes) => Promise<number>,
): Promise<number[]> {
  const worth = neurons.map(() => 1);
  if (alike.length < 2) return worth;
  for (const group of alike) {
    const half = neurons.map((size, layer) => (group.includes(layer) ? sizeOfShare(size, 0.5) : size));
    const saved = totalOf(neurons) - totalOf(half);
    const each = saved === 0 ? 0 : Math.max(0, 1 - (await latency(half))) / saved;
    for (const layer of group) worth[layer] = each;
  }
  const most = Math.max(...worth);
  return most === 0 ? neurons.map(() => 1) : worth.map((each) => Math.max(each / most, LEAST_WORTH));
}

/** What a latency aimed at leaves for the next measurement to be worse. */
const SPARE_TIME = 0.97;

/** Between two places of the path, of which the second holds: as much of the move taken back as the budget allows, by halves. */
async function* backOff(
  before: Sizes,
  after: Sizes,
  { ratio, latency }: Extract<SearchOptions["budget"], { kind: "latency" }>,
): AsyncGenerator<{ sizes: Sizes; fits: boolean; latency: number }> {
  const layer = after.findIndex((size, i) => size !== before[i]);
  const step = stepOf(before[layer]!);
  let [least, most] = [after[layer]!, before[layer]!];
  while (most - least > step) {
    const size = least + Math.floor((most - least) / 2 / step) * step;
    if (size === least) return;
    const sizes = after.with(layer, size);
    const share = await latency(sizes);
    const fits = share <= SPARE_TIME * ratio;
    yield { sizes, fits, latency: share };
    if (fits) least = size;
    else most = size;
  }
}

/**
 * From all neurons to the fewest, one layer's level at a time, the cheapest divergence for what its neurons are worth first. One neuron
 * stays.
 */
export function orderedPath(
  levels: readonly (readonly number[])[],
  alone: readonly (readonly number[])[],
  worth: readonly number[] = levels.map(() => 1),
): Sizes[] {
  const at = levels.map(() => 0);
  const path: Sizes[] = [levels.map((of) => of[0]!)];
  for (;;) {
    let best: { layer: number; level: number; price: number } | null = null;
    for (const [layer, of] of levels.entries()) {
      for (let level = at[layer]! + 1; level < of.length; level++) {
        const last = path.at(-1)!;
        if (of[level] === 0 && last.every((size, i) => i === layer || size === 0)) continue;
        const saved = worth[layer]! * (of[at[layer]!]! - of[level]!);
        const price = (alone[layer]![level]! - alone[layer]![at[layer]!]!) / saved;
        if (best === null || price < best.price) best = { layer, level, price };
      }
    }
    if (best === null) return path;
    at[best.layer] = best.level;
    path.push(path.at(-1)!.with(best.layer, levels[best.layer]![best.level]!));
  }
}

/** The place of a path with `keep` neurons: the move that passes it is made in part, to a size that kernels like. */
export function sizeAtBudget(path: readonly Sizes[], keep: number): Sizes {
  const next = path.findIndex((sizes) => totalOf(sizes) <= keep);
  if (next === -1) return path.at(-1)!;
  if (next === 0) return path[0]!;
  const [before, after] = [path[next - 1]!, path[next]!];
  const layer = after.findIndex((size, i) => size !== before[i]);
  const spare = keep - totalOf(after);
  return after.with(layer, after[layer]! + Math.floor(spare / stepOf(before[layer]!)) * stepOf(before[layer]!));
}

const totalOf = (sizes: Sizes) => sizes.reduce((sum, size) => sum + size, 0);

/** Takes one layer further at a time, as long as the budget holds. */
async function* refine(
  start: Sizes,
  levels: readonly (readonly number[])[],
  alone: readonly (readonly number[])[],
  holds: (sizes: Sizes) => Promise<{ fits: boolean }>,
): AsyncGenerator<{ sizes: Sizes }> {
  let sizes = start;
  const closed = new Set<number>();
  while (closed.size < levels.length) {
    const open = sizes.flatMap((size, layer) => {
      const level = levels[layer]!.indexOf(size) + 1;
      const next = levels[layer]![level];
      if (closed.has(layer) || next === undefined) return [];
      const price = (alone[layer]![level]! - alone[layer]![level - 1]!) / (size - next);
      return [{ layer, next, price }];
    });
    const cheapest = open.sort((a, b) => a.price - b.price)[0];
    if (cheapest === undefined) return;
    const tried = sizes.with(cheapest.layer, cheapest.next);
    if (tried.every((size) => size === 0) || !(await holds(tried)).fits) closed.add(cheapest.layer);
    else yield { sizes: (sizes = tried) };
  }
}
