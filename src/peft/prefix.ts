// Prefix tuning: trained keys and values in front of every attention's own (Li & Liang 2021), as in HF PEFT.
import { CheckpointError, ConfigError, UnsupportedError } from "../errors.ts";
import { add, concat, expand, matmul, reshape, tanh, transpose, type Value } from "../graph/index.ts";
import type { Site } from "../nn/index.ts";
import { float32, type Tensor } from "../tensor/index.ts";
import type { PrefixAdapter } from "./formats/adapter.ts";
import { fromPeftPrompt, prefixTable, prefixTensors, toPeftPrompt } from "./formats/peft-prompt-format.ts";
import { isHead, type Method } from "./method.ts";
import { PROMPT_EMBEDDINGS, VIRTUAL_TOKENS, virtualTokenConfig, virtualTokenIssues } from "./prompt.ts";
import {
  type AdapterFacts,
  type AdapterFormat,
  type AdapterPlace,
  type MethodRecord,
  type OptionRows,
  option,
  optional,
} from "./record.ts";

export interface PrefixOptions {
  /** Trained keys and values in every attention; 60 by default, as in the paper's code. */
  readonly virtualTokens?: number;
  /** While training, keys and values are made from one small table by an MLP; it is folded away when they are saved. */
  readonly projection?: boolean;
  /** Width of that MLP; null: the model's hidden size. */
  readonly projectionSize?: number | null;
}

/** Settings of prefix tuning as stored. */
export interface PrefixSettings {
  readonly kind: "prefix";
  readonly virtualTokens: number;
  readonly projection: boolean;
  readonly projectionSize: number | null;
}

const OPTIONS = {
  "virtual-tokens": VIRTUAL_TOKENS,
  "prefix-projection": option<boolean>(false),
  "prefix-projection-size": optional<number>(),
} as const satisfies OptionRows;

/**
 * `[P; keys]` and `[P; values]` in every attention: `<site>.prefix_key` and `<site>.prefix_value` `[P, D]`, drawn from
 * N(0, 1) as in peft. They are attended by all, carry no position (T5: relative bias 0), and text positions begin at P.
 *
 * With `projection`, each is `tanh(E · W₁ᵀ + b₁) · W₂ᵀ + b₂` with `prefix_embedding` E `[P, D]` and `prefix_hidden` `[M, D]` for
 * the whole model and `<site>.prefix_key`, `<site>.prefix_value` `[D, M]` for each attention.
 * @throws {ConfigError} when a number is out of range, or a size is given without projection.
 * @see Li & Liang 2021, §4; HF PEFT `PrefixEncoder`, whose last matrix is ours, cut into sites.
 */
export function prefix(options: PrefixOptions = {}): Method<PrefixSettings> {
  const {
    virtualTokens = VIRTUAL_TOKENS.default,
    projection = OPTIONS["prefix-projection"].default,
    projectionSize = null,
  } = options;
  checkOptions({ virtualTokens, projection, projectionSize });
  const settings = { kind: "prefix", virtualTokens, projection, projectionSize } as const;
  const rowsAt = projection ? projected(virtualTokens, projectionSize) : stored(virtualTokens);
  return {
    settings,
    hooks: {
      // a cache of keys stands before the text: its positions begin behind
      inputs: (_, input) => ({ ...input, positionOffset: input.positionOffset + virtualTokens }),
      keyValue(site, { key, value, mask }) {
        const [batch, numHeads, , headDim] = key.shape;
        const size = Number(numHeads) * Number(headDim);
        const heads = (name: string) => {
          const split = reshape(rowsAt(site, name, size), [virtualTokens, numHeads!, headDim!]);
          const own = reshape(transpose(split, [1, 0, 2]), [1, numHeads!, virtualTokens, headDim!]);
          return expand(own, [batch!, numHeads!, virtualTokens, headDim!]);
        };
        return site.at(() => ({
          key: concat([heads("prefix_key"), key], 2),
          value: concat([heads("prefix_value"), value], 2),
          mask: concat([expand(site.graph.scalar(0), [...mask.shape.slice(0, 3), virtualTokens]), mask], 3),
        }));
      },
    },
    trains: isHead,
    check: () => {},
  };
}

/** Rows `[P, D]` of one site. */
type Rows = (site: Site, name: string, size: number) => Value;

const stored =
  (virtualTokens: number): Rows =>
  (site, name, size) =>
    site.added(name, [virtualTokens, size], { kind: "normal", std: 1 });

const EMBEDDING = "prefix_embedding";
const HIDDEN = "prefix_hidden";

const projected =
  (virtualTokens: number, projectionSize: number | null): Rows =>
  (site, name, size) => {
    const width = projectionSize ?? size;
    const uniform = { kind: "uniform", bound: 1 / Math.sqrt(size) } as const;
    const table = site.shared(EMBEDDING, [virtualTokens, size], { kind: "normal", std: 1 });
    const weight = site.shared(`${HIDDEN}.weight`, [width, size], uniform);
    const bias = site.shared(`${HIDDEN}.bias`, [width], uniform);
    const hidden = tanh(add(matmul(table, weight, { transB: true }), bias));
    const end = { kind: "uniform", bound: 1 / Math.sqrt(width) } as const;
    const last = site.child(name);
    return add(
      matmul(hidden, last.added("weight", [size, width], end), { transB: true }),
      last.added("bias", [size], end),
    );
  };

/** Settings and tensors without the MLP of a projected prefix: what is stored is what it gives. Without a projection they stay as they are. */
export function foldProjection(
  settings: PrefixSettings,
  tensors: ReadonlyMap<string, Tensor>,
): { readonly settings: PrefixSettings; readonly tensors: ReadonlyMap<string, Tensor> } {
  if (!settings.projection) return { settings, tensors };
  const table = tensors.get(EMBEDDING)!;
  const hidden = affine(table, tensors.get(`${HIDDEN}.weight`)!, tensors.get(`${HIDDEN}.bias`)!);
  const bent = float32(hidden.shape, (hidden.data as Float32Array).map(Math.tanh));
  const folded = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) {
    const site = /^(.*\.prefix_(?:key|value))\.weight$/.exec(name)?.[1];
    if (site !== undefined) folded.set(site, affine(bent, tensor, tensors.get(`${site}.bias`)!));
    else if (!/(^|\.)prefix_(key|value|hidden|embedding)(\.(weight|bias))?$/.test(name)) folded.set(name, tensor);
  }
  return { settings: { ...settings, projection: false, projectionSize: null }, tensors: folded };
}

/** `x · weightᵀ + bias`: `[P, in]`, `[out, in]`, `[out]` → `[P, out]`, summed in float64. */
function affine(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const [rows, width] = x.shape as readonly [number, number];
  const [size] = weight.shape as readonly [number];
  const [a, w, b] = [x.data, weight.data, bias.data] as readonly Float32Array[];
  const out = new Float32Array(rows * size);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < size; i++) {
      let sum = b![i]!;
      for (let k = 0; k < width; k++) sum += a![row * width + k]! * w![i * width + k]!;
      out[row * size + i] = sum;
    }
  }
  return float32([rows, size], out);
}

function checkOptions({ virtualTokens, projection, projectionSize }: Required<PrefixOptions>): void {
  const issues = virtualTokenIssues(virtualTokens);
  if (projectionSize !== null && !(Number.isInteger(projectionSize) && projectionSize >= 1))
    issues.push({ path: "projectionSize", expected: "a whole number ≥ 1", got: String(projectionSize) });
  if (projectionSize !== null && !projection)
    issues.push({ path: "projectionSize", expected: "projection: true, which alone uses it", got: "false" });
  if (issues.length > 0) throw new ConfigError(issues);
}

const FORMAT: AdapterFormat<PrefixSettings, PrefixAdapter> = {
  library: "peft",
  peftTypes: ["PREFIX_TUNING"],
  obstacle: (_, { writes }) =>
    writes
      ? {
          expected: "a run that another tool can load",
          got: "a prefix in every attention of an encoder–decoder, of which peft has the decoder's own alone",
          hint: "Only deft reads it: keep the run's folder. For peft, train with --method prompt or lora.",
        }
      : null,
  toAdapter({ virtualTokens }, tensors, facts) {
    const others = [...tensors].filter(([name]) => !/\.prefix_(key|value)$/.test(name));
    const table = prefixTable(facts.attentionSites(), tensors);
    const config = virtualTokenConfig(virtualTokens, facts);
    return { method: "prefix", config, tensors: new Map([[PROMPT_EMBEDDINGS, table], ...others]) };
  },
  toFiles: toPeftPrompt,
  fromFiles: (files, configFile, misfits) => fromPeftPrompt(files, configFile, misfits) as PrefixAdapter,
  settingsOf: ({ config: { virtualTokens } }) => prefix({ virtualTokens }).settings,
  tensorsOf,
};

/**
 * peft's one table cut into the attentions of this model.
 * @throws {CheckpointError} when it has another number of layers than the model.
 * @throws {UnsupportedError} when it was made by peft for an encoder–decoder.
 */
function tensorsOf(
  { config, tensors }: PrefixAdapter,
  { model, writes, attentionSites }: AdapterFacts,
  { folder, misfits }: AdapterPlace,
): Map<string, Tensor> {
  if (writes) {
    throw new UnsupportedError(`${folder}: a prefix in peft's format on ${model}`, ["one that deft trained"], {
      hint: "peft gives an encoder–decoder a prefix in its decoder alone; ours is one in every attention.",
    });
  }
  const sites = attentionSites();
  if (config.numLayers !== sites.length) {
    const [expected, got] = [sites.length, config.numLayers].map((count) => `a prefix of ${count} layers`);
    const issue = { name: PROMPT_EMBEDDINGS, expected: expected!, got: got! };
    throw new CheckpointError(folder, [...misfits, issue], { hint: "The adapter belongs to another base model." });
  }
  const others = [...tensors].filter(([name]) => name !== PROMPT_EMBEDDINGS);
  return new Map([...prefixTensors(sites, tensors.get(PROMPT_EMBEDDINGS)!), ...others]);
}

/** Prefix tuning. */
export const PREFIX = {
  kind: "prefix",
  title: "prefix tuning",
  maker: "prefix()",
  options: OPTIONS,
  learningRate: 1e-2,
  adds: /(^|\.)prefix_(key|value|hidden|embedding)(\.|$)/,
  settingsFrom: (values) =>
    prefix({
      virtualTokens: values["virtual-tokens"],
      projection: values["prefix-projection"],
      projectionSize: values["prefix-projection-size"] ?? null,
    }).settings,
  valuesOf: ({ virtualTokens, projection, projectionSize }) => ({
    "virtual-tokens": virtualTokens,
    "prefix-projection": projection,
    ...(projectionSize === null ? {} : { "prefix-projection-size": projectionSize }),
  }),
  build: (settings) => prefix(settings),
  virtualTokens: ({ virtualTokens }) => virtualTokens,
  folded: foldProjection,
  format: FORMAT,
} as const satisfies MethodRecord<PrefixSettings, typeof OPTIONS, PrefixAdapter>;
