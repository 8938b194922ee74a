// Dropout's masks: their rate, their independence, and that forward and backward see the same one.
import { describe, expect, test } from "vitest";
import { backward } from "../../src/autodiff/index.ts";
import { Graph, mul, reduceSum } from "../../src/graph/index.ts";
import { dropout, Scope } from "../../src/nn/index.ts";
import type { Backend, Program } from "../../src/runtime/index.ts";
import { float32, randomStream, type Tensor } from "../../src/tensor/index.ts";
import { backends } from "../support/backends.ts";

const ROWS = 384;
const COLUMNS = 256;
const cpu = backends[0]!;

/** A program that gives `dropout(x)` at a site, and its gradient for the cotangent `w`. */
function compile(backend: Backend, { rate = 0.1, site = "layer.0", name = "dropout" } = {}): Promise<Program> {
  const graph = new Graph();
  const [x, w] = ["x", "w"].map((input) => graph.input(input, "float32", ["B", "S", COLUMNS]));
  const root = Scope.root(graph, { noise: { seed: graph.input("seed", "uint32", []) } });
  const y = dropout(root.child(site), x!, rate, name);
  const [dx] = backward(reduceSum(mul(y, w!)), [x!]);
  return backend.compile({ y, dx: dx! });
}

async function run(program: Program, seed: number, x: Tensor = filled(1), w: Tensor = filled(1)) {
  const { y, dx } = await program.run({
    x,
    w,
    seed: { dtype: "uint32", shape: [], data: Uint32Array.of(seed) },
  });
  return { y: y!.data as Float32Array, dx: dx!.data as Float32Array };
}

const SHAPE = [4, ROWS / 4, COLUMNS];
const filled = (value: number): Tensor => float32(SHAPE, new Float32Array(ROWS * COLUMNS).fill(value));
const drawn = (key: string): Tensor => {
  const random = randomStream(7, key);
  return float32(
    SHAPE,
    Float32Array.from({ length: ROWS * COLUMNS }, () => random.uniform() + 0.5),
  );
};

/** 1 where dropped, 0 where kept. */
const droppedIn = (y: Float32Array): Float64Array => Float64Array.from(y, (v) => (v === 0 ? 1 : 0));

/** Standardised: mean 0 and variance 1 where elements are dropped with probability `rate`. */
const standard = (dropped: Float64Array, rate: number): Float64Array =>
  dropped.map((d) => (d - rate) / Math.sqrt(rate * (1 - rate)));

async function maskOf(seed: number, options: Parameters<typeof compile>[1] = {}): Promise<Float64Array> {
  const program = await compile(cpu, options);
  const { y } = await run(program, seed);
  await program.dispose();
  return droppedIn(y);
}

/** Of `n` independent standard terms: their sum over √n, near-normal. */
const score = (terms: Float64Array): number => terms.reduce((a, b) => a + b, 0) / Math.sqrt(terms.length);

const product = (a: Float64Array, b: Float64Array): Float64Array => a.map((v, i) => v * b[i]!);

/** `z[i]` holds row i. */
const rowsOf = (z: Float64Array): Float64Array[] =>
  Array.from({ length: ROWS }, (_, i) => z.subarray(i * COLUMNS, (i + 1) * COLUMNS));
const columnsOf = (z: Float64Array): Float64Array[] =>
  Array.from({ length: COLUMNS }, (_, j) => Float64Array.from({ length: ROWS }, (_, i) => z[i * COLUMNS + j]!));

/** The scores of all pairs of lines: each is standard normal where the two are independent. */
function pairScores(lines: readonly Float64Array[]): number[] {
  return lines.flatMap((line, i) => lines.slice(i + 1).map((other) => dot(line, other) / Math.sqrt(line.length)));
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

const meanSquare = (scores: readonly number[]): number => scores.reduce((sum, z) => sum + z * z, 0) / scores.length;
const worst = (scores: readonly number[]): number => scores.reduce((max, z) => Math.max(max, Math.abs(z)), 0);

/** Products over the corners of every 2×2 rectangle, added up: 0 in the mean, of variance one a rectangle. */
function rectangleScore(z: Float64Array): number {
  const rows = rowsOf(z);
  const squares = rows.map((row) => row.map((v) => v * v));
  let sum = 0;
  for (let i = 0; i < ROWS; i++) {
    for (let k = i + 1; k < ROWS; k++) {
      // over pairs of columns: Σ b_j b_l = ((Σ b)² − Σ b²) / 2, with b the product of the two rows
      sum += (dot(rows[i]!, rows[k]!) ** 2 - dot(squares[i]!, squares[k]!)) / 2;
    }
  }
  return sum / Math.sqrt((ROWS * (ROWS - 1) * COLUMNS * (COLUMNS - 1)) / 4);
}

describe.each([0.1, 0.5])("masks at rate %f", (rate) => {
  test("drop that share, in every row and column", async () => {
    for (const seed of [1, 2, 0xdeadbeef]) {
      const z = standard(await maskOf(seed, { rate }), rate);
      expect(Math.abs(score(z)), `seed ${seed}`).toBeLessThan(4);
      for (const lines of [rowsOf(z), columnsOf(z)]) {
        const scores = lines.map(score);
        expect(worst(scores), `seed ${seed}`).toBeLessThan(5);
        // the mean of n squares of standard normals is 1 ± √(2/n)
        expect(Math.abs(meanSquare(scores) - 1), `seed ${seed}`).toBeLessThan(5 * Math.sqrt(2 / lines.length));
      }
    }
  });

  test("have uncorrelated rows, columns and rectangles", async () => {
    for (const seed of [3, 0x12345678]) {
      const z = standard(await maskOf(seed, { rate }), rate);
      for (const lines of [rowsOf(z), columnsOf(z)]) {
        const scores = pairScores(lines);
        // 7e4 pairs: beyond 6.5 is less likely than 1e-5, were they normal
        expect(worst(scores), `seed ${seed}`).toBeLessThan(6.5);
        expect(Math.abs(meanSquare(scores) - 1), `seed ${seed}`).toBeLessThan(0.02);
      }
      expect(Math.abs(rectangleScore(z)), `seed ${seed}`).toBeLessThan(4);
    }
  });
});

test("the rectangles would show a mask whose rows and columns are drawn apart", () => {
  const random = randomStream(1, "apart");
  const [rows, columns] = [ROWS, COLUMNS].map((length) => Array.from({ length }, () => random.integer(2)));
  const apart = Float64Array.from({ length: ROWS * COLUMNS }, (_, i) => {
    return rows![Math.floor(i / COLUMNS)]! ^ columns![i % COLUMNS]!;
  });
  expect(Math.abs(rectangleScore(standard(apart, 0.5)))).toBeGreaterThan(1e3);
});

test("one seed gives one mask, another seed, site or name an independent one", async () => {
  const mask = await maskOf(5);
  expect(await maskOf(5)).toEqual(mask);
  const z = standard(mask, 0.1);
  const others = [
    await maskOf(6),
    await maskOf(5 + 2 ** 31),
    await maskOf(5, { site: "layer.1" }),
    await maskOf(5, { name: "lora_dropout" }),
  ];
  for (const other of others) expect(Math.abs(score(product(z, standard(other, 0.1))))).toBeLessThan(4);
});

test("kept elements are scaled, dropped ones 0, on every backend alike", async () => {
  const x = drawn("x");
  const [first, ...rest] = await Promise.all(
    backends.map(async (backend) => {
      const program = await compile(backend);
      const { y } = await run(program, 11, x);
      await program.dispose();
      return y;
    }),
  );
  const scale = Math.fround(1 / 0.9);
  const kept = first!.map((y, i) => (y === 0 ? 0 : y - Number(x.data[i]) * scale));
  expect(worst([...kept])).toBeLessThan(1e-6);
  for (const other of rest) expect(droppedIn(other)).toEqual(droppedIn(first!));
});

test("the gradient passes where the value did", async () => {
  const program = await compile(cpu);
  const [x, w] = [drawn("x"), drawn("w")];
  const { y, dx } = await run(program, 13, x, w);
  await program.dispose();
  const gaps = y.map((value, i) => dx[i]! - (value / Number(x.data[i])) * Number(w.data[i]));
  expect(worst([...gaps])).toBeLessThan(1e-5);
});

test("without noise, or at rate 0, there is none", () => {
  const graph = new Graph();
  const x = graph.input("x", "float32", ["B"]);
  expect(dropout(Scope.root(graph), x, 0.5)).toBe(x);
  expect(dropout(Scope.root(graph, { noise: { seed: graph.input("seed", "uint32", []) } }), x, 0)).toBe(x);
});
