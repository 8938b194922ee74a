// Holds cases against the reference: many in one program, on every backend, at several sizes.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backward } from "../../src/autodiff/index.ts";
import { GradientError } from "../../src/errors.ts";
import { add, evaluateDim, Graph, mul, reduceSum, type Value, verify } from "../../src/graph/index.ts";
import { memoryWeights, randomStream, type Tensor } from "../../src/tensor/index.ts";
import { backends } from "../support/backends.ts";
import { difference } from "../support/close.ts";
import { centralDifferences } from "../support/gradcheck.ts";
import { evaluate, type NaiveFeeds, type Sizes } from "../support/naive.ts";
import { fromTensor, make, type Numbers, toTensor } from "../support/numbers.ts";
import { type Case, type Domain, normal, SIZES } from "./case.ts";

/** One test a spec: random cases, a program's worth at a time. */
export function conform(specs: Iterable<readonly [string, fc.Arbitrary<Case>]>): void {
  describe.each([...specs])("%s", (_, spec) => {
    it("agrees with the reference and with central differences on every backend", async () => {
      const programs = fc.array(spec, { minLength: 1, maxLength: 32, size: "max" });
      await fc.assert(fc.asyncProperty(programs, check), { seed: 2402, numRuns: 5, unbiased: true });
    });
  });
}

interface Built {
  readonly case: Case;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly loss: Value | null;
  readonly targets: readonly Value[];
  readonly gradients: readonly Value[];
}

/** Throws what differs, for all cases, backends and sizes. */
async function check(cases: readonly Case[]): Promise<void> {
  const graph = new Graph();
  const anchor = reduceSum(graph.input("anchor", "float32", ["B", "S"]));
  const built = cases.map((one, i) => buildCase(graph, one, i));
  const outputs: Record<string, Value> = { "anchor.sum": anchor };
  built.forEach((one, i) => {
    one.outputs.forEach((y, k) => {
      outputs[`${i}.y${k}`] = y;
    });
    one.gradients.forEach((dx, k) => {
      outputs[`${i}.d${k}`] = dx;
    });
  });
  verify(Object.values(outputs));
  const drawn = SIZES.map((sizes) => draw(built, sizes));
  const expected = SIZES.map((sizes, at) => built.map((one) => reference(one, drawn[at]!.naive, sizes)));
  for (const backend of backends) {
    // frozen parameters have one shape for all sizes, and the same numbers
    const program = await backend.compile(outputs, { weights: memoryWeights(drawn[0]!.tensors) });
    for (const [at, sizes] of SIZES.entries()) {
      const got = await program.run(Object.fromEntries([...drawn[at]!.tensors, anchorFeed(sizes)]));
      const place = `${backend.name} at ${[...sizes].map(([name, size]) => `${name}=${size}`).join(", ")}`;
      const wrong = built.flatMap((one, i) => compare(one, expected[at]![i]!, i, got));
      expect(wrong, place).toEqual([]);
    }
    await program.dispose();
  }
}

function buildCase(graph: Graph, one: Case, i: number): Built {
  const inputs = one.inputs.map(({ shape, dtype, as = "input" }, k) => {
    const name = `${i}.x${k}`;
    return as === "input"
      ? graph.input(name, dtype, shape)
      : graph.parameter(name, shape, { dtype, trainable: as === "trainable" });
  });
  const outputs = one.build(inputs, graph);
  const loss = weightedSum(graph, outputs, i);
  const targets = inputs.filter((x) => isFloat(x));
  if (loss && targets.length > 0 && one.gradient === "flows") {
    return { case: one, inputs, outputs, loss, targets, gradients: backward(loss, targets) };
  }
  if (loss && targets.length > 0) expect(() => backward(loss, targets), one.label).toThrow(GradientError);
  return { case: one, inputs, outputs, loss: null, targets: [], gradients: [] };
}

const isFloat = (x: Value): boolean => x.dtype === "float32" || x.dtype === "float64";

/** `Σ w·y` over the float outputs of the first one's dtype; every third case takes `Σ y`, whose cotangent is one number. */
function weightedSum(graph: Graph, outputs: readonly Value[], i: number): Value | null {
  const first = outputs.find(isFloat);
  const terms = outputs.flatMap((y, k) => {
    if (y.dtype !== first?.dtype) return [];
    return [reduceSum(i % 3 === 2 ? y : mul(y, graph.input(`${i}.w${k}`, y.dtype, y.shape)))];
  });
  return terms.length === 0 ? null : terms.reduce((a, b) => add(a, b));
}

interface Drawn {
  readonly naive: Map<string, Numbers>;
  readonly tensors: Map<string, Tensor>;
}

/** Numbers for every input, parameter and weight of the sums, one stream each. */
function draw(built: readonly Built[], sizes: Sizes): Drawn {
  const naive = new Map<string, Numbers>();
  const tensors = new Map<string, Tensor>();
  const fill = (name: string, value: Value, one: Case, domain: Domain) => {
    const random = randomStream(one.seed, name.slice(name.indexOf(".")));
    const lengths = value.shape.map((dim) => evaluateDim(dim, sizes));
    naive.set(
      name,
      make(lengths, () => domain(random, sizes)),
    );
    tensors.set(name, toTensor(value.dtype, naive.get(name)!));
  };
  built.forEach(({ case: one, inputs, outputs }, i) => {
    for (const [k, x] of inputs.entries()) fill(`${i}.x${k}`, x, one, one.inputs[k]!.domain);
    for (const [k, y] of outputs.entries()) if (isFloat(y)) fill(`${i}.w${k}`, y, one, normal);
  });
  return { naive, tensors };
}

const anchorFeed = (sizes: Sizes) =>
  [
    "anchor",
    toTensor(
      "float32",
      make([sizes.get("B")!, sizes.get("S")!], () => 0),
    ),
  ] as const;

interface Expected {
  readonly outputs: readonly Numbers[];
  readonly gradients: readonly Numbers[];
}

function reference({ outputs, loss, targets }: Built, feeds: NaiveFeeds, sizes: Sizes): Expected {
  const names = targets.map((x) => (x.node.attributes as { name: string }).name);
  return {
    outputs: evaluate(outputs, feeds, sizes),
    gradients: loss ? centralDifferences(loss, names, feeds, sizes) : [],
  };
}

function compare(one: Built, expected: Expected, i: number, got: Readonly<Record<string, Tensor>>): string[] {
  const { label, tolerance } = one.case;
  const lines = expected.outputs.map((want, k) => {
    const found = difference(fromTensor(got[`${i}.y${k}`]!), want, tolerance);
    return found && `${label} output ${k}: ${found}`;
  });
  const gradientLines = expected.gradients.map((want, k) => {
    const found = difference(fromTensor(got[`${i}.d${k}`]!), want, "f32Gradient");
    return found && `${label} gradient of ${k}: ${found}`;
  });
  return [...lines, ...gradientLines].filter((line) => line !== null);
}
