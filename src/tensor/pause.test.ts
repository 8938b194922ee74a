import { describe, expect, test } from "vitest";
import { createPause, inTurn } from "./pause.ts";

/** Keeps the thread as a loop's round does. */
function work(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe("a loop that pauses", () => {
  test("lets a timer in before it ends", async () => {
    let isDone = false;
    let wasLetIn = false;
    setTimeout(() => {
      wasLetIn = !isDone;
    }, 0);
    const pause = createPause();
    for (let round = 0; round < 4; round++) {
      await pause();
      work(60);
    }
    isDone = true;
    expect(wasLetIn).toBe(true);
  });

  test("gives nothing to wait for before its time, and counts anew behind a pause", async () => {
    const pause = createPause();
    expect(pause()).toBeUndefined();
    work(110);
    const waited = pause();
    expect(waited).toBeInstanceOf(Promise);
    await waited;
    expect(pause()).toBeUndefined();
  });
});

test("items are made one after another, in their order", async () => {
  let open = 0;
  const made = await inTurn([3, 1, 2], async (item, index) => {
    expect(++open).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, item));
    open--;
    return [index, item];
  });
  expect(made).toEqual([
    [0, 3],
    [1, 1],
    [2, 2],
  ]);
});
