// Cases of what a graph begins with: inputs, parameters, constants, sizes.
import fc from "fast-check";
import { dimension, iota } from "../../../src/graph/index.ts";
import type { DType } from "../../../src/tensor/index.ts";
import { make, toTensor } from "../../support/numbers.ts";
import { cases, domainOf, normal, shape } from "../case.ts";

const anyDtype = fc.constantFrom<DType>("float32", "float16", "float64", "int64", "int32", "uint32", "uint8", "bool");
const size = fc.constantFrom("B", "S", "B*S", "B*S+2*S+1", "S+-1", 0, 1, 4);
const staticShape = fc.array(fc.constantFrom(0, 1, 2, 3), { maxLength: 3 });

export const declarations = {
  input: cases(
    fc.record({ dtype: anyDtype, shape: shape() }).map(({ dtype, shape }) => ({
      label: "input",
      inputs: [{ shape, dtype, domain: domainOf(dtype) }],
      build: (xs) => xs,
      tolerance: "f16Rounding",
    })),
  ),
  parameter: cases(
    fc
      .record({ shape: staticShape, as: fc.constantFrom("trainable" as const, "frozen" as const) })
      .map(({ shape, as }) => ({
        label: "parameter",
        inputs: [{ shape, dtype: "float32", domain: normal, as }],
        build: (xs) => xs,
      })),
  ),
  constant: cases(
    fc.record({ dtype: anyDtype, shape: staticShape, first: fc.nat(5) }).map(({ dtype, shape, first }) => ({
      label: "constant",
      inputs: [],
      build: (_, graph) => {
        let next = first;
        return [
          graph.constant(
            toTensor(
              dtype,
              make(shape, () => (dtype === "bool" ? next++ % 2 : next++)),
            ),
          ),
        ];
      },
      gradient: "stops",
    })),
  ),
  dimension: cases(
    size.map((dim) => ({
      label: `dimension ${dim}`,
      inputs: [],
      build: (_, graph) => [dimension(graph, dim)],
      gradient: "stops",
    })),
  ),
  iota: cases(
    size.map((length) => ({
      label: `iota ${length}`,
      inputs: [],
      build: (_, graph) => [iota(graph, length)],
      gradient: "stops",
    })),
  ),
};
