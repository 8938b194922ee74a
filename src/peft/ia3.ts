// (IA)³: learned vectors that scale keys, values and the MLP's activations (Liu et al. 2022), named and placed as in HF PEFT.
import { ConfigError, UnsupportedError } from "../errors.ts";
import { mul, reshape } from "../graph/index.ts";
import { MODEL_FACTS, type ModelFacts } from "../models/index.ts";
import type { Site } from "../nn/index.ts";
import type { Tensor, Weight, Weights } from "../tensor/index.ts";
import { fromPeftIa3, type Ia3Adapter, scaledSites, toPeftIa3, VECTOR } from "./formats/peft-ia3-format.ts";
import { renamedTargets, sitesOver } from "./formats/peft-targets.ts";
import { laidOver } from "./merge.ts";
import { checkTargets, isHead, type Method, matchesTarget } from "./method.ts";
import { type AdapterFormat, type MethodRecord, type OptionRows, optional } from "./record.ts";

export interface Ia3Options {
  /** Last parts of the sites to scale, or every linear layer but the head; null: keys, values and the MLP's last layer, as the model calls them. */
  readonly targets?: readonly string[] | "all-linear" | null;
  /** Those of them that are scaled at their input; null: the MLP's last layer, as the model calls it. */
  readonly feedforward?: readonly string[] | null;
}

/** Settings of IA3 as stored; null where those usual for the model are meant, and no model was met yet. */
export interface Ia3Settings {
  readonly kind: "ia3";
  readonly targets: readonly string[] | "all-linear" | null;
  readonly feedforward: readonly string[] | null;
}

const OPTIONS = {
  targets: optional<readonly string[]>(),
  "feedforward-targets": optional<readonly string[]>(),
} as const satisfies OptionRows;

/** The usual layers by model type. @see HF PEFT `TRANSFORMERS_MODELS_TO_IA3_{TARGET,FEEDFORWARD}_MODULES_MAPPING`. */
/**
 * `l ⊙ y` at each target, `y` being the layer's output with its bias; at the feed-forward ones `(l ⊙ x) · Wᵀ + b`. One vector
 * `<site>.ia3_l` of ones a layer: `[out, 1]`, at the input `[1, in]`. In BERT `output.dense` is the attention's last layer too, as in peft.
 *
 * The activation that the density loss sees is the MLP's, before its vector.
 * @see Liu et al. 2022, "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning", §3.3; HF PEFT `IA3Layer`.
 */
export function ia3({ targets = null, feedforward = null }: Ia3Options = {}): Method<Ia3Settings> {
  const settings: Ia3Settings = { kind: "ia3", targets, feedforward };
  const vector = (site: Site, shape: readonly [number, number]) =>
    site.at(() => reshape(site.added(VECTOR, shape, { kind: "ones" }), [Math.max(...shape)]));
  return {
    settings,
    hooks: {
      linearInput(site, x) {
        if (isHead(site) || placeOf(settings, site.path) !== "input") return x;
        return site.at(() => mul(x, vector(site, [1, Number(x.shape.at(-1))])));
      },
      linear(site, _, y) {
        if (isHead(site) || placeOf(settings, site.path) !== "output") return y;
        return site.at(() => mul(y, vector(site, [Number(y.shape.at(-1)), 1])));
      },
    },
    trains: isHead,
    check: (sites) => checkPlaces(settings, sites),
  };
}

/** Where a site outside the head is scaled; null: nowhere. */
function placeOf(settings: Ia3Settings, site: string): "input" | "output" | null {
  const { targets, feedforward } = resolved(settings);
  // as in peft, "all-linear" leaves the vocabulary's head out
  const isTarget = targets === "all-linear" ? site !== "lm_head" : matchesTarget(site, targets);
  if (!isTarget) return null;
  return matchesTarget(site, feedforward) ? "input" : "output";
}

/** @throws {ConfigError} for settings that leave to a model which layers they mean. */
function resolved({ targets, feedforward }: Ia3Settings) {
  if (targets !== null && feedforward !== null) return { targets, feedforward };
  const path = targets === null ? "targets" : "feedforward";
  throw new ConfigError([
    { path, expected: "names of linear layers, as no model says the usual ones", got: "nothing" },
  ]);
}

function checkPlaces(settings: Ia3Settings, sites: readonly string[]): void {
  const { targets, feedforward } = resolved(settings);
  if (targets !== "all-linear") checkTargets(targets, sites);
  const scaled = sites.filter((site) => placeOf(settings, site) !== null);
  const idle = feedforward.filter((name) => !scaled.some((site) => matchesTarget(site, [name])));
  // the usual ones are no wish of anybody
  if (idle.length === 0 || isUsual(feedforward)) return;
  const expected = `layers among the targets (${targets.toString()})`;
  throw new ConfigError(idle.map((name) => ({ path: "feedforward-targets", expected, got: JSON.stringify(name) })));
}

const isUsual = (feedforward: readonly string[]): boolean =>
  MODEL_FACTS.some(({ usualTargets: { ia3: usual } }) => usual.feedforward.toString() === feedforward.toString());

function onModel(
  { kind, targets, feedforward }: Ia3Settings,
  { usualTargets: { ia3: usual } }: ModelFacts,
): Ia3Settings {
  return { kind, targets: targets ?? usual.targets, feedforward: feedforward ?? usual.feedforward };
}

/**
 * The base with what was trained laid over it; where a vector stood the weight's rows and its bias scaled, or at the input the
 * weight's columns, when they are read. A zero stays a zero.
 * @throws {UnsupportedError} when a scaled layer has no matrix of its own.
 */
function merged(weights: Weights, trained: ReadonlyMap<string, Tensor>, settings: Ia3Settings): Weights {
  const sites = scaledSites(trained);
  const rest = new Map([...trained].filter(([name]) => !name.endsWith(`.${VECTOR}`)));
  const all = new Map(laidOver(weights, rest));
  for (const site of sites) {
    const factors = trained.get(`${site}.${VECTOR}`)!.data as Float32Array;
    const isInput = placeOf(settings, site) === "input";
    const [weight, bias] = [all.get(`${site}.weight`), all.get(`${site}.bias`)];
    if (!weight) throw new UnsupportedError(`merging IA3 into ${site}`, ["layers with a matrix of their own"]);
    const width = weight.shape[1]!;
    all.set(
      `${site}.weight`,
      scaledBy(weight, (at) => factors[isInput ? at % width : Math.floor(at / width)]!),
    );
    if (bias && !isInput)
      all.set(
        `${site}.bias`,
        scaledBy(bias, (at) => factors[at]!),
      );
  }
  return all;
}

function scaledBy(stored: Weight, factorAt: (at: number) => number): Weight {
  const read = async (): Promise<Tensor> => {
    const { data, ...rest } = await stored.read();
    return { ...rest, data: (data as Float32Array).map((value, at) => value * factorAt(at)) };
  };
  return { dtype: "float32", shape: stored.shape, read };
}

const FORMAT: AdapterFormat<Ia3Settings, Ia3Adapter> = {
  library: "peft",
  peftTypes: ["IA3"],
  toAdapter(settings, tensors, { modulesToSave, taskType, model }) {
    const { targets, feedforward } = resolved(settings);
    const sites = scaledSites(tensors);
    const inputs = sites.filter((site) => placeOf(settings, site) === "input");
    // peft wants each feed-forward name among the targets, and compares ends of names without a dot
    const isPlain =
      targets !== "all-linear" &&
      feedforward.every((name) => targets.includes(name)) &&
      sites.every((site) => feedforward.some((end) => site.endsWith(end)) === inputs.includes(site));
    const spelled = isPlain ? { targets, feedforward } : { targets: sites, feedforward: inputs };
    return { method: "ia3", config: { ...spelled, modulesToSave, taskType, baseModel: model }, tensors };
  },
  toFiles: toPeftIa3,
  fromFiles: fromPeftIa3,
  renamed: ({ selection, targets, feedforward, ...config }, named, sites) => ({
    ...config,
    targets: renamedTargets({ selection, targets }, named, sites),
    feedforward: feedforward.map(named),
  }),
  settingsOf({ config: { targets, feedforward, selection } }, { linearSites }) {
    const sites = selection ? sitesOver(selection, targets, linearSites()) : targets;
    return { kind: "ia3", targets: sites, feedforward };
  },
};

/** (IA)³. */
export const IA3 = {
  kind: "ia3",
  title: "IA3",
  maker: "ia3()",
  options: OPTIONS,
  learningRate: 3e-3,
  adds: /\.ia3_l$/,
  settingsFrom({ targets = null, "feedforward-targets": feedforward = null }) {
    const isAll = targets?.length === 1 && targets[0] === "all-linear";
    return ia3({ targets: isAll ? "all-linear" : targets, feedforward }).settings;
  },
  valuesOf: ({ targets, feedforward }) => ({
    ...(targets === null ? {} : { targets: targets === "all-linear" ? [targets] : [...targets] }),
    ...(feedforward === null ? {} : { "feedforward-targets": [...feedforward] }),
  }),
  build: (settings) => ia3(settings),
  onModel,
  merge: merged,
  format: FORMAT,
} as const satisfies MethodRecord<Ia3Settings, typeof OPTIONS, Ia3Adapter>;
