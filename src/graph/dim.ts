// Dimensions known at once: numbers, or polynomials over named sizes such as `B*S` or `S+60`.
import { ShapeError } from "../errors.ts";

/**
 * A size: a number, or the canonical text of a polynomial over names (`"B"`, `"B*S"`, `"S+60"`).
 * Equal sizes have equal text, so `===` compares them.
 */
export type Dim = number | string;
export type Shape = readonly Dim[];

type Polynomial = ReadonlyMap<string, number>;

const NAME = /^[A-Za-z_]\w*$/;
const parsed = new Map<string, Polynomial>();

/**
 * A size in its canonical text, so that `"S*B"` and `"B*S"` are one.
 * @throws {ShapeError} when it is neither a whole number ≥ 0 nor a polynomial over names.
 */
export function canonicalDim(dim: Dim): Dim {
  if (typeof dim === "string") return NAME.test(dim) ? dim : print(parse(dim));
  if (!Number.isSafeInteger(dim) || dim < 0) throw new ShapeError("dim", "a whole number from 0 up", [`${dim}`]);
  return dim;
}

/** The sum of two sizes. */
export function addDims(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a + b;
  const sum = new Map(parse(a));
  for (const [monomial, factor] of parse(b)) sum.set(monomial, (sum.get(monomial) ?? 0) + factor);
  return print(sum);
}

/** `a − b`. */
export function subtractDims(a: Dim, b: Dim): Dim {
  return addDims(a, multiplyDims(-1, b));
}

/** The product of two sizes. */
export function multiplyDims(a: Dim, b: Dim): Dim {
  // + 0 turns −0 into 0
  if (typeof a === "number" && typeof b === "number") return a * b + 0;
  const product = new Map<string, number>();
  for (const [ma, fa] of parse(a)) {
    for (const [mb, fb] of parse(b)) {
      const monomial = [...ma.split("*"), ...mb.split("*")]
        .filter((name) => name !== "")
        .sort()
        .join("*");
      product.set(monomial, (product.get(monomial) ?? 0) + fa * fb);
    }
  }
  return print(product);
}

/** The number of elements of a shape. */
export function shapeSize(shape: Shape): Dim {
  return shape.reduce<Dim>((size, dim) => multiplyDims(size, dim), 1);
}

/** A size as a sum of terms `factor · names`, for emission. */
export function dimTerms(dim: Dim): readonly { readonly factor: number; readonly names: readonly string[] }[] {
  return Array.from(parse(dim), ([monomial, factor]) => ({
    factor,
    names: monomial === "" ? [] : monomial.split("*"),
  }));
}

/** The value of a size once its names are bound. */
export function evaluateDim(dim: Dim, sizes: ReadonlyMap<string, number>): number {
  if (typeof dim === "number") return dim;
  let total = 0;
  for (const { factor, names } of dimTerms(dim)) {
    let term = factor;
    for (const name of names) {
      const size = sizes.get(name);
      if (size === undefined) throw new ShapeError("evaluateDim", `a size for ${name}`, [[...sizes.keys()].join(", ")]);
      term *= size;
    }
    total += term;
  }
  return total;
}

/** `[B, S, 768]`. */
export function printShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Whether two shapes have equal sizes, axis by axis. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/**
 * The shape both broadcast to, by NumPy's rule; a named size meets only itself or 1.
 * @throws {ShapeError} when they do not broadcast.
 */
export function broadcastShapes(op: string, a: Shape, b: Shape, site = ""): Shape {
  const rank = Math.max(a.length, b.length);
  const out: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError(op, "shapes that broadcast", [printShape(a), printShape(b)], site);
    }
    out.push(x === 1 ? y : x);
  }
  return out;
}

/** An axis counted from the front; negative axes count from the back. */
export function normalizeAxis(op: string, axis: number, rank: number, site = ""): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(normal) || normal < 0 || normal >= rank) {
    throw new ShapeError(op, `an axis of a rank-${rank} value`, [`${axis}`], site);
  }
  return normal;
}

function parse(dim: Dim): Polynomial {
  if (typeof dim === "number") return new Map(dim === 0 ? [] : [["", dim]]);
  const known = parsed.get(dim);
  if (known) return known;
  const terms = new Map<string, number>();
  for (const term of dim.split("+")) {
    let factor = 1;
    const names: string[] = [];
    for (const part of term.split("*")) {
      if (/^-?\d+$/.test(part)) factor *= Number(part);
      else if (NAME.test(part)) names.push(part);
      else throw new ShapeError("dim", "a number or a name such as B or B*S", [dim]);
    }
    const monomial = names.sort().join("*");
    terms.set(monomial, (terms.get(monomial) ?? 0) + factor);
  }
  parsed.set(dim, terms);
  return terms;
}

function print(terms: Polynomial): Dim {
  const kept = [...terms]
    .filter(([, factor]) => factor !== 0)
    .sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1));
  if (kept.length === 0) return 0;
  if (kept.length === 1 && kept[0]![0] === "") return kept[0]![1];
  return kept
    .map(([monomial, factor]) => (monomial === "" ? `${factor}` : factor === 1 ? monomial : `${factor}*${monomial}`))
    .join("+");
}
