// Long loops on the host let other work in: signals, timers, a page's clicks.

/** How long a loop may keep the thread, in milliseconds. */
const LONGEST_MS = 100;

/**
 * What a loop awaits each round, from now on: nothing while it has had the thread for less than 100 ms, else one turn of everything
 * else that waits. The rounds themselves must be short.
 */
export function createPause(): () => Promise<void> | undefined {
  let since = performance.now();
  return () =>
    performance.now() - since < LONGEST_MS ? undefined : turn().then(() => void (since = performance.now()));
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** `make` of each item, one after another, so that no two need memory at a time. */
export async function inTurn<T, R>(
  items: readonly T[],
  make: (item: T, index: number) => R | Promise<R>,
): Promise<R[]> {
  const made: R[] = [];
  for (const [index, item] of items.entries()) made.push(await make(item, index));
  return made;
}
