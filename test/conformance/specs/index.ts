// Cases for every op, in a table no op can be missing from.
import type fc from "fast-check";
import type { Op } from "../../../src/graph/index.ts";
import type { Case } from "../case.ts";
import { contraction } from "./contraction.ts";
import { declarations } from "./declarations.ts";
import { elementwise } from "./elementwise.ts";
import { movement } from "./movement.ts";

export const specs: { readonly [O in Op]: fc.Arbitrary<Case> } = {
  ...declarations,
  ...elementwise,
  ...movement,
  ...contraction,
};

/** The table's rows, split over test files so that they run side by side. */
export function specsWhere(keep: (op: Op) => boolean): [Op, fc.Arbitrary<Case>][] {
  return (Object.entries(specs) as [Op, fc.Arbitrary<Case>][]).filter(([op]) => keep(op));
}

export const isElementwise = (op: Op): boolean => op in elementwise;
