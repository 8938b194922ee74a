// Memory for what stages hand on: used again as soon as nobody reads it, so that a pass allocates what it needs at once.
import { evaluateDim, isOp, type Shape, type Value } from "../../graph/index.ts";
import { type DType, elementBytes, elementCount, type Tensor, wrap } from "../../tensor/index.ts";

/** Freed buffers, smallest first. */
export class BufferPool {
  readonly #free: ArrayBuffer[] = [];

  /** A tensor of any content. */
  take(dtype: DType, shape: readonly number[]): Tensor {
    const length = elementCount(shape);
    const byteLength = length * elementBytes(dtype);
    const fitting = this.#free.findIndex((buffer) => buffer.byteLength >= byteLength);
    // a freed one that is too small goes: no more live than were ever in use at once
    const buffer = fitting >= 0 ? this.#free.splice(fitting, 1)[0]! : this.#replace(byteLength);
    return { dtype, shape, data: wrap(dtype, buffer, 0, length) };
  }

  /** Gives a tensor's memory back; nobody may read it any more. */
  give({ data }: Tensor): void {
    const buffer = data.buffer as ArrayBuffer;
    const at = this.#free.findIndex((other) => other.byteLength >= buffer.byteLength);
    this.#free.splice(at < 0 ? this.#free.length : at, 0, buffer);
  }

  #replace(byteLength: number): ArrayBuffer {
    this.#free.pop();
    return new ArrayBuffer(byteLength);
  }
}

/** The sizes that a batch gives the open dimensions of a graph's inputs. */
export function openSizes(inputs: readonly Value[], fed: Readonly<Record<string, Tensor>>): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { node, shape } of inputs) {
    const actual = isOp(node, "input") ? fed[node.attributes.name]?.shape : undefined;
    if (!actual) continue;
    shape.forEach((dim, axis) => {
      if (typeof dim === "string") sizes.set(dim, actual[axis]!);
    });
  }
  return sizes;
}

/** A shape in numbers. */
export function closedShape(shape: Shape, sizes: ReadonlyMap<string, number>): number[] {
  return shape.map((dim) => evaluateDim(dim, sizes));
}
