// The owner of nodes: interns pure applications, so that equal work exists once, and remembers where each came from.
import { GraphError, invariant, ShapeError } from "../errors.ts";
import { allocate, type DType, float32ToFloat16, type Tensor, type TypedArray, tensor } from "../tensor/index.ts";
import { canonicalDim, type Shape } from "./dim.ts";
import { checkDtypes } from "./dtypes.ts";
import type { Node, Op, OpAttributes, Value } from "./value.ts";

/** What an op gives: dtype and shape of each output. */
export interface OutputType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A symbolic computation. It holds no weights: parameters are names with shapes. */
export class Graph {
  readonly #nodes: Node[] = [];
  readonly #interned = new Map<string, Node>();
  readonly #named = new Map<string, Node>();
  readonly #identities = new WeakMap<object, number>();
  #site = "";
  #values = 0;
  #identityCount = 0;

  /** All nodes in the order they were made, which is a topological order. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /** The site new nodes belong to. */
  get site(): string {
    return this.#site;
  }

  /** Runs `build` with new nodes belonging to `site`. */
  at<T>(site: string, build: () => T): T {
    const before = this.#site;
    this.#site = site;
    try {
      return build();
    } finally {
      this.#site = before;
    }
  }

  /** A value fed at each run. */
  input(name: string, dtype: DType, shape: Shape): Value {
    return this.#declare("input", { name }, { dtype, shape });
  }

  /** A named tensor of the model: frozen ones become initializers, trainable ones are fed. */
  parameter(name: string, shape: Shape, { dtype = "float32" as DType, trainable = false } = {}): Value {
    return this.#declare("parameter", { name, trainable }, { dtype, shape });
  }

  /** A small fixed tensor. */
  constant(value: Tensor): Value {
    return this.apply("constant", [], { tensor: value }, [{ dtype: value.dtype, shape: value.shape }])[0]!;
  }

  /**
   * A fixed number as a tensor of rank 0.
   * @throws {ShapeError} when an integer dtype cannot hold the number.
   */
  scalar(value: number, dtype: DType = "float32"): Value {
    return this.constant(tensor(dtype, [], scalarData(value, dtype, this.#site)));
  }

  /** The node for `op`, made or found. Only op constructors call this; they have checked and inferred already. */
  apply<O extends Op>(
    op: O,
    inputs: readonly Value[],
    attributes: OpAttributes[O],
    outputs: readonly OutputType[],
  ): readonly Value[] {
    for (const value of inputs) {
      if (value.graph !== this) throw new GraphError([`${op}: an input belongs to another graph`]);
    }
    checkDtypes(op, inputs, this.#site);
    const key = `${op}(${inputs.map((v) => v.id).join(",")})${this.#attributeKey(attributes)}`;
    const known = this.#interned.get(key);
    if (known) return known.outputs;
    const node = this.#add(op, inputs, attributes, outputs);
    this.#interned.set(key, node);
    return node.outputs;
  }

  /**
   * The node again, over `inputs` that hold the same numbers: work done twice on purpose, so that its first results
   * need not be kept. One copy for the same inputs.
   */
  copy(node: Node, inputs: readonly Value[]): Node {
    const key = `copy of ${node.id}(${inputs.map((v) => v.id).join(",")})`;
    let copy = this.#interned.get(key);
    if (!copy) {
      copy = this.#add(node.op, inputs, node.attributes, node.outputs, node.copyOf ?? node.id);
      this.#interned.set(key, copy);
    }
    return copy;
  }

  #declare(
    op: "input" | "parameter",
    attributes: OpAttributes["input"] | OpAttributes["parameter"],
    { dtype, shape }: OutputType,
  ): Value {
    const key = attributes.name;
    const type = { dtype, shape: shape.map(canonicalDim) };
    const known = this.#named.get(key);
    if (known) {
      const value = known.outputs[0]!;
      const same = known.op === op && value.dtype === type.dtype && value.shape.join() === type.shape.join();
      if (!same || JSON.stringify(known.attributes) !== JSON.stringify(attributes)) {
        throw new ShapeError(
          op,
          `${key} declared once, or alike`,
          [`[${value.shape.join(", ")}]`, `[${type.shape.join(", ")}]`],
          this.#site,
        );
      }
      return value;
    }
    const node = this.#add(op, [], attributes, [type]);
    this.#named.set(key, node);
    return node.outputs[0]!;
  }

  #attributeKey(attributes: object): string {
    if (!("tensor" in attributes)) return JSON.stringify(attributes);
    const { dtype, shape, data } = attributes.tensor as Tensor;
    const type = `${dtype}[${shape.join()}]`;
    // large constants are compared by identity: hashing them would cost more than a duplicate
    if (data.length > 4096) return `${type}#${this.#identity(data)}`;
    return type + Array.from(data as ArrayLike<number | bigint>, (v) => (Object.is(v, -0) ? "-0" : String(v))).join();
  }

  #identity(object: object): number {
    const id = this.#identities.get(object) ?? this.#identityCount++;
    this.#identities.set(object, id);
    return id;
  }

  #add<O extends Op>(
    op: O,
    inputs: readonly Value[],
    attributes: OpAttributes[O],
    types: readonly OutputType[],
    copyOf: number | null = null,
  ): Node {
    invariant(types.length > 0, `${op} gives nothing`);
    const outputs: Value[] = [];
    const node: Node = { id: this.#nodes.length, op, inputs, attributes, site: this.#site, copyOf, outputs };
    types.forEach(({ dtype, shape }, index) => {
      outputs.push({ id: this.#values++, graph: this, node, index, dtype, shape: shape.map(canonicalDim) });
    });
    this.#nodes.push(node);
    return node;
  }
}

/** Narrows a node to one op. */
export function isOp<O extends Op>(node: Node, op: O): node is Node<O> {
  return node.op === op;
}

function scalarData(value: number, dtype: DType, site: string): TypedArray {
  // float16 is held as its bits, so the number itself must not be stored
  if (dtype === "float16") return float32ToFloat16(Float32Array.of(value));
  const data = allocate(dtype, 1);
  const whole = Number.isSafeInteger(value);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[0] = whole ? BigInt(value) : 0n;
  else data[0] = value;
  if (dtype === "bfloat16" || (!dtype.startsWith("float") && Number(data[0]) !== value)) {
    throw new ShapeError("constant", `a number that ${dtype} can hold`, [`${value}`], site);
  }
  return data;
}
