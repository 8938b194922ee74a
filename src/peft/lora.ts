// LoRA: a low-rank update beside frozen linear layers (Hu et al. 2021), named and scaled as in HF PEFT.
import { ConfigError } from "../errors.ts";
import { add, gather, matmul, reshape, transpose } from "../graph/index.ts";
import { dropoutMask, flattenRows, type Hooks, type Site } from "../nn/index.ts";
import { float32, type Tensor } from "../tensor/index.ts";
import { maskSafeHooks } from "./mask-safe.ts";
import { checkTargets, isHead, type Method, type MethodSettings, matchesTarget } from "./method.ts";

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

type LoraSettings = Extract<MethodSettings, { kind: "lora" }>;

/**
 * `y + (α / r) · dropout(x) · Aᵀ · Bᵀ` at each target; `lora_A.weight` `[R, in]` uniform in ±1/√in, `lora_B.weight` `[out, R]` zero.
 * At a table `[V, D]` among the targets, rows of `(α / r) · Aᵀ · Bᵀ` are added to its own: `lora_embedding_A` `[R, V]` zero,
 * `lora_embedding_B` `[D, R]` drawn from N(0, 1).
 * @throws {ConfigError} when rank, alpha or dropout is out of range.
 * @see Hu et al. 2021, eq. 3; HF PEFT `LoraLayer`, `lora.layer.Embedding`.
 */
export function lora(options: LoraOptions = {}): Method {
  const settings = {
    kind: "lora",
    rank: options.rank ?? 8,
    alpha: options.alpha ?? 16,
    dropout: options.dropout ?? 0.1,
    targets: options.targets ?? ["query", "value"],
    bias: options.bias ?? "none",
    rslora: options.rslora ?? false,
    ...(options.maskSafe ? { maskSafe: true } : {}),
    ...(options.rankPattern ? { rankPattern: options.rankPattern } : {}),
    ...(options.alphaPattern ? { alphaPattern: options.alphaPattern } : {}),
  } as const satisfies MethodSettings;
  checkRanges(settings);
  const { targets, bias } = settings;
  const isTarget = (site: string) => {
    // as in peft, "all-linear" leaves the vocabulary's head out
    if (targets === "all-linear") return !isHead(`${site}.`) && site !== "lm_head";
    return isHead(`${site}.`) ? targets.includes(site) : matchesTarget(site, targets);
  };
  const updateOf = (site: Site, outFeatures: number, inFeatures: number) => {
    if (!isTarget(site.path)) return null;
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
    // a table of rows passes the weight hook too, and has no mask-safe form
    hooks: settings.maskSafe
      ? maskSafeHooks((site, ...sizes) => (isTable(site.path) ? null : updateOf(site, ...sizes)), settings.dropout)
      : beside,
    trains: (name) =>
      isHead(name) ||
      (name.endsWith(".bias") &&
        (bias === "all" || (bias === "lora_only" && !isNorm(name) && isTarget(name.slice(0, -".bias".length))))),
    check: (sites) => targets !== "all-linear" && checkTargets(targets, sites),
  };
}

/** Rank and scale of one site. @see HF PEFT `rank_pattern`, `alpha_pattern`. */
function loraAt(settings: LoraSettings, site: string): { readonly rank: number; readonly scale: number } {
  const rank = settings.rankPattern?.[site] ?? settings.rank;
  const alpha = settings.alphaPattern?.[site] ?? settings.alpha;
  return { rank, scale: alpha / (settings.rslora ? Math.sqrt(rank) : rank) };
}

/** A low-rank update of a stored matrix `[out, in]`: `scale · up · down`, with up `[out, R]` and down `[R, in]`. */
export interface LoraUpdate {
  readonly up: Float32Array;
  readonly down: Float32Array;
  readonly rank: number;
  readonly scale: number;
  /** Whether it changes only what is not zero. */
  readonly maskSafe: boolean;
}

/** LoRA's update of the matrix or table `name` as it is trained; null where the method has none. */
export function loraUpdate(
  settings: MethodSettings,
  name: string,
  trained: ReadonlyMap<string, Tensor>,
): LoraUpdate | null {
  const site = name.slice(0, -".weight".length);
  // a table's update is A · B the other way round: [V, R] · [R, D]
  const down = trained.get(`${site}.lora_A.weight`) ?? transposed(trained.get(`${site}.lora_embedding_B`));
  const up = trained.get(`${site}.lora_B.weight`) ?? transposed(trained.get(`${site}.lora_embedding_A`));
  if (settings.kind !== "lora" || !down || !up) return null;
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

const isTable = (site: string): boolean => /(^|\.)(shared|\w*embeddings?|relative_attention_bias)$/.test(site);

/** Norms have biases too, but are no linear layers. */
const isNorm = (name: string): boolean => /norm\.bias$/i.test(name);

function checkRanges({ rank, alpha, dropout: rate }: LoraSettings): void {
  const issues = [];
  if (!Number.isInteger(rank) || rank < 1)
    issues.push({ path: "rank", expected: "a whole number ≥ 1", got: String(rank) });
  if (!(alpha > 0)) issues.push({ path: "alpha", expected: "a number > 0", got: String(alpha) });
  if (!(rate >= 0 && rate < 1))
    issues.push({ path: "dropout", expected: "a probability in [0, 1)", got: String(rate) });
  if (issues.length > 0) throw new ConfigError(issues);
}
