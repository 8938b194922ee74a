// What a legal graph is; run after every build in tests and before every emission.
import { GraphError } from "../errors.ts";
import type { Dim } from "./dim.ts";
import { isOp } from "./graph.ts";
import type { Node, Value } from "./value.ts";

/** The nodes the outputs need, in topological order: everything else is dead. */
export function reachable(outputs: readonly Value[]): Node[] {
  const seen = new Set<Node>();
  const stack = outputs.map((value) => value.node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const input of node.inputs) stack.push(input.node);
  }
  // a node is made after its inputs, so creation order is topological
  return [...seen].sort((a, b) => a.id - b.id);
}

/**
 * Checks what the outputs need: one graph, inputs made before their readers, every named size bound by an input or
 * counted by a `nonzero` before it, unique names.
 * @throws {GraphError} with every fault.
 */
export function verify(outputs: readonly Value[]): void {
  const issues: string[] = [];
  const graph = outputs[0]?.graph;
  if (outputs.some((value) => value.graph !== graph)) issues.push("outputs of different graphs");
  const nodes = reachable(outputs);
  const bound = new Set<string>();
  const counted = new Set<string>();
  const names = new Map<string, Node>();
  for (const node of nodes) {
    for (const input of node.inputs) if (input.node.id >= node.id) issues.push(`${label(node)}: reads a later node`);
    if (isOp(node, "input") || isOp(node, "parameter")) {
      const { name } = node.attributes;
      if (names.has(name)) issues.push(`${label(node)}: a second ${name}`);
      names.set(name, node);
    }
    if (isOp(node, "nonzero") && node.copyOf === null) {
      const { size } = node.attributes;
      if (counted.has(size)) issues.push(`${label(node)}: a second size ${size}`);
      counted.add(size);
    }
    if (isOp(node, "input")) for (const dim of node.outputs[0]!.shape) if (typeof dim === "string") bound.add(dim);
  }
  for (const size of counted) {
    if (bound.has(size)) issues.push(`size ${size}: an input has an axis of a size that is counted`);
    bound.add(size);
  }
  const unbound = new Set<string>();
  for (const node of nodes) {
    for (const name of sizeNames(node)) if (!bound.has(name)) unbound.add(name);
  }
  for (const name of unbound) issues.push(`size ${name}: no input has an axis of exactly this size`);
  if (issues.length > 0) throw new GraphError(issues);
}

/** The names of every size the node speaks of: those of its outputs, and those its attributes hold. */
export function sizeNames(node: Node): ReadonlySet<string> {
  const sizes: Dim[] = node.outputs.flatMap((output) => output.shape);
  if (isOp(node, "dimension")) sizes.push(node.attributes.dim);
  if (isOp(node, "slice")) sizes.push(node.attributes.start, node.attributes.length);
  if (isOp(node, "pad")) sizes.push(node.attributes.before, node.attributes.after);
  return new Set(sizes.flatMap(namesOf));
}

function namesOf(dim: Dim): string[] {
  return typeof dim === "number" ? [] : (dim.match(/[A-Za-z_]\w*/g) ?? []);
}

function label(node: Node): string {
  return `${node.op}#${node.id}${node.site ? ` at ${node.site}` : ""}`;
}
