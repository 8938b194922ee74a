// AdamW and the schedules against torch's and transformers' float64 values.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Graph } from "../../src/graph/index.ts";
import { adamw, biasCorrections, learningRateAt, type Schedule } from "../../src/optim/index.ts";
import { evaluate } from "../support/naive.ts";
import type { Numbers } from "../support/numbers.ts";

interface Golden {
  readonly adamw: readonly {
    readonly options: {
      readonly learningRate: number;
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly weightDecay: number;
    };
    readonly start: readonly number[];
    readonly gradients: readonly (readonly number[])[];
    readonly after: readonly (readonly number[])[];
  }[];
  readonly schedules: readonly (Schedule & { readonly rates: readonly number[] })[];
}

const golden = JSON.parse(readFileSync("test/golden/optim.json", "utf8")) as Golden;
const numbers = (values: readonly number[]): Numbers => ({
  shape: [values.length],
  data: Float64Array.from(values),
});

/** The state after each step, evaluated in float64. */
function trajectory({ options, start, gradients }: Golden["adamw"][number]): number[][] {
  const graph = new Graph();
  const input = (name: string, shape = [start.length]) => graph.input(name, "float64", shape);
  const state = { m: input("m"), v: input("v") };
  const scalar = (name: string) => input(name, []);
  const next = adamw(input("p"), input("g"), state, {
    ...options,
    learningRate: scalar("rate"),
    correction1: scalar("correction1"),
    correction2: scalar("correction2"),
  });
  let [p, m, v] = [start, start.map(() => 0), start.map(() => 0)].map(numbers) as [Numbers, Numbers, Numbers];
  return gradients.map((gradient, step) => {
    const corrections = Object.entries({ rate: options.learningRate, ...biasCorrections(step + 1, options) });
    const feeds = new Map<string, Numbers>([
      ["p", p],
      ["g", numbers(gradient)],
      ["m", m],
      ["v", v],
      ...corrections.map(([name, value]) => [name, { shape: [], data: Float64Array.of(value) }] as const),
    ]);
    [p, m, v] = evaluate([next.parameter, next.m, next.v], feeds, new Map()) as [Numbers, Numbers, Numbers];
    return [...p.data];
  });
}

describe("AdamW as torch.optim.AdamW", () => {
  test.each(golden.adamw)("$options", (reference) => {
    trajectory(reference).forEach((got, step) => {
      got.forEach((value, i) => {
        const want = reference.after[step]![i]!;
        expect(Math.abs(value - want), `step ${step}, entry ${i}`).toBeLessThan(1e-14 + 1e-12 * Math.abs(want));
      });
    });
  });
});

describe("schedules as transformers'", () => {
  test.each(golden.schedules)("$name, $warmupSteps of $totalSteps steps warm-up", ({ rates, ...schedule }) => {
    rates.forEach((want, step) => {
      expect(Math.abs(learningRateAt(schedule, step) - want), `step ${step}`).toBeLessThan(1e-18);
    });
  });
});
