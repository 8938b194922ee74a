// A graph as text: one line a node, stable short names, for snapshots and for people.
import { printShape } from "./dim.ts";
import { isOp } from "./graph.ts";
import type { Node, Value } from "./value.ts";
import { reachable } from "./verify.ts";

/**
 * What the outputs need, one line a node: `c: float32[B, 4] = add(a, b) @ site`.
 * Names are a, b, … in order, so that a change of construction order alone does not show.
 */
export function printGraph(outputs: Readonly<Record<string, Value>>): string {
  const names = new Map<Value, string>();
  const lines: string[] = [];
  for (const node of reachable(Object.values(outputs))) {
    const left = node.outputs.map((value) => {
      names.set(value, shortName(names.size));
      return `${names.get(value)}: ${value.dtype}${printShape(value.shape)}`;
    });
    const inputs = node.inputs.map((value) => names.get(value)!);
    lines.push(
      `${left.join(", ")} = ${node.op}(${[...inputs, ...attributes(node)].join(", ")})${node.site ? ` @ ${node.site}` : ""}`,
    );
  }
  for (const [name, value] of Object.entries(outputs)) lines.push(`return ${name} = ${names.get(value)}`);
  return lines.join("\n");
}

function attributes(node: Node): string[] {
  if (isOp(node, "constant")) {
    const { data } = node.attributes.tensor;
    const shown = Array.from(data.slice(0, 4) as ArrayLike<number | bigint>, (v) =>
      typeof v === "bigint" ? `${v}` : String(Number(v.toPrecision(6))),
    );
    return [data.length > 4 ? `${shown.join(" ")} …` : shown.join(" ")];
  }
  return Object.entries(node.attributes).map(
    ([key, value]) => `${key}=${Array.isArray(value) ? `[${value.join(", ")}]` : String(value)}`,
  );
}

function shortName(index: number): string {
  const letter = String.fromCharCode(97 + (index % 26));
  return index < 26 ? letter : shortName(Math.floor(index / 26) - 1) + letter;
}
