// Attention as one node of ONNX Runtime's own: no transposes, and no scores in memory twice.
import { MICROSOFT } from "../builder.ts";
import type { OnnxModel, OnnxNode } from "../model.ts";

/** The most negative float32: masked scores vanish beside any other. */
const MASKED = -3.4028234663852886e38;
const ROWS = "shape:rows";
const INT32 = 6;
const int32Of = (mask: string) => `${mask}:int32`;

/**
 * Each `softmax(α · Q Kᵀ + mask) V` over `numHeads` heads becomes one node, which reads the mask of 1 and 0 that the additive one is
 * made of, and the position bias that is added to that one. Attention whose keys have others in front of them or are rotated stays
 * as it is.
 */
export function fuseAttention<M extends OnnxModel>(model: M, numHeads: number): M {
  const makers = new Map(model.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const tensors = new Map(model.tensors);
  const fused = new Map<OnnxNode, readonly OnnxNode[]>();
  const masks = new Set<string>();
  for (const node of model.nodes) {
    const found = node.type === "Softmax" ? attentionAt(node, model.nodes, makers) : null;
    if (found === null) continue;
    const { mask, merged } = found;
    const cast = masks.has(mask) ? [] : [nodeOf(mask, "Cast", [mask], int32Of(mask), { to: INT32 })];
    masks.add(mask);
    fused.set(merged, [...cast, ...headAttention(found, numHeads)]);
  }
  if (fused.size === 0) return model;
  tensors.set(ROWS, { dtype: "int64", shape: [3], data: new Uint8Array(BigInt64Array.of(0n, 0n, -1n).buffer) });
  const nodes = model.nodes.flatMap((node) => fused.get(node) ?? [node]);
  return { ...model, nodes: withoutDead(nodes, model.outputs), tensors };
}

interface AttentionNodes {
  /** Each projection as `[B, S, H, K]`. */
  readonly splits: readonly [string, string, string];
  readonly scale: number;
  /** 1 for attended keys, `[B, S]` int64. */
  readonly mask: string;
  /** What is added to the scores besides, `[1, H, S, S]`; empty: nothing. */
  readonly bias: string;
  /** The node that gives the heads side by side, `[B·S, D]`. */
  readonly merged: OnnxNode;
}

/** The nodes around a softmax, when they are an attention of the form that our models are emitted in. */
function attentionAt(
  softmax: OnnxNode,
  nodes: readonly OnnxNode[],
  makers: ReadonlyMap<string, OnnxNode>,
): AttentionNodes | null {
  const maker = (name = "") => makers.get(name);
  const reader = (name = "") => nodes.find(({ inputs }) => inputs.includes(name));
  const [scored, masking] = maker(softmax.inputs[0])?.inputs ?? [];
  const scores = maker(scored);
  const context = reader(softmax.outputs[0]);
  const merged = reader(reader(context?.outputs[0])?.outputs[0]);
  if (scores?.type !== "FusedMatMul" || context?.type !== "MatMul" || merged?.type !== "Reshape") return null;
  const projections = [scores.inputs[0], scores.inputs[1], context.inputs[1]].flatMap((name) => {
    const order = maker(name);
    const split = maker(order?.inputs[0]);
    return order?.type === "Transpose" && split?.type === "Reshape" && isHeads(order) ? [split.outputs[0]!] : [];
  });
  const [q, k, v] = projections;
  const { alpha } = scores.attributes;
  const masked = maskingOf(masking, makers);
  if (!q || !k || !v || masked === null || typeof alpha !== "object" || !("float" in alpha)) return null;
  return { splits: [q, k, v], scale: alpha.float, ...masked, merged };
}

/** The mask behind what is added to scores, and the position bias in it; null where it is another's. */
function maskingOf(
  name: string | undefined,
  makers: ReadonlyMap<string, OnnxNode>,
): Pick<AttentionNodes, "mask" | "bias"> | null {
  const mask = maskBehind(name, makers);
  if (mask !== null) return { mask, bias: "" };
  const { type, inputs } = makers.get(name ?? "") ?? { type: "", inputs: [] };
  const masks = inputs.map((input) => maskBehind(input, makers));
  const at = masks.findIndex((found) => found !== null);
  // one of the two is the mask; two masks, as one of near tokens, are another form
  if (type !== "Add" || at < 0 || masks[1 - at] !== null) return null;
  return { mask: masks[at]!, bias: inputs[1 - at]! };
}

/** Whether a transpose takes `[B, S, H, K]` to `[B, H, S, K]`. */
function isHeads({ attributes }: OnnxNode): boolean {
  const { perm } = attributes;
  return Array.isArray(perm) && perm.join() === "0,2,1,3";
}

/** What an additive mask `(1 − mask) · least` was cast from; null where it is another's. */
function maskBehind(name: string | undefined, makers: ReadonlyMap<string, OnnxNode>): string | null {
  const { type, inputs } = makers.get(name ?? "") ?? { type: "", inputs: [] };
  if (type === "Cast") return inputs[0]!;
  const behind = { Reshape: inputs.slice(0, 1), Mul: inputs, Sub: inputs }[type] ?? [];
  return behind.map((input) => maskBehind(input, makers)).find((found) => found !== null) ?? null;
}

const nodeOf = (
  name: string,
  type: string,
  inputs: readonly string[],
  output: string,
  attributes: OnnxNode["attributes"] = {},
  domain = "",
): OnnxNode => ({ name: `${name}/${type}`, type, domain, inputs, outputs: [output], attributes });

function headAttention({ splits, merged, scale, mask, bias }: AttentionNodes, numHeads: number): OnnxNode[] {
  const { name, inputs, outputs } = merged;
  const heads = `${outputs[0]}:heads`;
  const attributes = { num_heads: numHeads, scale: { float: scale }, mask_filter_value: { float: MASKED } };
  const rows = splits.map((split) => nodeOf(split, "Reshape", [split, ROWS], `${split}:rows`));
  const fed = [...splits.map((split) => `${split}:rows`), "", int32Of(mask), ...(bias === "" ? [] : [bias])];
  return [
    ...rows,
    nodeOf(name, "MultiHeadAttention", fed, heads, attributes, MICROSOFT),
    { ...merged, inputs: [heads, inputs[1]!] },
  ];
}

/** Nodes that some output needs. */
export function withoutDead(nodes: readonly OnnxNode[], outputs: readonly string[]): OnnxNode[] {
  const needed = new Set(outputs);
  const kept: OnnxNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    for (const name of node.inputs) needed.add(name);
    kept.push(node);
  }
  return kept.reverse();
}
