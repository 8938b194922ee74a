// A `Files` that holds its files in memory: for browsers, where a user hands files over, and for tests.
import { FileError } from "../errors.ts";
import { type Files, parentFolder, sha256 } from "../tensor/index.ts";
import { joinBytes } from "./bytes.ts";
import { decodeUtf8 } from "./utf8.ts";

/** Files kept in a map from path to bytes; folders exist as far as files lie in them. */
export function memoryFiles(entries: Iterable<readonly [string, string | Uint8Array]> = []): Files {
  const held = new Map<string, Uint8Array>(Array.from(entries, ([path, content]) => [plain(path), bytesOf(content)]));
  const locks = new Set<string>();
  const within = (folder: string) => {
    const prefix = plain(folder) === "" ? "" : `${plain(folder)}/`;
    return [...held.keys()].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  };
  const bytesAt = (path: string) => {
    const bytes = held.get(plain(path));
    if (bytes === undefined) throw new FileError(path, "expected a file, got nothing there");
    return bytes;
  };
  return {
    async stat(path) {
      const bytes = held.get(plain(path));
      if (bytes !== undefined) return { sizeBytes: bytes.length, isFolder: false };
      return within(path).length > 0 ? { sizeBytes: 0, isFolder: true } : null;
    },
    list: async (folder) => [...new Set(within(folder).map((path) => path.split("/")[0]!))].sort(),
    read: async (path) => bytesAt(path).slice(),
    readRange: async (path, offset, length) => bytesAt(path).slice(offset, offset + length),
    readText: async (path) => decodeUtf8(path, bytesAt(path)),
    async *stream(path) {
      yield bytesAt(path).slice();
    },
    digest: async (path, offset = 0, length = 2 ** 53) => sha256(bytesAt(path).slice(offset, offset + length)),
    async write(path, content) {
      held.set(plain(path), await collected(content));
    },
    async append(path, content) {
      held.set(plain(path), joinBytes([held.get(plain(path)) ?? new Uint8Array(0), bytesOf(content)]));
    },
    makeFolder: async () => {},
    async rename(from, to) {
      const inside = within(from);
      if (inside.length === 0) held.set(plain(to), bytesAt(from));
      for (const inner of inside) held.set(`${plain(to)}/${inner}`, bytesAt(`${plain(from)}/${inner}`));
      await this.remove(from);
    },
    async remove(path) {
      for (const inner of within(path)) held.delete(`${plain(path)}/${inner}`);
      held.delete(plain(path));
    },
    sync: async () => {},
    realPath: async (path) => plain(path),
    async checkLock(path) {
      const name = plain(path);
      if (!locks.has(name)) return;
      throw new FileError(parentFolder(name), "expected a folder that nobody else writes, got one held by this page", {
        hint: "Wait until that has ended, or choose another folder.",
      });
    },
    async lock(path) {
      await this.checkLock(path);
      const name = plain(path);
      locks.add(name);
      return { takenFrom: null, release: async () => void locks.delete(name) };
    },
  };
}

function plain(path: string): string {
  return path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content.slice();
}

async function collected(content: string | Uint8Array | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  if (typeof content === "string" || content instanceof Uint8Array) return bytesOf(content);
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return joinBytes(chunks);
}
