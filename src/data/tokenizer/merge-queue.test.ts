// The queue of merges: as a sorted list gives them, with comparisons that grow with the word.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { MergeQueue } from "./merge-queue.ts";

test("gives the lowest rank first, and of equals the leftmost, whatever comes between", () => {
  const doing = fc.array(fc.option(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 30 }))));
  fc.assert(
    fc.property(doing, (steps) => {
      const queue = new MergeQueue();
      const waiting: { rank: number; at: number }[] = [];
      for (const step of [...steps, ...steps.map(() => null)]) {
        if (step === null) {
          waiting.sort((a, b) => a.rank - b.rank || a.at - b.at);
          expect(queue.pop()).toEqual(waiting.shift());
          continue;
        }
        const [rank, at] = step;
        queue.push(rank, at);
        waiting.push({ rank, at });
      }
    }),
    { numRuns: 500, seed: 2 },
  );
});

/** Comparisons for a word of equal letters, whose pairs are merged to ever longer tokens. */
function stepsFor(length: number): number {
  const queue = new MergeQueue();
  for (let at = 0; at + 1 < length; at++) queue.push(0, at);
  for (let next = queue.pop(); next !== undefined; next = queue.pop())
    if (next.rank < 8 && next.at % 2 ** (next.rank + 1) === 0) queue.push(next.rank + 1, next.at);
  return queue.steps;
}

test("takes comparisons that grow with the word", () => {
  expect(stepsFor(80_000)).toBeLessThan(4.2 * stepsFor(20_000) + 100);
});

test("takes few comparisons for a word of many kinds of pairs", () => {
  const of = (length: number) => {
    const queue = new MergeQueue();
    for (let at = 0; at < length; at++) queue.push((at * 7919) % 500, at);
    while (queue.pop() !== undefined);
    return queue.steps;
  };
  expect(of(80_000)).toBeLessThan(4.2 * of(20_000));
});
