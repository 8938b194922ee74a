// What a model gives is checked where it is read: NaN is never a result.
import { NotFiniteError } from "../errors.ts";
import { firstNotFinite, type TypedArray } from "../tensor/index.ts";

/** @throws {NotFiniteError} where a number from `start` on, before `end`, is NaN or infinite. */
export function requireFinite(what: string, data: TypedArray, start = 0, end = data.length): void {
  const at = firstNotFinite(data, start, end);
  if (at >= 0) throw new NotFiniteError(what, Number(data[at]));
}
