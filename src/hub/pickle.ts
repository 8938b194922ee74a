// Reads the part of Python's pickle format that a saved state dict uses; it looks names up in a fixed table and calls
// nothing else, so a hostile file can do no more than be refused.
// Opcodes: CPython Lib/pickletools.py.
import { CheckpointError } from "../errors.ts";

/** A reference to stored numbers: `torch.save` puts them beside the pickle, under `key`. */
export interface PickledStorage {
  readonly kind: "storage";
  readonly type: string;
  readonly key: string;
  readonly length: number;
}

/** A tensor over a storage: `offset` and `strides` count elements. */
export interface PickledTensor {
  readonly kind: "tensor";
  readonly storage: PickledStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

function refusal(got: string): CheckpointError {
  return new CheckpointError("data.pkl", [
    { name: "pickle", expected: "a state dict of tensors and nothing else", got },
  ]);
}

interface Global {
  readonly kind: "global";
  readonly path: string;
}

/** A Python dict; keys that are not text or numbers are refused. */
export type PickledDict = Map<unknown, unknown>;

const MARK = Symbol("mark");

/**
 * The object in a pickle of protocol 2 to 5.
 * @throws {CheckpointError} on opcodes or names outside the table, or bytes that end early.
 */
export function unpickle(bytes: Uint8Array): unknown {
  return new Unpickler(bytes).run();
}

class Unpickler {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): unknown {
    for (;;) {
      const opcode = this.#unsigned(1);
      if (opcode === 0x2e) return this.#pop();
      if (!this.#literal(opcode) && !this.#container(opcode) && !this.#object(opcode)) {
        throw refusal(`opcode 0x${opcode.toString(16).padStart(2, "0")} at byte ${this.#position - 1}`);
      }
    }
  }

  #literal(opcode: number): boolean {
    switch (opcode) {
      case 0x4e: // NONE
        return this.#push(null);
      case 0x88: // NEWTRUE
        return this.#push(true);
      case 0x89: // NEWFALSE
        return this.#push(false);
      case 0x4a: // BININT
        return this.#push(this.#view.getInt32(this.#take(4), true));
      case 0x4b: // BININT1
        return this.#push(this.#unsigned(1));
      case 0x4d: // BININT2
        return this.#push(this.#unsigned(2));
      case 0x8a: // LONG1
        return this.#push(this.#long(this.#unsigned(1)));
      case 0x47: // BINFLOAT
        return this.#push(this.#view.getFloat64(this.#take(8), false));
      case 0x58: // BINUNICODE
        return this.#push(this.#text(this.#unsigned(4)));
      case 0x8c: // SHORT_BINUNICODE
        return this.#push(this.#text(this.#unsigned(1)));
      default:
        return false;
    }
  }

  #container(opcode: number): boolean {
    switch (opcode) {
      case 0x28: // MARK
        return this.#push(MARK);
      case 0x7d: // EMPTY_DICT
        return this.#push(new Map());
      case 0x5d: // EMPTY_LIST
        return this.#push([]);
      case 0x29: // EMPTY_TUPLE
        return this.#push([]);
      case 0x74: // TUPLE
        return this.#push(this.#popMark());
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#push(this.#popMany(opcode - 0x84));
      case 0x61: // APPEND
        return this.#extend([this.#pop()]);
      case 0x65: // APPENDS
        return this.#extend(this.#popMark());
      case 0x73: // SETITEM
        return this.#assign(this.#popMany(2));
      case 0x75: // SETITEMS
        return this.#assign(this.#popMark());
      default:
        return false;
    }
  }

  #object(opcode: number): boolean {
    switch (opcode) {
      case 0x80: // PROTO
        return this.#skip(1);
      case 0x95: // FRAME
        return this.#skip(8);
      case 0x71: // BINPUT
        return this.#remember(this.#unsigned(1));
      case 0x72: // LONG_BINPUT
        return this.#remember(this.#unsigned(4));
      case 0x94: // MEMOIZE
        return this.#remember(this.#memo.size);
      case 0x68: // BINGET
        return this.#push(this.#recall(this.#unsigned(1)));
      case 0x6a: // LONG_BINGET
        return this.#push(this.#recall(this.#unsigned(4)));
      case 0x63: // GLOBAL
        return this.#push(known(this.#line(), this.#line()));
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.#popMany(2);
        // the text of nested lists may be longer than any memory
        if (typeof module !== "string" || typeof name !== "string") throw refusal("a name that is no text");
        return this.#push(known(module, name));
      }
      case 0x51: // BINPERSID
        return this.#push(storageOf(this.#pop()));
      case 0x52: {
        // REDUCE
        const [callee, args] = this.#popMany(2);
        return this.#push(construct(callee, args));
      }
      case 0x62: // BUILD: the state of an OrderedDict is torch's own notes (`_metadata`), not tensors
        this.#pop();
        return true;
      default:
        return false;
    }
  }

  #push(value: unknown): true {
    this.#stack.push(value);
    return true;
  }

  #pop(): unknown {
    if (this.#stack.length === 0) throw refusal("a stack that runs empty");
    return this.#stack.pop();
  }

  #popMany(count: number): unknown[] {
    if (this.#stack.length < count) throw refusal("a stack that runs empty");
    return this.#stack.splice(-count);
  }

  #popMark(): unknown[] {
    const at = this.#stack.lastIndexOf(MARK);
    if (at < 0) throw refusal("a missing mark");
    return this.#stack.splice(at).slice(1);
  }

  #extend(items: readonly unknown[]): true {
    const list = this.#stack.at(-1);
    if (!Array.isArray(list)) throw refusal("items for something that is not a list");
    for (const item of items) list.push(item);
    return true;
  }

  #assign(items: readonly unknown[]): true {
    const dict = this.#stack.at(-1);
    if (!(dict instanceof Map) || items.length % 2 === 1) throw refusal("items for something not a dict");
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
    return true;
  }

  #remember(slot: number): true {
    if (this.#stack.length === 0) throw refusal("a stack that runs empty");
    this.#memo.set(slot, this.#stack.at(-1));
    return true;
  }

  #recall(slot: number): unknown {
    if (!this.#memo.has(slot)) throw refusal(`memo ${slot}, which was never set`);
    return this.#memo.get(slot);
  }

  #take(length: number): number {
    const at = this.#position;
    if (at + length > this.#bytes.length) throw refusal(`an end at byte ${this.#bytes.length}`);
    this.#position = at + length;
    return at;
  }

  #skip(length: number): true {
    this.#take(length);
    return true;
  }

  #unsigned(length: 1 | 2 | 4): number {
    const at = this.#take(length);
    return length === 1
      ? this.#bytes[at]!
      : length === 2
        ? this.#view.getUint16(at, true)
        : this.#view.getUint32(at, true);
  }

  #long(length: number): number {
    const at = this.#take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[at + i]!);
    return Number(BigInt.asIntN(8 * length, value));
  }

  #text(length: number): string {
    const at = this.#take(length);
    return new TextDecoder().decode(this.#bytes.subarray(at, at + length));
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#position);
    if (end < 0) throw refusal(`an end at byte ${this.#bytes.length}`);
    const text = this.#text(end - this.#position);
    this.#position = end + 1;
    return text;
  }
}

const NAMES = new Set([
  "collections.OrderedDict",
  "torch._utils._rebuild_tensor_v2",
  "torch._utils._rebuild_parameter",
  "torch.Size",
]);

function known(module: string, name: string): Global {
  const path = `${module}.${name}`;
  if (NAMES.has(path) || (module === "torch" && /^[A-Za-z0-9]+Storage$/.test(name))) return { kind: "global", path };
  throw refusal(`the name ${path.slice(0, 80)}`);
}

function isGlobal(value: unknown): value is Global {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "global";
}

function storageOf(id: unknown): PickledStorage {
  const [tag, type, key, , length] = Array.isArray(id) ? id : [];
  if (tag !== "storage" || !isGlobal(type) || typeof key !== "string" || !isCount(length)) {
    throw refusal("a reference that is not a storage");
  }
  return { kind: "storage", type: type.path.replace(/^torch\./, ""), key, length };
}

function construct(callee: unknown, args: unknown): unknown {
  if (isGlobal(callee) && Array.isArray(args)) {
    if (callee.path === "collections.OrderedDict" && args.length === 0) return new Map();
    if (callee.path === "torch._utils._rebuild_tensor_v2") return tensorOf(args);
    if (callee.path === "torch._utils._rebuild_parameter") return args[0];
    if (callee.path === "torch.Size" && Array.isArray(args[0])) return args[0];
  }
  throw refusal(`a call of ${isGlobal(callee) ? callee.path : "something that is not a known name"}`);
}

function tensorOf([storage, offset, shape, strides]: readonly unknown[]): PickledTensor {
  const isStorage = typeof storage === "object" && storage !== null && "kind" in storage && storage.kind === "storage";
  if (!isStorage || !isCount(offset) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length) {
    throw refusal("a tensor with parts that do not fit");
  }
  // the lists are copied: a pickle may go on changing its own
  return { kind: "tensor", storage: storage as PickledStorage, offset, shape: [...shape], strides: [...strides] };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isCount);
}
