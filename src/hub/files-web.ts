// Read-only files for a browser: over HTTP below a base address, or in a folder the user opened.
import { FileError } from "../errors.ts";
import { type FileStat, type Files, joinPath, sha256 } from "../tensor/index.ts";
import { decodeUtf8 } from "./utf8.ts";

/** The part of the File System Access API's `FileSystemDirectoryHandle` that is used. */
export interface FolderHandle {
  readonly kind: "directory";
  getDirectoryHandle(name: string): Promise<FolderHandle>;
  getFileHandle(name: string): Promise<{ getFile(): Promise<Blob> }>;
  keys(): AsyncIterable<string>;
}

/** Where `webFiles` reads: a base address such as `https://host/models/minilm/`, or an opened folder. */
export type WebSource = string | URL | FolderHandle;

interface Source {
  stat(path: string): Promise<FileStat | null>;
  list(path: string): Promise<string[]>;
  range(path: string, offset: number, length: number): Promise<Uint8Array>;
  stream(path: string): Promise<AsyncIterable<Uint8Array>>;
}

/** Read-only files of a browser; writing throws a `FileError`. */
export function webFiles(source: WebSource): Files {
  const from = typeof source === "object" && "kind" in source ? handleSource(source) : httpSource(source);
  const read = async (path: string) => {
    const found = await from.stat(path);
    if (found === null || found.isFolder) throw new FileError(path, "expected a file, got nothing there");
    return from.range(path, 0, found.sizeBytes);
  };
  const refuse = async (path: string) => {
    throw new FileError(path, "cannot write: expected a place to write, got a read-only source");
  };
  return {
    stat: (path) => from.stat(path),
    list: (folder) => from.list(folder),
    read,
    readRange: (path, offset, length) => from.range(path, offset, length),
    readText: async (path) => decodeUtf8(path, await read(path)),
    async *stream(path) {
      yield* await from.stream(path);
    },
    digest: async (path, offset = 0, length) =>
      sha256(length === undefined ? (await read(path)).subarray(offset) : await from.range(path, offset, length)),
    write: refuse,
    append: refuse,
    makeFolder: refuse,
    rename: refuse,
    remove: refuse,
    sync: async () => {},
    realPath: async (path) => path,
    checkLock: refuse,
    lock: refuse,
  };
}

function httpSource(base: string | URL): Source {
  const address = (path: string) => `${String(base).replace(/\/$/, "")}/${path.replace(/^\/+/, "")}`;
  const request = async (path: string, init: RequestInit) => {
    const url = address(path);
    try {
      return await fetch(url, init);
    } catch (cause) {
      throw new FileError(url, "expected an answer, got no connection", { cause });
    }
  };
  const refused = ({ url, status }: Response) => new FileError(url, `expected the file, got HTTP status ${status}`);
  return {
    async stat(path) {
      const response = await request(path, { method: "HEAD" });
      if (response.status === 404) return null;
      if (!response.ok) throw refused(response);
      return { sizeBytes: Number(response.headers.get("content-length") ?? 0), isFolder: false };
    },
    list: async (path) => {
      throw new FileError(address(path), "cannot list: expected a folder one can list, got an HTTP address");
    },
    async range(path, offset, length) {
      if (length === 0) return new Uint8Array(0);
      const response = await request(path, { headers: { range: `bytes=${offset}-${offset + length - 1}` } });
      if (!response.ok) throw refused(response);
      const bytes = new Uint8Array(await response.arrayBuffer());
      // a server that knows no ranges answers 200 with everything
      return response.status === 206 ? bytes : bytes.slice(offset, offset + length);
    },
    async stream(path) {
      const response = await request(path, {});
      if (!response.ok || response.body === null) throw refused(response);
      return chunksOf(response.body);
    },
  };
}

function handleSource(root: FolderHandle): Source {
  const folderAt = async (parts: readonly string[]) => {
    let folder = root;
    for (const part of parts) folder = await folder.getDirectoryHandle(part);
    return folder;
  };
  const parts = (path: string) => path.split("/").filter((part) => part !== "" && part !== ".");
  const blobAt = async (path: string) => {
    const names = parts(path);
    const folder = await folderAt(names.slice(0, -1));
    return (await folder.getFileHandle(names.at(-1) ?? "")).getFile();
  };
  const found = async <T>(path: string, act: () => Promise<T>) => {
    try {
      return await act();
    } catch (cause) {
      throw new FileError(joinPath(path), "expected something one can read, got nothing there", { cause });
    }
  };
  return {
    async stat(path) {
      const blob = await blobAt(path).catch(() => null);
      if (blob !== null) return { sizeBytes: blob.size, isFolder: false };
      const folder = await folderAt(parts(path)).catch(() => null);
      return folder === null ? null : { sizeBytes: 0, isFolder: true };
    },
    list: (path) =>
      found(path, async () => {
        const names: string[] = [];
        for await (const name of (await folderAt(parts(path))).keys()) names.push(name);
        return names.sort();
      }),
    range: (path, offset, length) =>
      found(path, async () => new Uint8Array(await (await blobAt(path)).slice(offset, offset + length).arrayBuffer())),
    stream: (path) => found(path, async () => chunksOf((await blobAt(path)).stream())),
  };
}

/** A web stream's chunks; Safari's streams cannot be iterated. */
async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (let step = await reader.read(); !step.done; step = await reader.read()) yield step.value;
  } finally {
    reader.releaseLock();
  }
}
