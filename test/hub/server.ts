// A loopback server that speaks the hub's endpoints, with faults on request.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createGzip } from "node:zlib";

/** What the server does wrong, or demands. */
export interface Faults {
  /** Breaks the connection of the first `times` downloads of this file after this many bytes of body. */
  breakAfter?: { file: string; bytes: number; times: number };
  /** Sends other bytes than the etag promises. */
  corrupt?: string;
  /** Refuses requests without this token. */
  token?: string;
  /** Answers every request with this status and `X-Error-Code`. */
  status?: { code: number; errorCode?: string };
  /** Answers ranges with the whole file. */
  noRanges?: boolean;
  /** Lists the repository's files without end, as it is or packed. */
  endlessListing?: "plain" | "gzip";
  /** Sends more than the whole file, and no length. */
  longer?: string;
  /** Says the size of this file nowhere. */
  unsized?: string;
}

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

export interface HubServer {
  readonly url: string;
  readonly requests: Request[];
  faults: Faults;
  close(): Promise<void>;
}

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** Serves one repository `id`; files above 1 kB are large files with a SHA-256, sent from a storage path. */
export async function hubServer(id: string, files: ReadonlyMap<string, Uint8Array>): Promise<HubServer> {
  const requests: Request[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url!, "http://hub").pathname);
    const { range, authorization } = request.headers;
    requests.push({ method: request.method!, path, range, authorization });
    answer(hub, id, files, path, request, response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const hub: HubServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    faults: {},
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
  return hub;
}

function answer(
  { faults }: HubServer,
  id: string,
  files: ReadonlyMap<string, Uint8Array>,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (faults.status) {
    end(response, faults.status.code, faults.status.errorCode);
    return;
  }
  // as the real storage: another host, which must not see the token
  if (path.startsWith("/storage/") && request.headers.authorization) {
    end(response, 400);
    return;
  }
  if (faults.token && !path.startsWith("/storage/") && request.headers.authorization !== `Bearer ${faults.token}`) {
    end(response, 401, "RepoNotFound");
    return;
  }
  if (path.startsWith(`/api/models/${id}/revision/`)) {
    const revision = path.split("/").at(-1)!;
    if (revision !== "main" && revision !== COMMIT) {
      end(response, 404, "RevisionNotFound");
      return;
    }
    response.setHeader("content-type", "application/json");
    if (faults.endlessListing) {
      endlessly(response, faults.endlessListing === "gzip");
      return;
    }
    response.end(JSON.stringify({ id, sha: COMMIT, siblings: [...files.keys()].map((rfilename) => ({ rfilename })) }));
    return;
  }
  const [, name] = new RegExp(`^/${id}/resolve/[^/]+/(.+)$`).exec(path) ?? /^\/storage\/(.+)$/.exec(path) ?? [];
  const content = name === undefined ? undefined : files.get(name);
  if (name === undefined || content === undefined) {
    end(response, 404, name ? "EntryNotFound" : "RepoNotFound");
    return;
  }
  const isLarge = content.length > 1000;
  response.setHeader("x-repo-commit", COMMIT);
  if (!path.startsWith("/storage/")) {
    const sha256 = createHash("sha256").update(content).digest("hex");
    if (!isLarge) {
      const header = `blob ${content.length}\0`;
      response.setHeader("etag", `"${createHash("sha1").update(header).update(content).digest("hex")}"`);
    } else {
      response.setHeader("x-linked-etag", `"${sha256}"`);
      response.setHeader("x-linked-size", `${content.length}`);
      response.setHeader("location", `http://localhost:${request.socket.localPort}/storage/${name}`);
      response.statusCode = 302;
      response.end();
      return;
    }
  }
  sendBytes(faults, name, content, request, response);
}

/** A JSON text that never closes, 128 MB of it at most. */
function endlessly(response: ServerResponse, isPacked: boolean): void {
  if (isPacked) response.setHeader("content-encoding", "gzip");
  const to = isPacked ? createGzip() : response;
  if (to !== response) to.pipe(response);
  response.on("error", () => {});
  const piece = Buffer.alloc(2 ** 20, 0x20);
  let left = 128;
  const more = () => {
    while (left-- > 0) if (!to.write(piece)) return void to.once("drain", more);
    to.end();
  };
  to.write("[");
  more();
}

function end(response: ServerResponse, status: number, errorCode = ""): void {
  response.statusCode = status;
  if (errorCode) response.setHeader("x-error-code", errorCode);
  response.end();
}

function sendBytes(
  faults: Faults,
  name: string,
  content: Uint8Array,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const from = faults.noRanges ? 0 : Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (from >= content.length && from > 0) {
    end(response, 416);
    return;
  }
  const bytes = content.slice(from);
  if (faults.corrupt === name) bytes[bytes.length >> 1]! ^= 1;
  if (faults.longer !== name && faults.unsized !== name) response.setHeader("content-length", `${bytes.length}`);
  if (from > 0) {
    response.statusCode = 206;
    response.setHeader("content-range", `bytes ${from}-${content.length - 1}/${content.length}`);
  }
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  const broken = faults.breakAfter;
  if (broken?.file === name && broken.times > 0) {
    broken.times--;
    response.write(bytes.subarray(0, broken.bytes), () => setTimeout(() => response.destroy(), 50));
    return;
  }
  response.end(faults.longer === name ? Buffer.concat([bytes, Buffer.alloc(50_000, 7)]) : bytes);
}
