// LoRA: a low-rank update beside frozen linear layers (Hu et al. 2021), named and scaled as in HF PEFT.
import { ConfigError } from "../errors.ts";
import { add, matmul, reshape } from "../graph/index.ts";
import { dropoutMask, flattenRows } from "../nn/index.ts";
import { checkTargets, isHead, type Method, type MethodSettings, matchesTarget } from "./method.ts";

export interface LoraOptions {
  readonly rank?: number;
  readonly alpha?: number;
  /** Dropout on the update's input. */
  readonly dropout?: number;
  /** Last parts of the sites to adapt, or every linear layer but the head. */
  readonly targets?: readonly string[] | "all-linear";
  /** Biases trained too: of no layer, of every layer, or of the adapted ones. */
  readonly bias?: "none" | "all" | "lora_only";
  /** Scale by `alpha / √rank` (Kalajdzievski 2023). */
  readonly rslora?: boolean;
}

/**
 * `y + (α / r) · dropout(x) · Aᵀ · Bᵀ` at each target; `lora_A.weight` `[R, in]` uniform in ±1/√in, `lora_B.weight` `[out, R]` zero.
 * @throws {ConfigError} when rank, alpha or dropout is out of range.
 * @see Hu et al. 2021, eq. 3; HF PEFT `LoraLayer`.
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
  } as const satisfies MethodSettings;
  checkRanges(settings);
  const { rank, targets, bias } = settings;
  const scale = settings.alpha / (settings.rslora ? Math.sqrt(rank) : rank);
  const isTarget = (site: string) => !isHead(`${site}.`) && (targets === "all-linear" || matchesTarget(site, targets));
  return {
    settings,
    hooks: {
      linear(site, x, y) {
        if (!isTarget(site.path)) return y;
        const down = site.child("lora_A").added("weight", [rank, Number(x.shape.at(-1))], { kind: "kaiming" });
        const up = site.child("lora_B").added("weight", [Number(y.shape.at(-1)), rank], { kind: "zeros" });
        const { masked, scale: kept } = dropoutMask(site, x, settings.dropout, "lora_dropout");
        const low = matmul(flattenRows(masked), down, { transB: true, alpha: kept });
        return add(y, reshape(matmul(low, up, { transB: true, alpha: scale }), y.shape));
      },
    },
    trains: (name) =>
      isHead(name) ||
      (name.endsWith(".bias") &&
        (bias === "all" || (bias === "lora_only" && !isNorm(name) && isTarget(name.slice(0, -".bias".length))))),
    check: (sites) => targets !== "all-linear" && checkTargets(targets, sites),
  };
}

/** Norms have biases too, but are no linear layers. */
const isNorm = (name: string): boolean => /norm\.bias$/i.test(name);

function checkRanges({ rank, alpha, dropout: rate }: Extract<MethodSettings, { kind: "lora" }>): void {
  const issues = [];
  if (!Number.isInteger(rank) || rank < 1)
    issues.push({ path: "rank", expected: "a whole number ≥ 1", got: String(rank) });
  if (!(alpha > 0)) issues.push({ path: "alpha", expected: "a number > 0", got: String(alpha) });
  if (!(rate >= 0 && rate < 1))
    issues.push({ path: "dropout", expected: "a probability in [0, 1)", got: String(rate) });
  if (issues.length > 0) throw new ConfigError(issues);
}
