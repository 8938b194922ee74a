// Device tensors of backends whose programs read and write the host's memory.
import type { Tensor } from "../tensor/index.ts";
import type { DeviceTensor } from "./backend.ts";

/** A device tensor that is a host tensor: placing and reading it copy nothing. */
export class HostTensor implements DeviceTensor {
  readonly #tensor: Tensor;

  constructor(tensor: Tensor) {
    this.#tensor = tensor;
  }

  get dtype(): Tensor["dtype"] {
    return this.#tensor.dtype;
  }

  get shape(): Tensor["shape"] {
    return this.#tensor.shape;
  }

  async read(): Promise<Tensor> {
    return this.#tensor;
  }

  async write({ data }: Tensor): Promise<void> {
    // both arrays have the dtype's type, which the union of typed arrays cannot express
    (this.#tensor.data as Float32Array).set(data as Float32Array);
  }

  async dispose(): Promise<void> {}

  /** The memory of a tensor that is fed or written to; undefined for another backend's. */
  static memoryOf(tensor: Tensor | DeviceTensor): Tensor | undefined {
    if (tensor instanceof HostTensor) return tensor.#tensor;
    return "data" in tensor ? tensor : undefined;
  }
}
