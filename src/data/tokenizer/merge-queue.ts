// The order in which pairs of a word are merged, found in time that grows with the word.

/** A merge that is due: its rank, and the place in the word. */
export interface DueMerge {
  readonly rank: number;
  readonly at: number;
}

/**
 * Merges by rank, and from the left where ranks are equal.
 *
 * Places wait by rank. Ranks are as many as a vocabulary has merges, however long the word is; places of one rank come nearly in order, as words
 * are read from the left.
 */
export class MergeQueue {
  readonly #places = new Map<number, Places>();
  readonly #ranks = new Heap();
  #stepsOfDone = 0;

  push(rank: number, at: number): void {
    let places = this.#places.get(rank);
    if (places === undefined) {
      places = new Places();
      this.#places.set(rank, places);
      this.#ranks.push(rank);
    }
    places.push(at);
  }

  pop(): DueMerge | undefined {
    const rank = this.#ranks.top;
    if (rank === undefined) return undefined;
    const places = this.#places.get(rank)!;
    const at = places.pop();
    if (places.isEmpty) {
      this.#ranks.pop();
      this.#stepsOfDone += places.steps;
      this.#places.delete(rank);
    }
    return { rank, at };
  }

  /** Comparisons that were made so far; sorting is the engine's. */
  get steps(): number {
    let steps = this.#ranks.steps + this.#stepsOfDone;
    for (const places of this.#places.values()) steps += places.steps;
    return steps;
  }
}

/** Places of one rank: those that came before the first was asked for, in order, and those that came later. */
class Places {
  #first: number[] = [];
  #isOrdered = true;
  #next = -1;
  readonly #late = new Heap();

  push(at: number): void {
    if (this.#next >= 0) {
      this.#late.push(at);
      return;
    }
    if (this.#first.length > 0 && this.#first.at(-1)! > at) this.#isOrdered = false;
    this.#first.push(at);
  }

  pop(): number {
    if (this.#next < 0) {
      this.#next = 0;
      if (!this.#isOrdered) this.#first = Array.from(Int32Array.from(this.#first).sort());
    }
    const [next, late] = [this.#first[this.#next], this.#late.top];
    if (next === undefined || (late !== undefined && late < next)) return this.#late.pop()!;
    this.#next++;
    return next;
  }

  get isEmpty(): boolean {
    return this.#next >= this.#first.length && this.#late.top === undefined;
  }

  get steps(): number {
    return this.#late.steps;
  }
}

/** The least of some numbers: a binary heap. */
class Heap {
  readonly #heap: number[] = [];
  steps = 0;

  get top(): number | undefined {
    return this.#heap[0];
  }

  push(value: number): void {
    const heap = this.#heap;
    let at = heap.push(value) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      this.steps++;
      if (heap[parent]! <= value) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = value;
  }

  pop(): number | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      this.steps++;
      if (child >= heap.length || heap[child]! >= last) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
