import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CheckpointError } from "../errors.ts";
import { float32, int64, memoryWeights, type Tensor, tensor } from "../tensor/index.ts";
import { joinBytes } from "./bytes.ts";
import { memoryFiles } from "./files-memory.ts";
import {
  openSafetensors,
  openSafetensorsFile,
  parseSafetensorsHeader,
  safetensorsBytes,
  writeSafetensors,
} from "./safetensors.ts";

const TENSORS: [string, Tensor][] = [
  ["b.half", tensor("bfloat16", [3], Uint16Array.of(0x3f80, 0x7fc0, 0x8000))],
  ["z.weight", float32([2, 3], [1, 2, 3, 4, 5, 6])],
  ["a.bias", float32([2], [-0, Number.NaN])],
  ["ids", int64([2], [-1, 7])],
  ["flags", tensor("bool", [5], Uint8Array.of(1, 0, 1, 1, 0))],
  ["empty", float32([0, 4], [])],
  ["scalar", float32([], [9])],
];

/** A file with this JSON as header and `dataBytes` zero bytes of data. */
function fileOf(header: unknown, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

function issuesOf(bytes: Uint8Array, fileBytes = bytes.length) {
  try {
    parseSafetensorsHeader("m.safetensors", bytes, fileBytes);
  } catch (error) {
    expect(error).toBeInstanceOf(CheckpointError);
    return (error as CheckpointError).issues.map((i) => `${i.name}: expected ${i.expected}, got ${i.got}`);
  }
  return [];
}

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

describe("safetensors", () => {
  it("gives back what it wrote, bit for bit, whatever the order of the tensors", async () => {
    const bytes = safetensorsBytes(new Map(TENSORS), { tool: "deft" });
    expect(safetensorsBytes(new Map([...TENSORS].reverse()), { tool: "deft" })).toEqual(bytes);
    const streamed: Uint8Array[] = [];
    for await (const chunk of writeSafetensors(memoryWeights(TENSORS), { tool: "deft" })) streamed.push(chunk);
    expect(joinBytes(streamed)).toEqual(bytes);
    const { weights, metadata } = await openSafetensorsFile(
      memoryFiles([["d/m.safetensors", bytes]]),
      "d/m.safetensors",
    );
    expect(metadata).toEqual({ format: "pt", tool: "deft" });
    expect([...weights.keys()].sort()).toEqual(TENSORS.map(([name]) => name).sort());
    for (const [name, expected] of TENSORS) expect(await weights.get(name)!.read()).toEqual(expected);
  });

  it("says where each tensor lies, aligned to its element size", async () => {
    const bytes = safetensorsBytes(new Map(TENSORS));
    const weights = await openSafetensors(memoryFiles([["d/m.safetensors", bytes]]), "d/m.safetensors");
    const { folder, name, byteOffset, byteLength } = weights.get("z.weight")!.span!;
    expect([folder, name, byteLength, byteOffset % 4]).toEqual(["d", "m.safetensors", 24, 0]);
    const view = new DataView(bytes.buffer, byteOffset, byteLength);
    expect(view.getFloat32(20, true)).toBe(6);
    expect(weights.get("ids")!.span!.byteOffset % 8).toBe(0);
  });

  it("reads data that is not aligned", async () => {
    const bytes = fileOf({ a: { dtype: "U8", shape: [1], data_offsets: [0, 1] }, b: f32(1, 9) }, 9);
    new DataView(bytes.buffer).setFloat32(bytes.length - 4, 2.5, true);
    const weights = await openSafetensors(memoryFiles([["m", bytes]]), "m");
    expect(await weights.get("b")!.read()).toEqual(float32([2], [0, 2.5]));
  });

  it.each([
    ["nothing", new Uint8Array(0), ["file size: expected at least 8 bytes (the header's length), got 0"]],
    [
      "a text file",
      new TextEncoder().encode("hello world, not a model"),
      [/header length: expected at most 100000000/],
    ],
    ["a header longer than the file", fileOf("{}", 0).subarray(0, 9), [/file size: expected at least 10 bytes.*got 9/]],
    ["broken JSON", fileOf('{"a":', 0), [/header: expected JSON/]],
    [
      "JSON nested deeper than a stack",
      fileOf(`{"a": {"dtype": ${"[".repeat(20_000)}${"]".repeat(20_000)}}}`, 0),
      ["header: expected names with dtype, shape and offsets, got nested JSON"],
    ],
    ["a list", fileOf([1], 0), ["header: expected a JSON object, got a list"]],
    ["broken UTF-8", fileOf({ a: 1 }, 0).map((b, i) => (i === 9 ? 0xff : b)), [/header: expected JSON in UTF-8/]],
    [
      "an unknown dtype",
      fileOf({ a: { ...f32(0, 4), dtype: "F8_E4M3" } }, 4),
      [/a: expected a dtype of .*got "F8_E4M3"/],
    ],
    ["a negative dimension", fileOf({ a: f32(0, 4, [-1]) }, 4), [/a: expected a shape of whole numbers, got \[-1\]/]],
    ["offsets in reverse", fileOf({ a: f32(8, 4, [1]) }, 8), [/a: expected data_offsets \[begin, end\], got \[8,4\]/]],
    ["too few bytes", fileOf({ a: f32(0, 8, [3]) }, 8), ["a: expected 12 bytes for F32 [3], got 8"]],
    [
      "an overlap",
      fileOf({ a: f32(0, 8), b: f32(4, 12) }, 12),
      [/b: expected data from byte \d+, got \d+ \(an overlap\)/],
    ],
    ["a hole", fileOf({ a: f32(0, 4), b: f32(8, 12) }, 12), [/b: expected data from byte \d+, got \d+ \(a hole\)/]],
    [
      "a file cut short",
      fileOf({ a: f32(0, 400) }, 100),
      [/file size: expected 4\d\d bytes, got 1\d\d bytes \(truncated\)/],
    ],
    ["bytes at the end", fileOf({ a: f32(0, 4) }, 5), [/file size: .*bytes nobody owns/]],
    ["metadata that is not text", fileOf({ __metadata__: { n: 1 } }, 0), [/__metadata__: expected text values/]],
    ["an entry that is null", fileOf({ a: null }, 0), [/a dtype/, /a shape/, /data_offsets/]],
  ])("refuses %s", (_, bytes, expected) => {
    const issues = issuesOf(bytes);
    expect(issues).toHaveLength(expected.length);
    expected.forEach((pattern, i) => {
      expect(issues[i]).toMatch(pattern);
    });
  });

  it("lists every fault at once, at most a screen of them", () => {
    const wrong = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [`layer.${i}`, { ...f32(0, 4), dtype: "F7" }]),
    );
    const issues = issuesOf(fileOf(wrong, 4));
    expect(issues).toHaveLength(21);
    expect(issues[20]).toContain("280 more");
  });

  it("throws nothing but CheckpointError, whatever is changed in a good file", () => {
    const good = safetensorsBytes(new Map(TENSORS));
    const change = fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), fc.nat(good.length), (changes, keep) => {
        const bytes = good.slice();
        for (const { at, byte } of changes) bytes[at] = byte;
        issuesOf(bytes.subarray(0, keep), keep);
        issuesOf(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it("throws nothing but CheckpointError on any JSON header", () => {
    const entry = fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          dtype: fc.oneof(fc.constantFrom("F32", "BF16", "U8"), fc.jsonValue()),
          shape: fc.oneof(fc.array(fc.maxSafeInteger()), fc.jsonValue()),
          data_offsets: fc.oneof(fc.tuple(fc.maxSafeInteger(), fc.maxSafeInteger()), fc.jsonValue()),
        },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), entry), fc.nat(64), (header, dataBytes) => {
        issuesOf(fileOf(header, dataBytes));
      }),
      { numRuns: 2000 },
    );
  });

  it("accepts what covers the file exactly and nothing else", () => {
    const lengths = fc.array(fc.nat(5), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: -3, max: 3 }), (counts, extra) => {
        let position = 0;
        const header = Object.fromEntries(counts.map((n, i) => [`t${i}`, f32(position, (position += 4 * n))]));
        const dataBytes = Math.max(0, position + extra);
        expect(issuesOf(fileOf(header, dataBytes)).length === 0).toBe(dataBytes === position);
      }),
    );
  });
});
