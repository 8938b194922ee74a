// Reverse-mode differentiation: new values in the same graph, only on paths from the targets to the loss.
import { GradientError, ShapeError } from "../errors.ts";
import { add, describe, expand, type Node, type Op, reachable, sameShape, type Value } from "../graph/index.ts";
import { restoredNodes } from "./recompute.ts";
import { type Rule, rules } from "./rules.ts";

export interface BackwardOptions {
  /**
   * Forward nodes whose results the gradients compute again instead of reading: memory for time. Frozen matrices that
   * are stored in few bits are always restored again, so that no more than one is whole at a time.
   * @see Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost.
   */
  readonly recompute?: (node: Node) => boolean;
}

/**
 * The gradients of a scalar `loss` with respect to each value of `wrt`, in the same graph.
 * @throws {ShapeError} when the loss is not a scalar of a float dtype.
 * @throws {GradientError} when the loss does not depend on a target, naming all such targets.
 * @see Griewank & Walther, Evaluating Derivatives (2008), ch. 3: reverse mode.
 */
export function backward(
  loss: Value,
  wrt: readonly Value[],
  { recompute = () => false }: BackwardOptions = {},
): Value[] {
  if (loss.shape.length !== 0 || !loss.dtype.startsWith("float")) {
    throw new ShapeError("backward", "a scalar loss of a float dtype", [describe(loss)], loss.node.site);
  }
  const order = reachable([loss]);
  const onPath = nodesOnPath(order, wrt);
  const restored = restoredNodes(order);
  const again = (node: Node) => restored.has(node) || recompute(node);
  const cotangents = new Map<Value, Value>([[loss, loss.graph.scalar(1, loss.dtype)]]);
  for (const node of [...order].reverse()) {
    if (!onPath.has(node) || node.inputs.length === 0) continue;
    if (node.outputs.every((output) => !cotangents.has(output))) continue;
    const needs = (i: number) => onPath.has(node.inputs[i]!.node);
    const dxs = loss.graph.at(`${node.site}/grad`, () => {
      const lazy = keepsLazy(node, needs);
      const dys = node.outputs.map((output) => {
        const dy = cotangents.get(output);
        return dy && !lazy ? expand(dy, output.shape) : (dy ?? null);
      });
      return vjp(rematerialized(node, again), dys, needs);
    });
    node.inputs.forEach((input, i) => {
      const dx = dxs[i];
      if (!dx || !needs(i)) return;
      const before = cotangents.get(input);
      cotangents.set(input, before ? loss.graph.at(`${input.node.site}/grad`, () => add(before, dx)) : dx);
    });
  }
  return collect(wrt, cotangents);
}

/** The node as its rule is to see it: results that are not to be kept are made again. */
function rematerialized(node: Node, recompute: (node: Node) => boolean): Node {
  const { graph } = node.outputs[0]!;
  const made = new Map<Node, Node>();
  const again = (value: Value): Value => {
    if (value.node.inputs.length === 0 || !recompute(value.node)) return value;
    let copy = made.get(value.node);
    if (!copy) {
      copy = graph.copy(value.node, value.node.inputs.map(again));
      made.set(value.node, copy);
    }
    return copy.outputs[value.index]!;
  };
  return { ...node, inputs: node.inputs.map(again), outputs: node.outputs.map(again) };
}

/**
 * A cotangent may stay smaller than its value (the gradient of a sum is one number) through ops that work on each
 * element alone; it is repeated in memory only where an op needs the whole.
 */
function keepsLazy(node: Node, needs: (i: number) => boolean): boolean {
  const { shape } = node.outputs[0]!;
  return ELEMENTWISE.has(node.op) && node.inputs.every((input, i) => !needs(i) || sameShape(input.shape, shape));
}

const ELEMENTWISE: ReadonlySet<Op> = new Set<Op>([
  "neg",
  "exp",
  "log",
  "sqrt",
  "reciprocal",
  "abs",
  "tanh",
  "erf",
  "sigmoid",
  "relu",
  "sin",
  "cos",
  "gelu",
  "geluTanh",
  "cast",
  "add",
  "sub",
  "mul",
  "div",
  "pow",
  "max",
  "min",
  "where",
]);

function vjp(node: Node, dys: readonly (Value | null)[], needs: (i: number) => boolean): readonly (Value | null)[] {
  // the table pairs each op with a rule for that op's node
  return (rules[node.op] as Rule<Op>)(node, dys, needs);
}

/** Nodes with a target among their ancestors, or that make a target. */
function nodesOnPath(order: readonly Node[], wrt: readonly Value[]): ReadonlySet<Node> {
  const targets = new Set(wrt.map((value) => value.node));
  const onPath = new Set<Node>();
  for (const node of order) {
    if (targets.has(node) || node.inputs.some((input) => onPath.has(input.node))) onPath.add(node);
  }
  return onPath;
}

function collect(wrt: readonly Value[], cotangents: ReadonlyMap<Value, Value>): Value[] {
  const missing = wrt.filter((value) => !cotangents.has(value));
  if (missing.length > 0) {
    const names = missing.map((v) =>
      "name" in v.node.attributes ? String(v.node.attributes.name) : `${v.node.op}#${v.id}`,
    );
    throw new GradientError(
      "backward",
      "",
      `expected a loss that depends on every target, got none for ${names.join(", ")}`,
    );
  }
  return wrt.map((value) => expand(cotangents.get(value)!, value.shape));
}
