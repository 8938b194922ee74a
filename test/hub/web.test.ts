import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DataError, FileError } from "../../src/errors.ts";
import { type FolderHandle, openCheckpoint, safetensorsBytes, webFiles } from "../../src/hub/index.ts";
import { type Files, float32 } from "../../src/tensor/index.ts";

const W = float32([4], [1, 2, 3, 4]);
const CONTENT = new Map<string, Uint8Array>([
  ["tiny/config.json", new TextEncoder().encode("{}")],
  ["tiny/model.safetensors", safetensorsBytes(new Map([["w", W]]))],
  ["tiny/bad.txt", Uint8Array.of(0xff)],
]);

let server: Server;
let address: string;
let knowsRanges = true;

beforeAll(async () => {
  server = createServer((request, response) => {
    const bytes = CONTENT.get(request.url!.slice(1));
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec((knowsRanges && request.headers.range) || "") ?? [];
    const part = from === undefined ? bytes : bytes?.subarray(Number(from), Number(to) + 1);
    response.statusCode = part === undefined ? 404 : from === undefined ? 200 : 206;
    response.setHeader("content-length", part?.length ?? 0);
    response.end(request.method === "HEAD" ? undefined : part);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** A folder handle over `CONTENT`, as a browser hands one over. */
function handle(prefix = ""): FolderHandle {
  const inside = () =>
    [...CONTENT.keys()].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  return {
    kind: "directory",
    async getDirectoryHandle(name) {
      if (!inside().some((path) => path.startsWith(`${name}/`))) throw new Error("NotFoundError");
      return handle(`${prefix}${name}/`);
    },
    async getFileHandle(name) {
      const bytes = CONTENT.get(prefix + name);
      if (!bytes) throw new Error("NotFoundError");
      return { getFile: async () => new Blob([bytes.slice()]) };
    },
    async *keys() {
      yield* new Set(inside().map((path) => path.split("/")[0]!));
    },
  };
}

describe.each<[string, () => Files]>([
  ["HTTP", () => webFiles(address)],
  ["a server without ranges", () => webFiles(new URL(address))],
  ["a folder handle", () => webFiles(handle())],
])("webFiles over %s", (kind, open) => {
  beforeAll(() => {
    knowsRanges = kind !== "a server without ranges";
  });

  it("reads a checkpoint, weights by range", async () => {
    const files = open();
    expect((await files.stat("tiny/model.safetensors"))!.sizeBytes).toBe(CONTENT.get("tiny/model.safetensors")!.length);
    const { weights } = await openCheckpoint(files, "tiny");
    expect(await weights.get("w")!.read()).toEqual(W);
    if (kind === "a folder handle") {
      expect(await files.list("tiny")).toEqual(["bad.txt", "config.json", "model.safetensors"]);
    }
    expect(await files.readRange("tiny/config.json", 1, 1)).toEqual(new TextEncoder().encode("}"));
    const streamed: number[] = [];
    for await (const chunk of files.stream("tiny/config.json")) streamed.push(...chunk);
    expect(streamed).toEqual([...CONTENT.get("tiny/config.json")!]);
  });

  it("names what is missing, broken or not allowed", async () => {
    const files = open();
    expect(await files.stat("tiny/none")).toBeNull();
    await expect(files.read("tiny/none")).rejects.toThrow(FileError);
    await expect(files.readText("tiny/bad.txt")).rejects.toThrow(DataError);
    await expect(files.write("tiny/x", "")).rejects.toThrow("read-only");
    if (kind !== "a folder handle") await expect(files.list("tiny")).rejects.toThrow("cannot list");
  });
});
