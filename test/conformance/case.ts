// One application of an op with shapes and dtypes drawn at random, and the pieces it is drawn from.
import fc from "fast-check";
import type { Dim, Graph, Shape, Value } from "../../src/graph/index.ts";
import type { DType, Random } from "../../src/tensor/index.ts";
import type { ToleranceName } from "../support/close.ts";
import type { Sizes } from "../support/naive.ts";

/** Draws one number of an input; the sizes of the run are known. */
export type Domain = (random: Random, sizes: Sizes) => number;

export interface CaseInput {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly domain: Domain;
  /** How the graph declares it: fed by default, else a parameter. */
  readonly as?: "input" | "trainable" | "frozen";
}

export interface Case {
  readonly label: string;
  readonly inputs: readonly CaseInput[];
  readonly build: (xs: readonly Value[], graph: Graph) => readonly Value[];
  readonly tolerance: ToleranceName;
  /** "stops" where no gradient flows by the op's nature. */
  readonly gradient: "flows" | "stops";
  readonly seed: number;
}

/** A case's spec; the rest has defaults. */
export interface Draft {
  readonly label: string;
  readonly inputs: readonly CaseInput[];
  readonly build: Case["build"];
  readonly tolerance?: ToleranceName;
  readonly gradient?: "flows" | "stops";
}

/** Each program runs at all of these, so that one graph serves every size; S is never 0, B is once. */
export const SIZES: readonly Sizes[] = [
  new Map([
    ["B", 2],
    ["S", 3],
  ]),
  new Map([
    ["B", 1],
    ["S", 1],
  ]),
  new Map([
    ["B", 0],
    ["S", 2],
  ]),
];

/** A case by the draft's facts; printed as its label when a property fails. */
export function cases(draft: fc.Arbitrary<Draft>): fc.Arbitrary<Case> {
  return fc.tuple(draft, fc.nat(1e6)).map(([drafted, seed]) => {
    const inputs = drafted.inputs.map(({ dtype, shape, as = "" }) => `${as}${dtype}[${shape.join(", ")}]`).join(" · ");
    const label = `${drafted.label}(${inputs}) #${seed}`;
    const made: Case = { tolerance: "exact", gradient: "flows", ...drafted, seed, label };
    return Object.defineProperty(made, fc.toStringMethod, { value: () => label });
  });
}

/** Sizes that are never empty. */
export const fullDim: fc.Arbitrary<Dim> = fc.constantFrom<Dim>(1, 2, 3, "S");

/** Any size: 0 and named ones among them. */
export const dim: fc.Arbitrary<Dim> = fc.oneof(
  { arbitrary: fc.constantFrom<Dim>(1, 2, 3, 3), weight: 5 },
  { arbitrary: fc.constantFrom<Dim>("B", "S"), weight: 4 },
  { arbitrary: fc.constant<Dim>(0), weight: 1 },
);

/** Ranks from `least` to `most`, the middle ones oftenest; most properties of shapes need two axes or more. */
function ranks(least: number, most: number): fc.Arbitrary<number> {
  return fc.constantFrom(...[0, 1, 1, 2, 2, 2, 3, 3].filter((rank) => rank >= least && rank <= most));
}

/** A shape of `least` to `most` axes, 3 at most. */
export const shape = (least = 0, most = 3, size = dim): fc.Arbitrary<Shape> =>
  ranks(least, most).chain((rank) => fc.tuple(...Array.from({ length: rank }, () => size)));

/** A shape that broadcasts to `full`: leading axes left out, others 1. */
export function narrowed(full: Shape): fc.Arbitrary<Shape> {
  const dropped = fc.oneof(fc.constant(0), fc.nat(full.length));
  return fc
    .tuple(dropped, ...full.map(() => fc.boolean()))
    .map(([from, ...ones]) => full.map((size, i) => (ones[i] ? 1 : size)).slice(from));
}

/** `count` shapes that broadcast with one another: some whole, some narrower. */
export function broadcastable(count: number): fc.Arbitrary<readonly Shape[]> {
  return shape().chain((full) =>
    fc.tuple(...Array.from({ length: count }, () => fc.oneof(fc.constant(full), narrowed(full)))),
  );
}

/** A shape and one of its axes, from the front or from the back. */
export function withAxis(shapes: fc.Arbitrary<Shape>): fc.Arbitrary<{ shape: Shape; axis: number }> {
  return shapes.chain((shape) =>
    fc.integer({ min: -shape.length, max: shape.length - 1 }).map((axis) => ({ shape, axis })),
  );
}

/** Smooth ground: [-2, 2). */
export const normal: Domain = (random) => Math.fround(random.uniform() * 4 - 2);
/** Away from 0, where log, division and powers are tame. */
export const positive: Domain = (random) => Math.fround(0.3 + random.uniform() * 2);
/** Quarters plus `shift`: no two grids meet, so kinks and ties stay farther off than a difference step. */
export const grid =
  (shift: number): Domain =>
  (random) =>
    Math.fround(random.integer(16) / 4 - 2 + shift);
export const integers: Domain = (random) => random.integer(11) - 5;
export const naturals: Domain = (random) => 1 + random.integer(40);
export const bits: Domain = (random) => random.integer(2 ** 31) * 2 + random.integer(2);
export const truth: Domain = (random) => random.integer(2);

/** Numbers for a dtype where any will do. */
export function domainOf(dtype: DType): Domain {
  if (dtype === "bool") return truth;
  if (dtype.startsWith("u")) return naturals;
  return dtype.includes("float") ? normal : integers;
}

/** Mostly float32, sometimes float64. */
export const floats: fc.Arbitrary<DType> = fc.constantFrom<DType>("float32", "float32", "float32", "float64");
export const numbers: fc.Arbitrary<DType> = fc.constantFrom<DType>("float32", "float32", "float64", "int64", "int32");
/** What ops that only move data take. */
export const stored: fc.Arbitrary<DType> = fc.constantFrom<DType>("float32", "float32", "float32", "int64", "bool");
