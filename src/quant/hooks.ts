// Stored matrices as middleware of the forward pass: where a layer asks for its weight, it gets the restored one.
import { add, cast, dequantize, type Graph, gather, mul, pad, reshape, slice, type Value } from "../graph/index.ts";
import type { Hooks } from "../nn/index.ts";
import { tensor } from "../tensor/index.ts";
import { type MatrixLayout, partTypes } from "./matrix.ts";
import { NESTED_BLOCK, NESTED_LEVELS } from "./nested.ts";

/**
 * Hooks for a base whose matrices, by parameter name, are stored as `layouts` says: the graph asks for
 * `<name>.codes` and the other parts instead of `<name>`. A weight that a method trains is left as it is.
 */
export function quantizedHooks(layouts: ReadonlyMap<string, MatrixLayout>): Hooks {
  return {
    weight(site, stored) {
      const name = `${site.path}.weight`;
      const layout = layouts.get(name);
      if (!layout || isTrainable(stored)) return stored;
      return site.at(() => restored(site.graph, name, layout));
    },
  };
}

function restored(graph: Graph, name: string, layout: MatrixLayout): Value {
  const parts = new Map(
    Array.from(partTypes(layout), ([part, { dtype, shape }]) => [
      part,
      graph.parameter(`${name}.${part}`, shape, { dtype }),
    ]),
  );
  const part = (key: string) => parts.get(key)!;
  const scales = layout.format !== "nf4" ? part("scales") : layout.nested ? unnested(part) : part("absmax");
  return dequantize(part("codes"), scales, layout.format, layout.shape);
}

/** `levels[absmax] · nested_absmax + nested_offset`: `[blocks]`. */
function unnested(part: (key: string) => Value): Value {
  const codes = part("absmax");
  const nested = part("nested_absmax");
  const count = Number(codes.shape[0]);
  const blocks = Number(nested.shape[0]);
  const levels = codes.graph.constant(tensor("float32", [NESTED_LEVELS.length], NESTED_LEVELS));
  const rest = blocks * NESTED_BLOCK - count;
  const flat = gather(levels, cast(codes, "int32"));
  const whole = rest === 0 ? flat : pad(flat, 0, 0, rest);
  const scaled = mul(reshape(whole, [blocks, NESTED_BLOCK]), reshape(nested, [blocks, 1]));
  const scales = reshape(scaled, [blocks * NESTED_BLOCK]);
  return add(rest === 0 ? scales : slice(scales, 0, 0, count), part("nested_offset"));
}

const isTrainable = ({ node }: Value): boolean => "trainable" in node.attributes && node.attributes.trainable === true;
