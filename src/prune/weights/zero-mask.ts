// Which elements of a weight become zero: one bit an element, laid over the weight when it is read.
import type { Tensor, Weight } from "../../tensor/index.ts";

/** The elements that become zero, by row-major index. */
export class ZeroMask {
  readonly size: number;
  readonly #bits: Uint8Array;
  #count = 0;

  constructor(size: number) {
    this.size = size;
    this.#bits = new Uint8Array(Math.ceil(size / 8));
  }

  /** How many become zero. */
  get count(): number {
    return this.#count;
  }

  add(index: number): void {
    if (this.has(index)) return;
    this.#bits[index >> 3]! |= 1 << (index & 7);
    this.#count++;
  }

  has(index: number): boolean {
    return ((this.#bits[index >> 3]! >> (index & 7)) & 1) === 1;
  }

  /** A copy of `tensor`, of any dtype, with exact zeros at the mask. */
  applyTo({ dtype, shape, data }: Tensor): Tensor {
    const kept = data.slice();
    const zero = kept instanceof BigInt64Array || kept instanceof BigUint64Array ? 0n : 0;
    for (let i = 0; i < this.size; i++) if (this.has(i)) (kept as Uint8Array)[i] = zero as number;
    return { dtype, shape, data: kept };
  }
}

/** A weight whose numbers have the mask's zeros when they are read. */
export function maskedWeight(weight: Weight, mask: ZeroMask): Weight {
  return { dtype: weight.dtype, shape: weight.shape, read: async () => mask.applyTo(await weight.read()) };
}

/** How many elements of a tensor are exactly zero. */
export function zeroCount({ data }: Tensor): number {
  let zeros = 0;
  // both 16-bit formats have two zeros: all bits off but the sign's
  const isBits = data instanceof Uint16Array;
  for (let i = 0; i < data.length; i++) if (isBits ? (Number(data[i]) & 0x7fff) === 0 : Number(data[i]) === 0) zeros++;
  return zeros;
}
