// Symbolic sizes inside an ONNX graph: read once from an input's shape, combined by integer ops.
import { type Dim, dimTerms, type Shape } from "../graph/index.ts";
import type { Builder } from "./builder.ts";

/** Emits int64 tensors of rank 1 that hold sizes. */
export class SizeEmitter {
  readonly #builder: Builder;
  /** Where each named size can be read: an input's ONNX name and axis. */
  readonly #sources: ReadonlyMap<string, { readonly input: string; readonly axis: number }>;
  readonly #known = new Map<string, string>();

  constructor(builder: Builder, sources: ReadonlyMap<string, { readonly input: string; readonly axis: number }>) {
    this.#builder = builder;
    this.#sources = sources;
  }

  /** The ONNX name of a `[1]` int64 tensor with the size. */
  size(dim: Dim): string {
    if (typeof dim === "number") return this.#builder.int64s([dim]);
    return this.#once(`dim:${dim}`, () => {
      const terms = dimTerms(dim).map(({ factor, names }) => {
        const factors = names.map((name) => this.#named(name));
        if (factor !== 1 || factors.length === 0) factors.push(this.#builder.int64s([factor]));
        return factors.reduce((a, b) => this.#builder.node("Mul", [a, b]));
      });
      return terms.reduce((a, b) => this.#builder.node("Add", [a, b]));
    });
  }

  /** The ONNX name of a `[rank]` int64 tensor with the shape; 0 and −1 never appear as codes. */
  shape(shape: Shape): string {
    if (shape.every((dim) => typeof dim === "number")) return this.#builder.int64s(shape as readonly number[]);
    return this.#once(`shape:${shape.join(",")}`, () =>
      shape.length === 1
        ? this.size(shape[0]!)
        : this.#builder.node(
            "Concat",
            shape.map((dim) => this.size(dim)),
            { axis: 0 },
          ),
    );
  }

  #named(name: string): string {
    return this.#once(`name:${name}`, () => {
      const source = this.#sources.get(name)!;
      return this.#builder.node("Shape", [source.input], { start: source.axis, end: source.axis + 1 });
    });
  }

  #once(key: string, make: () => string): string {
    let name = this.#known.get(key);
    if (name === undefined) {
      name = make();
      this.#known.set(key, name);
    }
    return name;
  }
}
