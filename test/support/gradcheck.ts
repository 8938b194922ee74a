// Gradients by central differences of the float64 reference, to hold against autodiff's.
import type { Value } from "../../src/graph/index.ts";
import { interpreter, type NaiveFeeds, type Sizes } from "./naive.ts";
import type { Numbers } from "./numbers.ts";

/** Half the distance between the two points: error ~ h² of the function, ~1e-16/h of rounding. */
const STEP = 1e-5;

/** `∂loss/∂name` for each name, `(f(x + h) − f(x − h)) / 2h` element by element. */
export function centralDifferences(loss: Value, names: readonly string[], feeds: NaiveFeeds, sizes: Sizes): Numbers[] {
  const run = interpreter([loss]);
  return names.map((name) => {
    const { shape, data } = feeds.get(name)!;
    const moved = Float64Array.from(data);
    const around = new Map(feeds).set(name, { shape, data: moved });
    const at = (i: number, value: number) => {
      moved[i] = value;
      return run(around, sizes)[0]!.data[0]!;
    };
    const slopes = data.map((x, i) => {
      const slope = (at(i, x + STEP) - at(i, x - STEP)) / (2 * STEP);
      moved[i] = x;
      return slope;
    });
    return { shape, data: slopes };
  });
}
