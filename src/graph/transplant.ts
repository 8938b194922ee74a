// A part of one graph made again in another, cut off where values are given: how a large graph becomes several programs.
import { invariant } from "../errors.ts";
import { type Graph, isOp } from "./graph.ts";
import type { Node, Value } from "./value.ts";

/**
 * `outputs` again in the graph `into`, site by site. Of what they are made of, a value in `given` is not made again: what
 * it is mapped to, a value of `into` with the same dtype and shape, stands in its place. Inputs and parameters keep their names.
 */
export function transplant(
  outputs: readonly Value[],
  into: Graph,
  given: ReadonlyMap<Value, Value> = new Map(),
): Value[] {
  const made = new Map<Value, Value>(given);
  for (const node of neededNodes(outputs, given)) {
    const inputs = node.inputs.map((input) => made.get(input)!);
    const results = into.at(node.site, () => remake(node, inputs, into));
    // one output of a node may be given while another is needed
    node.outputs.forEach((output, i) => {
      if (!made.has(output)) made.set(output, results[i]!);
    });
  }
  return outputs.map((output) => made.get(output)!);
}

function remake(node: Node, inputs: readonly Value[], into: Graph): readonly Value[] {
  invariant(node.copyOf === null, `${node.op} at ${node.site} is work done twice: transplant before differentiating`);
  const { dtype, shape } = node.outputs[0]!;
  if (isOp(node, "input")) return [into.input(node.attributes.name, dtype, shape)];
  if (isOp(node, "parameter")) {
    const { name, trainable } = node.attributes;
    return [into.parameter(name, shape, { dtype, trainable })];
  }
  return into.apply(node.op, inputs, node.attributes, node.outputs);
}

/** The nodes behind `outputs` up to the given values, in topological order. */
function neededNodes(outputs: readonly Value[], given: ReadonlyMap<Value, Value>): Node[] {
  const needed = new Set<Node>();
  const open = [...outputs];
  for (let value = open.pop(); value; value = open.pop()) {
    if (given.has(value) || needed.has(value.node)) continue;
    needed.add(value.node);
    open.push(...value.node.inputs);
  }
  return [...needed].sort((a, b) => a.id - b.id);
}
