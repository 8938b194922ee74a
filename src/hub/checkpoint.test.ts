import { describe, expect, it } from "vitest";
import { CheckpointError, DataError, type DeftError, FileError } from "../errors.ts";
import { type Files, float32, float32ToFloat16, type Tensor, tensor } from "../tensor/index.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { memoryFiles } from "./files-memory.ts";
import { fingerprint } from "./fingerprint.ts";
import { float32Checkpoint } from "./float32.ts";
import { safetensorsBytes } from "./safetensors.ts";

const A = float32([2], [1, 2]);
const B = float32([3], [3, 4, 5]);
const CONFIG = ["m/config.json", '{"model_type": "bert"}'] as const;
const shard = (...tensors: [string, Tensor][]) => safetensorsBytes(new Map(tensors));
const index = (map: unknown) => ["m/model.safetensors.index.json", JSON.stringify({ weight_map: map })] as const;

async function problem<T extends DeftError>(kind: new (...args: never[]) => T, files: Files): Promise<T> {
  const error = await openCheckpoint(files, "m").then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(kind);
  return error as T;
}

describe("openCheckpoint", () => {
  it("opens one file", async () => {
    const { config, weights, files } = await openCheckpoint(
      memoryFiles([CONFIG, ["m/model.safetensors", shard(["a", A])]]),
      "m",
    );
    expect([config, files]).toEqual([{ model_type: "bert" }, ["model.safetensors"]]);
    expect(await weights.get("a")!.read()).toEqual(A);
  });

  it("opens shards", async () => {
    const files = memoryFiles([
      CONFIG,
      index({ a: "one.safetensors", b: "two.safetensors" }),
      ["m/one.safetensors", shard(["a", A])],
      ["m/two.safetensors", shard(["b", B])],
    ]);
    const checkpoint = await openCheckpoint(files, "m");
    expect(checkpoint.files).toEqual(["one.safetensors", "two.safetensors"]);
    expect(await checkpoint.weights.get("b")!.read()).toEqual(B);
    expect(checkpoint.weights.get("b")!.span!.name).toBe("two.safetensors");
  });

  it("lists every missing shard", async () => {
    const map = { a: "one.safetensors", b: "two.safetensors", c: "three.safetensors" };
    const error = await problem(
      CheckpointError,
      memoryFiles([CONFIG, index(map), ["m/one.safetensors", shard(["a", A])]]),
    );
    expect(error.message).toMatchInlineSnapshot(`
      "m/model.safetensors.index.json: does not fit (2 problems)
        three.safetensors: expected a shard beside the index, got nothing there
        two.safetensors: expected a shard beside the index, got nothing there
      Fetch the missing shards into the same folder."
    `);
  });

  it("lists tensors the shards do not hold", async () => {
    const files = memoryFiles([
      CONFIG,
      index({ a: "one.safetensors", b: "one.safetensors" }),
      ["m/one.safetensors", shard(["a", A])],
    ]);
    expect((await problem(CheckpointError, files)).issues.map(({ name }) => name)).toEqual(["b"]);
  });

  it("reads no shard outside the folder", async () => {
    const files = memoryFiles([CONFIG, index({ a: "../secret.safetensors", b: 3 })]);
    expect((await problem(CheckpointError, files)).issues).toHaveLength(2);
  });

  it.each<[string, [string, string | Uint8Array][], RegExp]>([
    ["no folder", [["other/x", ""]], /^m: expected a model folder, got nothing there/],
    ["a file", [["m", ""]], /^m: expected a model folder, got a file/],
    [
      "no config.json",
      [["m/model.safetensors", shard(["a", A])]],
      /^m\/config.json: expected a JSON file, got nothing there/,
    ],
    ["no weights", [["m/config.json", "{}"]], /^m: expected model.safetensors or .* got no weights/],
    [
      "other weights",
      [
        ["m/config.json", "{}"],
        ["m/tf_model.h5", ""],
      ],
      /got tf_model.h5/,
    ],
  ])("names what is missing: %s", async (_, entries, message) => {
    const error = await problem(FileError, memoryFiles(entries));
    expect(error.message).toMatch(message);
    expect(error.hint).toBeDefined();
  });

  it.each([
    ["", /config\.json:1: expected JSON, got an empty file/],
    ['{\n "a": 1,\n}', /config\.json:3: expected JSON/],
    ["[1]", /config\.json: expected a JSON object, got a list/],
    [Uint8Array.of(0x7b, 0x0a, 0xff), /config\.json:2: expected UTF-8/],
  ])("names the line of a broken config.json", async (config, message) => {
    expect((await problem(DataError, memoryFiles([["m/config.json", config]]))).message).toMatch(message);
  });
});

describe("fingerprint", () => {
  it("depends on names, shapes and numbers, not on files", async () => {
    const one = memoryFiles([CONFIG, ["m/model.safetensors", shard(["a", A], ["b", B])]]);
    const two = memoryFiles([
      CONFIG,
      index({ a: "1.safetensors", b: "2.safetensors" }),
      ["m/1.safetensors", shard(["a", A])],
      ["m/2.safetensors", shard(["b", B])],
    ]);
    const of = async (files: Files) => fingerprint(files, (await openCheckpoint(files, "m")).weights);
    const print = await of(one);
    expect(print).toMatch(/^[0-9a-f]{64}$/);
    expect(await of(two)).toBe(print);
    for (const other of [
      shard(["a", A], ["c", B]),
      shard(["a", float32([2], [1, 3])], ["b", B]),
      shard(["a", float32([1, 2], [1, 2])], ["b", B]),
    ]) {
      expect(await of(memoryFiles([CONFIG, ["m/model.safetensors", other]]))).not.toBe(print);
    }
  });
});

describe("float32Checkpoint", () => {
  const half = (values: number[]) => tensor("float16", [values.length], float32ToFloat16(Float32Array.from(values)));

  it("leaves float32 files as they are", async () => {
    const files = memoryFiles([CONFIG, ["m/model.safetensors", shard(["a", A])]]);
    const { weights } = await openCheckpoint(files, "m");
    expect(await float32Checkpoint(files, weights, "cache")).toEqual({
      weights,
      file: null,
      wasCached: false,
      wasDamaged: false,
    });
  });

  it("converts what is not float32, once for the same content", async () => {
    const bits = tensor("bfloat16", [2], Uint16Array.of(0x3f80, 0xc000));
    const files = memoryFiles([
      CONFIG,
      ["m/model.safetensors", shard(["a", A], ["h", half([0.5, 65504])], ["b", bits])],
    ]);
    const { weights } = await openCheckpoint(files, "m");
    const first = await float32Checkpoint(files, weights, "cache");
    expect(first.wasCached).toBe(false);
    expect(await first.weights.get("h")!.read()).toEqual(float32([2], [0.5, 65504]));
    expect(await first.weights.get("b")!.read()).toEqual(float32([2], [1, -2]));
    expect(first.weights.get("a")!.span).toEqual(weights.get("a")!.span);
    expect(first.weights.get("h")!.span!.folder).toBe("cache");
    expect(await float32Checkpoint(files, weights, "cache")).toMatchObject({ file: first.file, wasCached: true });
    await files.write("m/model.safetensors", shard(["a", A], ["h", half([0.25, 65504])], ["b", bits]));
    const changed = await float32Checkpoint(files, (await openCheckpoint(files, "m")).weights, "cache");
    expect(changed.wasCached).toBe(false);
    expect(await changed.weights.get("h")!.read()).toEqual(float32([2], [0.25, 65504]));
  });
});
