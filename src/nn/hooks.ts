// Middleware of the forward pass: what a PEFT method, a tap or a quantiser may do at a site, and how several compose.
import type { Value } from "../graph/index.ts";
import type { Scope } from "./scope.ts";

/** A named place of the model: path and the right to add parameters there. */
export type Site = Scope;

/** A sequence on its way into the embeddings. */
export interface Embedded {
  /** Word embeddings `[B, S, D]`. */
  readonly words: Value;
  /** The name of the table that `words` are rows of. */
  readonly table: string;
  /** 1 for attended positions, `[B, S]` int64. */
  readonly attentionMask: Value;
  /** `[B, S]` int64, or null for models without segments. */
  readonly typeIds: Value | null;
  /** Position of the first token, counted from the model's own first; not 0 behind prefix keys. */
  readonly positionOffset: number;
  /** Virtual tokens in front of the text. */
  readonly numVirtualTokens: number;
}

/** Keys and values of one attention with the mask over them. */
export interface KeyValue {
  /** `[B, H, T, K]` */
  readonly key: Value;
  /** `[B, H, T, K]` */
  readonly value: Value;
  /** Additive, `[B, 1, 1, T]`; with a relative position bias in it `[B, H, S, T]`, any of B, H and S being 1 where all are alike. */
  readonly mask: Value;
}

/** What a sublayer does: attention over its own sequence, over another's, or the MLP. */
export type Sublayer = "attention" | "cross-attention" | "mlp";

/** What an MLP computes behind its nonlinearity: a product, and when gated a factor before it; neither has a bias. */
export interface Projection {
  /** What the MLP reads, `[B, S, D]`. */
  readonly input: Value;
  /** What it computes before; null where a hook has changed its activations. */
  readonly before: Activated | null;
  /** Where the factor is made from the input, weight `[F, D]`; null where the MLP is not gated. */
  readonly factor: Site | null;
  /** Where the output is made, weight `[D, F]`. */
  readonly out: Site;
}

/** What an MLP computes up to its nonlinearity. */
export interface Activated {
  /** Where the pre-activations are made, weight `[F, D]`. */
  readonly into: Site;
  /** Whether they have a bias `[F]`. */
  readonly isBiased: boolean;
  /** The nonlinearity, element by element. */
  readonly activation: (preActivation: Value) => Value;
}

/** What normalises a sublayer's sum with its residual; identity for pre-norm models. */
export type Norm = (x: Value) => Value;

/** What middleware may change; an absent hook changes nothing. */
export interface Hooks {
  /** The matrix of a linear layer or a table, as it is stored, before its use: dequantise, mask. */
  readonly weight?: (site: Site, stored: Value, of: "linear" | "table") => Value;
  /** Before a linear layer: its input `[…, in]`. */
  readonly linearInput?: (site: Site, x: Value) => Value;
  /** After a linear layer: x `[…, in]` as it was multiplied, y `[…, out]`. */
  readonly linear?: (site: Site, x: Value, y: Value) => Value;
  /** After rows of a table were looked up: ids `[…]`, rows `[…, D]` of a table of `size` rows. */
  readonly embedding?: (site: Site, ids: Value, rows: Value, size: number) => Value;
  /** Before positions are added. */
  readonly inputs?: (site: Site, input: Embedded) => Embedded;
  /** Before attention scores. */
  readonly keyValue?: (site: Site, kv: KeyValue) => KeyValue;
  /** After the MLP's nonlinearity, `[B, S, F]`. */
  readonly activation?: (site: Site, a: Value) => Value;
  /** Instead of what an MLP computes behind its nonlinearity a `[B, S, F]`: its output `[B, S, D]`; null leaves it as it is. */
  readonly projection?: (site: Site, a: Value, mlp: Projection) => Value | null;
  /** After a sublayer with output h and residual input x; null skips the sublayer. */
  readonly sublayer?: (site: Site, x: Value, h: Value, norm: Norm, kind: Sublayer) => Value | null;
}

/** Hooks that change nothing. */
export const none: Hooks = {};

/** Several hooks as one, applied in order; a skipped sublayer stays skipped, and the first other projection is taken. */
export function compose(...all: readonly Hooks[]): Hooks {
  const having = <K extends keyof Hooks>(key: K) =>
    all.flatMap((hooks) => (hooks[key] ? [hooks[key]] : [])) as NonNullable<Hooks[K]>[];
  const weight = having("weight");
  const linearInput = having("linearInput");
  const linear = having("linear");
  const embedding = having("embedding");
  const inputs = having("inputs");
  const keyValue = having("keyValue");
  const activation = having("activation");
  const projection = having("projection");
  const sublayer = having("sublayer");
  return {
    weight: (site, stored, of) => weight.reduce((value, hook) => hook(site, value, of), stored),
    linearInput: (site, x) => linearInput.reduce((value, hook) => hook(site, value), x),
    linear: (site, x, y) => linear.reduce((value, hook) => hook(site, x, value), y),
    embedding: (site, ids, rows, size) => embedding.reduce((value, hook) => hook(site, ids, value, size), rows),
    inputs: (site, input) => inputs.reduce((value, hook) => hook(site, value), input),
    keyValue: (site, kv) => keyValue.reduce((value, hook) => hook(site, value), kv),
    activation: (site, a) => activation.reduce((value, hook) => hook(site, value), a),
    projection: (site, a, mlp) => projection.reduce<Value | null>((value, hook) => value ?? hook(site, a, mlp), null),
    sublayer: (site, x, h, norm, kind) =>
      sublayer.reduce<Value | null>((value, hook) => (value === null ? null : hook(site, x, value, norm, kind)), h),
  };
}
