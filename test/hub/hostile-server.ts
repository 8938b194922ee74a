// A hub whose every answer a test may replace, and another host beside it; both remember who asked with which token.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export const ID = "tiny-org/tiny-bert";
export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** One request: for the list of files, for what a file is, or for its bytes from the hub or from storage. */
export interface Asked {
  readonly what: "list" | "head" | "get" | "storage";
  /** The file; empty for the list. */
  readonly name: string;
  readonly range: string | undefined;
  readonly isElsewhere: boolean;
  readonly socket: Socket;
  /** How many requests of this kind for this file came before. */
  readonly before: number;
}

/** What a real hub would send, to be changed. */
export interface Good {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
}

/** Changes an answer in place; true where it has answered by itself. */
export type Behaviour = (asked: Asked, good: Good, response: ServerResponse) => unknown;

export interface HostileHub {
  readonly url: string;
  /** Another host. */
  readonly elsewhere: string;
  /** Tokens that other hosts were sent. */
  readonly leaked: string[];
  readonly asked: Asked[];
  behaviour: Behaviour;
  close(): Promise<void>;
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** Serves `files` as the hub does: those above 1 kB from storage on another host. */
export async function hostileHub(files: ReadonlyMap<string, Uint8Array>): Promise<HostileHub> {
  const counts = new Map<string, number>();
  const servers: Server[] = [];
  const listen = async (isElsewhere: boolean) => {
    const server = createServer((request, response) => {
      response.on("error", () => {});
      const asked = askedOf(request, isElsewhere, counts);
      hub.asked.push(asked);
      if (isElsewhere && request.headers.authorization !== undefined) hub.leaked.push(request.headers.authorization);
      const good = answerOf(files, asked, hub);
      if (hub.behaviour(asked, good, response) === true) return;
      response.writeHead(good.status, good.headers);
      response.end(request.method === "HEAD" ? undefined : good.body);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    servers.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const hub: HostileHub = {
    url: await listen(false),
    elsewhere: await listen(true),
    leaked: [],
    asked: [],
    behaviour: () => {},
    close: async () => {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
  return hub;
}

function askedOf(
  { method, url, headers, socket }: IncomingMessage,
  isElsewhere: boolean,
  counts: Map<string, number>,
): Asked {
  const path = decodeURIComponent(new URL(url!, "http://hub").pathname);
  const name = path.split("/").at(-1)!;
  const isFile = path.includes("/resolve/") || path.startsWith("/storage/");
  const what = !isFile ? "list" : method === "HEAD" ? "head" : path.startsWith("/storage/") ? "storage" : "get";
  const key = `${what} ${name}`;
  const before = counts.get(key) ?? 0;
  counts.set(key, before + 1);
  return { what, name: isFile ? name : "", range: headers.range, isElsewhere, socket, before };
}

function answerOf(files: ReadonlyMap<string, Uint8Array>, { what, name, range }: Asked, hub: HostileHub): Good {
  if (what === "list") {
    const siblings = [...files.keys()].map((rfilename) => ({ rfilename }));
    return {
      status: 200,
      headers: { "content-type": "application/json" },
      body: bytes(JSON.stringify({ id: ID, sha: COMMIT, siblings })),
    };
  }
  const content = files.get(name);
  if (content === undefined)
    return { status: 404, headers: { "x-error-code": "EntryNotFound" }, body: new Uint8Array() };
  const isLarge = content.length > 1000;
  if (isLarge && what !== "storage")
    return {
      status: 302,
      headers: {
        "x-linked-etag": `"${createHash("sha256").update(content).digest("hex")}"`,
        "x-linked-size": `${content.length}`,
        location: `${hub.elsewhere}/storage/${name}`,
      },
      body: new Uint8Array(),
    };
  const from = Number(/^bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
  if (from > 0 && from >= content.length) return { status: 416, headers: {}, body: new Uint8Array() };
  const headers: Record<string, string> = { "content-length": `${content.length - from}` };
  if (!isLarge)
    headers.etag = `"${createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex")}"`;
  if (from > 0) headers["content-range"] = `bytes ${from}-${content.length - 1}/${content.length}`;
  return { status: from > 0 ? 206 : 200, headers, body: content.subarray(from) };
}
