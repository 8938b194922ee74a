import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CheckpointError } from "../errors.ts";
import { float32 } from "../tensor/index.ts";
import { joinBytes } from "./bytes.ts";
import { memoryFiles } from "./files-memory.ts";
import { unpickle } from "./pickle.ts";
import { openTorchFile } from "./torch-file.ts";

// torch.save({"w": torch.arange(6.).reshape(2, 3).t()}), the pickle inside it
const text = (s: string) => [0x58, s.length, 0, 0, 0, ...new TextEncoder().encode(s)];
const global = (module: string, name: string) => [0x63, ...new TextEncoder().encode(`${module}\n${name}\n`)];
const STORAGE = [
  0x28,
  ...text("storage"),
  ...global("torch", "FloatStorage"),
  ...text("0"),
  ...text("cpu"),
  0x4b,
  6,
  0x74,
  0x51,
];
const TENSOR = [
  ...global("torch._utils", "_rebuild_tensor_v2"),
  0x28,
  ...STORAGE,
  0x4b,
  0,
  0x4b,
  3,
  0x4b,
  2,
  0x86,
  0x4b,
  1,
  0x4b,
  3,
  0x86,
  0x89,
  ...global("collections", "OrderedDict"),
  0x29,
  0x52,
  0x74,
  0x52,
];
const PICKLE = Uint8Array.from([0x80, 2, 0x7d, 0x71, 0, ...text("w"), ...TENSOR, 0x73, 0x2e]);

describe("unpickle", () => {
  it("gives a state dict", () => {
    const storage = { kind: "storage", type: "FloatStorage", key: "0", length: 6 };
    expect(unpickle(PICKLE)).toEqual(
      new Map([["w", { kind: "tensor", storage, offset: 0, shape: [3, 2], strides: [1, 3] }]]),
    );
  });

  it("executes nothing: a name outside the table is refused", () => {
    for (const [module, name] of [
      ["os", "system"],
      ["builtins", "eval"],
      ["torch", "load"],
      ["collections", "OrderedDict.x"],
    ] as const) {
      const attack = Uint8Array.from([0x80, 2, ...global(module, name), 0x28, ...text("rm -rf /"), 0x74, 0x52, 0x2e]);
      expect(() => unpickle(attack)).toThrow(`the name ${module}.${name}`);
    }
  });

  it("makes no text of nested lists, which would fill any memory", () => {
    // [[…], […]] where each list is the one before it, twice: 2^200 parts in 1 KB
    const memo = (i: number) => [0x71, i];
    const recall = (i: number) => [0x68, i];
    const doubled = Array.from({ length: 200 }, (_, i) => [
      0x5d,
      ...memo(i + 1),
      0x28,
      ...recall(i),
      ...recall(i),
      0x65,
    ]);
    const bomb = [0x80, 4, 0x5d, ...memo(0), ...doubled.flat()];
    expect(() => unpickle(Uint8Array.from([...bomb, ...text("x"), 0x93, 0x2e]))).toThrow("a name that is no text");
  });

  it("throws nothing but CheckpointError, whatever the bytes", () => {
    const onlyRefuses = (bytes: Uint8Array) => {
      try {
        unpickle(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(CheckpointError);
      }
    };
    const change = fc.record({ at: fc.nat(PICKLE.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(PICKLE.length), (changes, keep) => {
        const bytes = PICKLE.slice();
        for (const { at, byte } of changes) bytes[at] = byte;
        onlyRefuses(bytes);
        onlyRefuses(bytes.subarray(0, keep));
      }),
      { numRuns: 3000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), onlyRefuses), { numRuns: 2000 });
  });
});

/** A zip archive of stored members. */
function zip(members: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let position = 0;
  for (const [name, content] of members) {
    const label = new TextEncoder().encode(name);
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, 0x04034b50, true);
    local.setUint16(26, label.length, true);
    const central = new DataView(new ArrayBuffer(46));
    central.setUint32(0, 0x02014b50, true);
    central.setUint32(20, content.length, true);
    central.setUint32(24, content.length, true);
    central.setUint16(28, label.length, true);
    central.setUint32(42, position, true);
    chunks.push(new Uint8Array(local.buffer), label, content);
    directory.push(new Uint8Array(central.buffer), label);
    position += 30 + label.length + content.length;
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint32(12, joinBytes(directory).length, true);
  end.setUint32(16, position, true);
  return joinBytes([...chunks, ...directory, new Uint8Array(end.buffer)]);
}

const NUMBERS = Float32Array.of(0, 1, 2, 3, 4, 5);
const FILE = zip([
  ["m/data.pkl", PICKLE],
  ["m/byteorder", new TextEncoder().encode("little")],
  ["m/data/0", new Uint8Array(NUMBERS.buffer)],
]);

describe("openTorchFile", () => {
  it("puts the numbers of a transposed view in order", async () => {
    const weights = await openTorchFile(memoryFiles([["m.bin", FILE]]), "m.bin", FILE.length);
    expect(await weights.get("w")!.read()).toEqual(float32([3, 2], [0, 3, 1, 4, 2, 5]));
  });

  it("throws nothing but CheckpointError, whatever is changed in a good file", async () => {
    const change = fc.record({ at: fc.nat(FILE.length - 1), byte: fc.nat(255) });
    const property = fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 4 }),
      fc.nat(FILE.length),
      async (changes, keep) => {
        const bytes = FILE.slice();
        for (const { at, byte } of changes) bytes[at] = byte;
        for (const some of [bytes, bytes.slice(0, keep)]) {
          try {
            for (const weight of (await openTorchFile(memoryFiles([["m.bin", some]]), "m.bin", some.length)).values()) {
              await weight.read();
            }
          } catch (error) {
            expect(error).toBeInstanceOf(CheckpointError);
          }
        }
      },
    );
    await fc.assert(property, { numRuns: 1000 });
  });

  it.each([
    ["an old pickle", PICKLE, "an older or unknown format"],
    ["a zip cut short", Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 0, 0), "none (truncated)"],
    ["an empty zip", Uint8Array.of(0x50, 0x4b, 5, 6, ...new Uint8Array(18)), "an archive without it"],
    ["nothing", new Uint8Array(0), "an older or unknown format"],
  ])("refuses %s and says how to convert", async (_, bytes, got) => {
    const opened = openTorchFile(memoryFiles([["m.bin", bytes]]), "m.bin", bytes.length);
    const error = await opened.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as CheckpointError).issues[0]!.got).toBe(got);
    expect((error as CheckpointError).hint).toBeDefined();
  });
});
