// LoRA: a low-rank update beside frozen linear layers (Hu et al. 2021), named and scaled as in HF PEFT.
import { ConfigError } from "../errors.ts";
import { add, gather, matmul, reshape, transpose } from "../graph/index.ts";
import { dropoutMask, flattenRows, type Hooks, type Site } from "../nn/index.ts";
import { float32, type Tensor } from "../tensor/index.ts";
import type { LoraAdapter } from "./formats/adapter.ts";
import { fromPeft, toPeft } from "./formats/peft-format.ts";
import { renamedTargets, sitesOver } from "./formats/peft-targets.ts";
import { maskSafeHooks } from "./mask-safe.ts";
import { type LoraUpdate, mergedUpdates } from "./merge.ts";
import { checkTargets, type Method, matchesTarget } from "./method.ts";
import { type AdapterFormat, type MethodRecord, type OptionRows, option } from "./record.ts";

export interface LoraOptions {
  readonly rank?: number;
  readonly alpha?: number;
  /** Dropout on the update's input. */
  readonly dropout?: number;
  /** Last parts of the sites to adapt, or every linear layer but the head; layers of the head by their whole path alone. */
  readonly targets?: readonly string[] | "all-linear";
  /** Biases trained too: of no layer, of every layer, or of the adapted ones. */
  readonly bias?: "none" | "all" | "lora_only";
  /** Scale by `alpha / √rank` (Kalajdzievski 2023). */
  readonly rslora?: boolean;
  /** Update only what is not zero in the base, so that merging keeps a pruned base's zeros. */
  readonly maskSafe?: boolean;
  /** Other ranks and alphas of single sites, by their whole path. */
  readonly rankPattern?: Readonly<Record<string, number>>;
  readonly alphaPattern?: Readonly<Record<string, number>>;
}

/** Settings of a LoRA as stored. */
export interface LoraSettings {
  readonly kind: "lora";
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  readonly targets: readonly string[] | "all-linear";
  readonly bias: "none" | "all" | "lora_only";
  readonly rslora: boolean;
  /** Present when the update leaves the base's zeros alone. */
  readonly maskSafe?: boolean;
  /** Ranks and alphas of single sites, by their whole path. */
  readonly rankPattern?: Readonly<Record<string, number>>;
  readonly alphaPattern?: Readonly<Record<string, number>>;
}

const OPTIONS = {
  rank: option<number>(8),
  alpha: option<number>(16),
  dropout: option<number>(0.1),
  targets: option<readonly string[]>(["query", "value"]),
  bias: option<LoraSettings["bias"]>("none"),
  rslora: option<boolean>(false),
} as const satisfies OptionRows;

/**
 * `y + (α / r) · dropout(x) · Aᵀ · Bᵀ` at each target; `lora_A.weight` `[R, in]` uniform in ±1/√in, `lora_B.weight` `[out, R]` zero.
 * At a table `[V, D]` among the targets, rows of `(α / r) · Aᵀ · Bᵀ` are added to its own: `lora_embedding_A` `[R, V]` zero,
 * `lora_embedding_B` `[D, R]` drawn from N(0, 1).
 * @throws {ConfigError} when rank, alpha or dropout is out of range.
 * @see Hu et al. 2021, eq. 3; HF PEFT `LoraLayer`, `lora.layer.Embedding`.
 */
export function lora(options: LoraOptions = {}): Method<LoraSettings> {
  const settings = {
    kind: "lora",
    rank: options.rank ?? OPTIONS.rank.default,
    alpha: options.alpha ?? OPTIONS.alpha.default,
    dropout: options.dropout ?? OPTIONS.dropout.default,
    targets: options.targets ?? OPTIONS.targets.default,
    bias: options.bias ?? OPTIONS.bias.default,
    rslora: options.rslora ?? OPTIONS.rslora.default,
    ...(options.maskSafe ? { maskSafe: true } : {}),
    ...(options.rankPattern ? { rankPattern: options.rankPattern } : {}),
    ...(options.alphaPattern ? { alphaPattern: options.alphaPattern } : {}),
  } as const satisfies LoraSettings;
  checkRanges(settings);
  const { targets, bias } = settings;
  const isTarget = ({ path, part }: Pick<Site, "path" | "part">) => {
    // as in peft, "all-linear" leaves the vocabulary's head out
    if (targets === "all-linear") return part === null || part.kind === "block";
    return part?.kind === "head" ? targets.includes(path) : matchesTarget(path, targets);
  };
  const updateOf = (site: Site, outFeatures: number, inFeatures: number) => {
    if (!isTarget(site)) return null;
    const { rank, scale } = loraAt(settings, site.path);
    const down = site.child("lora_A").added("weight", [rank, inFeatures], { kind: "kaiming" });
    const up = site.child("lora_B").added("weight", [outFeatures, rank], { kind: "zeros" });
    return { down, up, scale };
  };
  const beside: Hooks = {
    linear(site, x, y) {
      const update = updateOf(site, Number(y.shape.at(-1)), Number(x.shape.at(-1)));
      if (update === null) return y;
      const { masked, scale: kept } = dropoutMask(site, x, settings.dropout, "lora_dropout");
      const low = matmul(flattenRows(masked), update.down, { transB: true, alpha: kept });
      return add(y, reshape(matmul(low, update.up, { transB: true, alpha: update.scale }), y.shape));
    },
    embedding(site, ids, rows, size) {
      if (targets === "all-linear" || !matchesTarget(site.path, targets)) return rows;
      const { rank, scale } = loraAt(settings, site.path);
      const width = Number(rows.shape.at(-1));
      const down = site.added("lora_embedding_A", [rank, size], { kind: "zeros" });
      const up = site.added("lora_embedding_B", [width, rank], { kind: "normal", std: 1 });
      const low = flattenRows(gather(transpose(down, [1, 0]), ids));
      return add(rows, reshape(matmul(low, up, { transB: true, alpha: scale }), rows.shape));
    },
  };
  return {
    settings,
    hooks: settings.maskSafe ? maskSafeHooks(updateOf, settings.dropout) : beside,
    trains: ({ name, role, part }) =>
      part?.kind === "head" ||
      (name.endsWith(".bias") &&
        (bias === "all" ||
          (bias === "lora_only" && role === "linear" && isTarget({ path: name.slice(0, -".bias".length), part })))),
    check: (sites) => targets !== "all-linear" && checkTargets(targets, sites),
  };
}

/** Rank and scale of one site. @see HF PEFT `rank_pattern`, `alpha_pattern`. */
function loraAt(settings: LoraSettings, site: string): { readonly rank: number; readonly scale: number } {
  const rank = settings.rankPattern?.[site] ?? settings.rank;
  const alpha = settings.alphaPattern?.[site] ?? settings.alpha;
  return { rank, scale: alpha / (settings.rslora ? Math.sqrt(rank) : rank) };
}

/** LoRA's update of the matrix or table `name` as it is trained; null where the method has none. */
function loraUpdate(settings: LoraSettings, name: string, trained: ReadonlyMap<string, Tensor>): LoraUpdate | null {
  const site = name.slice(0, -".weight".length);
  // a table's update is A · B the other way round: [V, R] · [R, D]
  const down = trained.get(`${site}.lora_A.weight`) ?? transposed(trained.get(`${site}.lora_embedding_B`));
  const up = trained.get(`${site}.lora_B.weight`) ?? transposed(trained.get(`${site}.lora_embedding_A`));
  if (!down || !up) return null;
  const { rank, scale } = loraAt(settings, site);
  return {
    up: up.data as Float32Array,
    down: down.data as Float32Array,
    rank,
    scale,
    maskSafe: settings.maskSafe ?? false,
  };
}

function transposed(matrix: Tensor | undefined): Tensor | undefined {
  if (matrix === undefined) return undefined;
  const [rows, width] = matrix.shape as readonly [number, number];
  const values = matrix.data as Float32Array;
  return float32(
    [width, rows],
    Float32Array.from(values, (_, i) => values[(i % rows) * width + Math.floor(i / rows)]!),
  );
}

function checkRanges({ rank, alpha, dropout: rate }: LoraSettings): void {
  const issues = [];
  if (!Number.isInteger(rank) || rank < 1)
    issues.push({ path: "rank", expected: "a whole number ≥ 1", got: String(rank) });
  if (!(alpha > 0)) issues.push({ path: "alpha", expected: "a number > 0", got: String(alpha) });
  if (!(rate >= 0 && rate < 1))
    issues.push({ path: "dropout", expected: "a probability in [0, 1)", got: String(rate) });
  if (issues.length > 0) throw new ConfigError(issues);
}

/** Every adapted linear by its full path: peft's own spelling of "all-linear" once it is resolved. */
function adaptedSites(tensors: ReadonlyMap<string, Tensor>): string[] {
  return [...tensors.keys()].flatMap((name) =>
    name.endsWith(".lora_A.weight") ? [name.slice(0, -".lora_A.weight".length)] : [],
  );
}

const FORMAT: AdapterFormat<LoraSettings, LoraAdapter> = {
  library: "peft",
  peftTypes: ["LORA"],
  // peft would compute the whole update, the base's zeros included
  obstacle: ({ maskSafe }) =>
    maskSafe ? { got: "a mask-safe LoRA, whose update no adapter format can express" } : null,
  toAdapter(settings, tensors, { modulesToSave, taskType, model }) {
    const { rank, alpha, dropout, rslora, bias, targets, rankPattern, alphaPattern } = settings;
    return {
      method: "lora",
      config: {
        rank,
        alpha,
        dropout,
        rsLora: rslora,
        bias,
        targets: targets === "all-linear" ? adaptedSites(tensors) : targets,
        ...(rankPattern ? { rankPattern } : {}),
        ...(alphaPattern ? { alphaPattern } : {}),
        modulesToSave,
        taskType,
        baseModel: model,
      },
      tensors,
    };
  },
  toFiles: toPeft,
  fromFiles: fromPeft,
  renamed({ selection, targets, rankPattern, alphaPattern, ...config }, named, sites) {
    const keyed = (pattern: Readonly<Record<string, number>>) =>
      Object.fromEntries(Object.entries(pattern).map(([site, value]) => [named(site), value]));
    return {
      ...config,
      targets: renamedTargets({ selection, targets }, named, sites),
      ...(rankPattern ? { rankPattern: keyed(rankPattern) } : {}),
      ...(alphaPattern ? { alphaPattern: keyed(alphaPattern) } : {}),
    };
  },
  settingsOf({ config }, { linearSites }) {
    const { rank, alpha, dropout, targets, selection, bias, rsLora, rankPattern, alphaPattern } = config;
    return {
      kind: "lora",
      rank,
      alpha,
      dropout,
      targets: selection ? sitesOver(selection, targets, linearSites()) : targets,
      bias,
      rslora: rsLora,
      ...(rankPattern ? { rankPattern } : {}),
      ...(alphaPattern ? { alphaPattern } : {}),
    };
  },
};

/** What BERT calls query and value is q and v in T5. @see HF PEFT `TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING`. */
/** LoRA. */
export const LORA = {
  kind: "lora",
  title: "LoRA",
  maker: "lora()",
  aliases: { qlora: "nf4" },
  options: OPTIONS,
  adds: /\.lora_/,
  settingsFrom({ targets, rank, alpha, dropout, bias, rslora }) {
    const isAll = targets.length === 1 && targets[0] === "all-linear";
    return lora({ rank, alpha, dropout, targets: isAll ? "all-linear" : targets, bias, rslora }).settings;
  },
  valuesOf({ rank, alpha, dropout, bias, rslora, targets, maskSafe }) {
    const words = targets === "all-linear" ? [targets] : [...targets];
    return { rank, alpha, dropout, targets: words, bias, rslora, ...(maskSafe ? { "mask-safe": true } : {}) };
  },
  build: (settings) => lora(settings),
  onModel(settings, { usualTargets }) {
    const isUsual = settings.targets.toString() === OPTIONS.targets.default.toString();
    return { ...settings, targets: isUsual ? usualTargets.lora : settings.targets };
  },
  keepingZeros: (settings) => ({ ...settings, maskSafe: true }),
  everywhere: (settings) => ({ ...settings, targets: "all-linear" }),
  merge: (weights, trained, settings) => mergedUpdates(weights, trained, (name) => loraUpdate(settings, name, trained)),
  format: FORMAT,
} as const satisfies MethodRecord<LoraSettings, typeof OPTIONS, LoraAdapter>;
