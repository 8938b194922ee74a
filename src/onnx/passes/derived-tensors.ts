// Tensors of a model that is being rewritten: what is made of weights' numbers is made when it is first read.

import type { DType, TypedArray } from "../../tensor/index.ts";
import type { OnnxTensor } from "../model.ts";
import { bytesOf, type StoredModel, unreadTensor } from "./external-data.ts";

type Made = Readonly<Record<string, TypedArray>>;

/** A model's tensors, to which new ones are added. */
export class DerivedTensors {
  readonly tensors: Map<string, OnnxTensor>;
  readonly stored: Map<string, () => Promise<Uint8Array>>;
  /** What was made last: tensors of one making are written one after the other. */
  #last: { readonly key: string; readonly made: Promise<Made> } | null = null;

  constructor({ tensors, stored }: StoredModel) {
    this.tensors = new Map(tensors);
    this.stored = new Map(stored);
  }

  /** Adds a tensor that is known now. */
  set(name: string, tensor: OnnxTensor): void {
    this.tensors.set(name, tensor);
  }

  /** The numbers of a float32 tensor. */
  async floats(name: string): Promise<Float32Array> {
    const bytes = (await this.stored.get(name)?.()) ?? (this.tensors.get(name)!.data as Uint8Array);
    if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    return new Float32Array(bytes.slice().buffer);
  }

  /** Adds `owner:part` for each of `parts`; all are made when the first is read. */
  derive(
    owner: string,
    parts: Readonly<Record<string, readonly [DType, readonly number[]]>>,
    make: () => Promise<Made>,
  ): void {
    const key = `${owner}:${Object.keys(parts).join()}`;
    const made = () => {
      if (this.#last?.key !== key) this.#last = { key, made: make() };
      return this.#last.made;
    };
    for (const [part, [dtype, shape]] of Object.entries(parts)) {
      this.tensors.set(`${owner}:${part}`, unreadTensor(dtype, shape));
      this.stored.set(`${owner}:${part}`, async () => bytesOf((await made())[part]!));
    }
  }
}
