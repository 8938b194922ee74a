// Prefix tuning: trained keys and values in front of every attention's own (Li & Liang 2021), as in HF PEFT.
import { ConfigError } from "../errors.ts";
import { add, concat, expand, matmul, reshape, tanh, transpose, type Value } from "../graph/index.ts";
import type { Site } from "../nn/index.ts";
import { float32, type Tensor } from "../tensor/index.ts";
import { isHead, type Method, type MethodSettings } from "./method.ts";
import { virtualTokenIssues } from "./prompt.ts";

export interface PrefixOptions {
  /** Trained keys and values in every attention; 60 by default, as in the paper's code. */
  readonly virtualTokens?: number;
  /** While training, keys and values are made from one small table by an MLP; it is folded away when they are saved. */
  readonly projection?: boolean;
  /** Width of that MLP; null: the model's hidden size. */
  readonly projectionSize?: number | null;
}

/**
 * `[P; keys]` and `[P; values]` in every attention: `<site>.prefix_key` and `<site>.prefix_value` `[P, D]`, drawn from
 * N(0, 1) as in peft. They are attended by all, carry no position (T5: relative bias 0), and text positions begin at P.
 *
 * With `projection`, each is `tanh(E · W₁ᵀ + b₁) · W₂ᵀ + b₂` with `prefix_embedding` E `[P, D]` and `prefix_hidden` `[M, D]` for
 * the whole model and `<site>.prefix_key`, `<site>.prefix_value` `[D, M]` for each attention.
 * @throws {ConfigError} when a number is out of range, or a size is given without projection.
 * @see Li & Liang 2021, §4; HF PEFT `PrefixEncoder`, whose last matrix is ours, cut into sites.
 */
export function prefix(options: PrefixOptions = {}): Method {
  const { virtualTokens = 60, projection = false, projectionSize = null } = options;
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

/** Settings and tensors without the MLP of a projected prefix: what is stored is what it gives. Others stay as they are. */
export function foldProjection(
  settings: MethodSettings,
  tensors: ReadonlyMap<string, Tensor>,
): { readonly settings: MethodSettings; readonly tensors: ReadonlyMap<string, Tensor> } {
  if (settings.kind !== "prefix" || !settings.projection) return { settings, tensors };
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
