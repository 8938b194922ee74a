// Collects what was compared: every deviation beyond its tolerance, and the largest of each quantity.
import type { Tensor } from "../../src/tensor/index.ts";

interface Allowed {
  readonly absolute?: number;
  readonly ofLargest?: number;
  readonly rootMeanSquare?: boolean;
  /** Times PyTorch's own rounding that is allowed besides; 4 where not said. */
  readonly noiseFactor?: number;
}

/**
 * How far a number of ours may be from PyTorch's. `noise` is how far PyTorch's own float32 is from its float64:
 * no float32 engine can be asked to be nearer than a few times that.
 */
export const PARITY = {
  /** |Δ| of a logit. */
  logits: { absolute: 1e-4 },
  /** |Δ| of an activation after the MLP's nonlinearity. */
  activation: { absolute: 1e-4 },
  /** |Δ| of a loss at the start. */
  loss: { absolute: 1e-5 },
  /** |Δ| of a gradient's entry, of its largest entry. */
  gradient: { ofLargest: 1e-4 },
  /**
   * The same with ε = 1e-7, where the density gradient is so steep near 0 that PyTorch's float32 itself is off its
   * float64 by up to 1e-3. Two engines that round apart are up to 21 times as far from one another (measured; on a processor without AVX-512).
   */
  steepGradient: { ofLargest: 1e-4, noiseFactor: 32 },
  /** |g| of a gradient that is 0 but for rounding, as of key biases. */
  zeroGradient: { absolute: 3e-7 },
  /** |Δ| of a loss on the way of 20 steps. */
  trainingLoss: { absolute: 1e-4 },
  /**
   * |Δ| of a gradient norm on the way, of the norm. Nearly all are within 1e-4; a ReLU that meets its kink at a step is on here and off there, which
   * moves the norm of that step by up to 4.4e-4 (a T5 over NF4 at step 17, on a processor without AVX-512).
   */
  gradNorm: { ofLargest: 1e-3 },
  /**
   * Root mean square of Δ over a trained parameter's entries, of its largest entry. Most are far below; beyond are
   * columns of dead neurons, and an adapter whose ReLU meets 3e-8 at step 4 and is on here and off there.
   */
  final: { ofLargest: 2e-4, rootMeanSquare: true },
  /**
   * |Δ| of a trained parameter's entry, of all learning rates added up: Adam divides by the size of a gradient, so an
   * entry whose gradients are little more than rounding wanders.
   */
  finalEntry: { ofLargest: 0.25 },
  /** The same where every entry's gradient is nothing but rounding. */
  zeroGradientEntry: { ofLargest: 1 },
  /** |Δ| of a learning rate, of the rate. */
  learningRate: { ofLargest: 1e-12 },
} as const satisfies Record<string, Allowed>;

export type Quantity = keyof typeof PARITY;

interface Largest {
  deviation: number;
  at: string;
  compared: number;
  /** Compared numbers that only PyTorch's own rounding excuses. */
  excused: number;
}

/** What was compared so far. */
export class Comparison {
  /** One line for each thing that is too far off. */
  readonly problems: string[] = [];
  readonly #largest = new Map<Quantity, Largest>();
  /** Counts of activations: those compared, and how many differ within the record's doubtful entries. */
  readonly counts = { compared: 0, different: 0, doubtful: 0, beyond: 0 };

  /** Notes that two sets of names are the same. */
  sameNames(where: string, got: Iterable<string>, expected: Iterable<string>): void {
    const [ours, theirs] = [new Set(got), new Set(expected)];
    for (const name of theirs) if (!ours.has(name)) this.problems.push(`${where}: ${name} is missing`);
    for (const name of ours) if (!theirs.has(name)) this.problems.push(`${where}: ${name} is one too many`);
  }

  /** Compares one number. */
  number(quantity: Quantity, where: string, got: number, expected: number, noise = 0): void {
    this.numbers(quantity, where, [got], [expected], noise);
  }

  /** Compares one tensor, shape and numbers. */
  tensor(quantity: Quantity, where: string, got: Tensor | undefined, expected: Tensor, noise = 0): void {
    if (got?.shape.join() !== expected.shape.join()) {
      this.problems.push(`${where}: expected shape [${expected.shape.join()}], got [${got?.shape.join()}]`);
      return;
    }
    this.numbers(quantity, where, got.data as Float32Array, expected.data as Float32Array, noise);
  }

  numbers(quantity: Quantity, where: string, got: ArrayLike<number>, expected: ArrayLike<number>, noise: number): void {
    const { absolute = 0, ofLargest = 0, rootMeanSquare = false, noiseFactor = 4 }: Allowed = PARITY[quantity];
    const gaps = Float64Array.from(expected, (want, i) => Math.abs(got[i]! - want));
    const size = largestOf(expected);
    const deviation = rootMeanSquare
      ? Math.sqrt(gaps.reduce((sum, gap) => sum + gap * gap, 0) / gaps.length)
      : largestOf(gaps);
    const allowed = absolute + ofLargest * size;
    const isClose = deviation <= allowed;
    const isExcused = !isClose && deviation <= noiseFactor * noise;
    this.#note(quantity, where, ofLargest > 0 ? deviation / size : deviation, isExcused);
    if (got.length === expected.length && (isClose || isExcused)) return;
    this.problems.push(
      `${where}: ${quantity} off by ${deviation.toExponential(2)} of ${size.toExponential(2)}, ` +
        `allowed ${allowed.toExponential(2)}, PyTorch itself ${noise.toExponential(2)}`,
    );
  }

  /** Compares one count; `doubtful` entries may fall on either side. */
  count(where: string, got: number, expected: number, doubtful: number): void {
    const gap = Math.abs(got - expected);
    this.counts.compared++;
    if (gap > 0) this.counts.different++;
    this.counts.doubtful += doubtful;
    if (gap <= doubtful) return;
    this.counts.beyond++;
    this.problems.push(`${where}: expected ${expected} give or take ${doubtful}, got ${got}`);
  }

  /** The largest deviation of each quantity, as lines of a table. */
  table(): string {
    const rows = [...this.#largest].map(
      ([quantity, { deviation, at, compared, excused }]) =>
        `${quantity.padEnd(14)} ${deviation.toExponential(2).padStart(9)}  ${compared} compared, ${excused} by PyTorch's rounding  (${at})`,
    );
    const { compared, different, doubtful, beyond } = this.counts;
    rows.push(`counts         ${different} of ${compared} differ, ${beyond} beyond the ${doubtful} doubtful entries`);
    return rows.join("\n");
  }

  #note(quantity: Quantity, where: string, deviation: number, isExcused: boolean): void {
    const known = this.#largest.get(quantity) ?? { deviation: 0, at: "", compared: 0, excused: 0 };
    known.compared++;
    if (isExcused) known.excused++;
    else if (deviation > known.deviation) {
      known.deviation = deviation;
      known.at = where;
    }
    this.#largest.set(quantity, known);
  }
}

/** The largest magnitude; NaN when there is one. */
export function largestOf(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]!);
    if (size > largest || Number.isNaN(size)) largest = size;
  }
  return largest;
}
