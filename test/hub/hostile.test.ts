// A hub that misbehaves in every way that was thought of: each ends in success or in one clear error, leaves nothing half that passes for whole,
// writes nowhere but in the cache, tells the token to nobody else, and the same call succeeds once the hub is good again.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CheckpointError, FileError } from "../../src/errors.ts";
import { resolveModel } from "../../src/hub/hub-node.ts";
import { type Asked, type Behaviour, COMMIT, type Good, type HostileHub, hostileHub, ID } from "./hostile-server.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const WEIGHTS = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919) >> 3);
const FILES = new Map<string, Uint8Array>([
  ["config.json", bytes('{"model_type": "bert"}')],
  ["tokenizer.json", bytes('{"version": "1.0"}')],
  ["model.safetensors", WEIGHTS],
  ["README.md", bytes("# not fetched")],
]);
const FETCHED = ["config.json", "model.safetensors", "tokenizer.json"];

/** What must come of a behaviour: success, or an error with this message and hint. */
interface Case {
  readonly behaviour: Behaviour;
  readonly fails?: RegExp;
  readonly hint?: RegExp;
  readonly kind?: typeof FileError | typeof CheckpointError;
  /** How long an answer is waited for. */
  readonly answerMs?: number;
}

const NOT_A_HUB = /HF_ENDPOINT/;
const NETWORK = /Check the network and HF_ENDPOINT and run again/;
const AGAIN = /[Rr]un again/;

let hub: HostileHub;
let root: string;

beforeEach(async () => {
  hub = await hostileHub(FILES);
  root = await mkdtemp(join(tmpdir(), "deft-hostile-"));
  await mkdir(join(root, "home"));
});

afterEach(async () => {
  await hub.close();
  await rm(root, { recursive: true });
});

function resolve({ answerMs = 10_000, retries = 1 } = {}, model = ID) {
  const environment = { HF_HOME: join(root, "home"), HF_ENDPOINT: hub.url, HF_TOKEN: "secret" };
  return resolveModel(model, { environment, retries, retryDelayMs: 1, answerMs });
}

const below = (path: string) => readdir(path).catch(() => []);

/** Where a fetched file has other bytes than the hub's, and what lies where nothing should. */
async function faultsOnDisk(): Promise<string[]> {
  const faults: string[] = [];
  const cache = join(root, "home", "hub");
  const whole = [...FILES.values()].map((content) => Buffer.from(content).toString("hex"));
  const repository = join(cache, "models--tiny-org--tiny-bert");
  for (const name of await below(join(repository, "blobs")))
    if (!name.endsWith(".incomplete")) {
      const content = (await readFile(join(repository, "blobs", name))).toString("hex");
      if (!whole.includes(content)) faults.push(`blob ${name} of ${content.length / 2} bytes`);
    }
  for (const commit of await below(join(repository, "snapshots")))
    for (const name of await below(join(repository, "snapshots", commit)))
      if (!Buffer.from(FILES.get(name) ?? []).equals(await readFile(join(repository, "snapshots", commit, name))))
        faults.push(`${name} with other bytes`);
  for (const name of await below(root)) if (name !== "home") faults.push(`beside the home: ${name}`);
  for (const name of await below(join(root, "home"))) if (name !== "hub") faults.push(`beside the cache: ${name}`);
  for (const name of await below(cache))
    if (![".locks", "models--tiny-org--tiny-bert"].includes(name)) faults.push(`in the cache: ${name}`);
  for (const folder of await below(join(cache, ".locks")))
    for (const name of await below(join(cache, ".locks", folder))) faults.push(`lock ${name}`);
  return faults;
}

/** The fetched model holds the hub's own files. */
async function expectWhole(folder: string): Promise<void> {
  expect((await readdir(folder)).sort()).toEqual(FETCHED);
  for (const name of FETCHED) expect(new Uint8Array(await readFile(join(folder, name)))).toEqual(FILES.get(name));
}

async function check({ behaviour, fails, hint, kind = FileError, answerMs }: Case): Promise<void> {
  hub.behaviour = behaviour;
  const result = await resolve(answerMs === undefined ? {} : { answerMs }).catch((error: unknown) => error);
  if (fails === undefined) await expectWhole((result as { folder: string }).folder);
  else {
    expect(result).toBeInstanceOf(kind);
    const error = result as FileError;
    expect(error.message).toMatch(fails);
    expect(error.hint ?? "").toMatch(hint ?? /./);
    expect(error.message.length).toBeLessThan(1500);
    // what a terminal would obey
    expect(error.message).not.toMatch(/(?!\n)\p{Cc}/u);
    const refs = join(root, "home", "hub", "models--tiny-org--tiny-bert", "refs");
    expect(await below(refs)).toEqual([]);
  }
  expect(await faultsOnDisk()).toEqual([]);
  expect(hub.leaked).toEqual([]);
  hub.behaviour = () => {};
  await expectWhole((await resolve()).folder);
  expect(await faultsOnDisk()).toEqual([]);
}

const on =
  (
    what: Asked["what"] | "bytes",
    act: (good: Good, asked: Asked, response: ServerResponse) => unknown,
    name?: string,
  ): Behaviour =>
  (asked, good, response) => {
    const is =
      what === "bytes"
        ? asked.what === "storage" || (asked.what === "get" && good.status !== 302)
        : asked.what === what;
    return is && (name === undefined || asked.name === name) ? act(good, asked, response) : undefined;
  };
const status = (what: Asked["what"], code: number, errorCode?: string): Behaviour =>
  on(what, (good) => {
    Object.assign(good, {
      status: code,
      headers: errorCode === undefined ? {} : { "x-error-code": errorCode },
      body: bytes("no"),
    });
  });
const header = (what: Asked["what"] | "bytes", key: string, value: string | null, name?: string): Behaviour =>
  on(
    what,
    (good) => {
      if (value === null) delete good.headers[key];
      else good.headers[key] = value;
    },
    name,
  );
const redirect = (what: Asked["what"], to: string | null, code = 302): Behaviour =>
  on(what, (good) => {
    Object.assign(good, { status: code, headers: to === null ? {} : { location: to }, body: new Uint8Array() });
  });
const listing = (json: unknown): Behaviour =>
  on("list", (good) => {
    good.body = bytes(typeof json === "string" ? json : JSON.stringify(json));
  });
const named = (...names: readonly unknown[]) =>
  listing({ sha: COMMIT, siblings: names.map((rfilename) => ({ rfilename })) });
const body = (content: Uint8Array | ((before: Uint8Array) => Uint8Array), name = "model.safetensors"): Behaviour =>
  on(
    "bytes",
    (good) => {
      good.body = typeof content === "function" ? content(good.body.slice()) : content;
      good.headers["content-length"] = `${good.body.length}`;
    },
    name,
  );
const flipped = (content: Uint8Array) => content.map((byte, i) => (i === content.length >> 1 ? byte ^ 1 : byte));
/** Sends so many bytes of a body and breaks the connection. */
const broken = (count: number, also: Behaviour = () => {}): Behaviour =>
  on(
    "storage",
    (good, asked, response) => {
      also(asked, good, response);
      response.writeHead(good.status, good.headers);
      response.write(good.body.subarray(0, count), () => setTimeout(() => response.destroy(), 20));
      return true;
    },
    "model.safetensors",
  );
/** The first request for the weights breaks at 2,000 bytes; the next ones, which ask for the rest, are answered by `act`. */
const resumed = (act: (good: Good) => void): Behaviour =>
  on(
    "storage",
    (good, asked, response) => {
      if (asked.before === 0) return broken(2000)(asked, good, response);
      act(good);
      return false;
    },
    "model.safetensors",
  );
const reset = (what: Asked["what"]): Behaviour =>
  on(what, (_, { socket }) => {
    socket.destroy();
    return true;
  });
const raw = (what: Asked["what"], text: string): Behaviour =>
  on(what, (_, { socket }) => {
    socket.end(text);
    return true;
  });
const silent = (what: Asked["what"]): Behaviour => on(what, () => true);
/** Sends pieces for as long as somebody takes them. */
const endless = (what: Asked["what"], head: string, piece: string, everyMs = 0): Behaviour =>
  on(what, (_, { socket }) => {
    socket.on("error", () => {});
    socket.write(head);
    const more = () => {
      if (socket.destroyed) return;
      const next = everyMs > 0 ? () => setTimeout(more, everyMs) : () => setImmediate(more);
      if (socket.write(piece)) next();
      else socket.once("drain", next);
    };
    more();
    return true;
  });

const LATER = /[Ll]ater/;
const REFUSED = /refuses this request; check HF_ENDPOINT and the proxy/;
const HINTS: Readonly<Record<number, RegExp>> = {
  401: /did not accept this HF_TOKEN/,
  403: /Accept its terms/,
  404: /If a local folder was meant/,
  429: /Too many requests/,
  408: LATER,
  425: LATER,
};
const LIST_STATUSES = [
  400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 413, 418, 425, 429, 431, 451, 499, 500, 501, 502, 503, 504, 508,
  511, 520, 599,
];
const FILE_STATUSES = [400, 401, 403, 404, 410, 429, 500, 503];

const statuses = (what: Asked["what"], codes: readonly number[]): [string, Case][] =>
  codes.map((code) => [
    `${code} for a ${what}`,
    {
      behaviour: status(what, code),
      fails: new RegExp(`got status ${code}`),
      hint: HINTS[code] ?? (code >= 500 ? LATER : REFUSED),
    },
  ]);

const STATUS_CASES: readonly [string, Case][] = [
  ...statuses("list", LIST_STATUSES),
  ...statuses("head", FILE_STATUSES),
  ...FILE_STATUSES.map((code): [string, Case] => [
    `${code} from storage`,
    {
      behaviour: status("storage", code),
      fails: new RegExp(`from the hub's storage, got status ${code}`),
      hint: AGAIN,
    },
  ]),
  [
    "a gated model",
    { behaviour: status("list", 401, "GatedRepo"), fails: /gated or private/, hint: /Accept its terms/ },
  ],
  [
    "no such revision",
    { behaviour: status("list", 404, "RevisionNotFound"), fails: /branch, tag or commit/, hint: /tree\/main/ },
  ],
  [
    "a list that is not there, 204",
    {
      behaviour: on("list", (good) => Object.assign(good, { status: 204, body: new Uint8Array() }) && undefined),
      fails: /not JSON/,
      hint: NOT_A_HUB,
    },
  ],
  [
    "304 for a list",
    {
      behaviour: redirect("list", null, 304),
      fails: /a redirect to http: or https:, got one that says no place/,
      hint: NOT_A_HUB,
    },
  ],
  ["304 for a file", { behaviour: redirect("head", null, 304), fails: /got one that says no place/, hint: NOT_A_HUB }],
  [
    "206 for the whole of a file",
    {
      behaviour: on("get", (good) => void Object.assign(good, { status: 206 }), "config.json"),
      fails: /in place of bytes from 0/,
      hint: AGAIN,
    },
  ],
];

const REDIRECT_CASES: readonly [string, Case][] = [
  [
    "a list that moved for ever",
    { behaviour: redirect("list", "/again"), fails: /more than 5 redirects/, hint: NOT_A_HUB },
  ],
  [
    "a file that moved for ever",
    { behaviour: redirect("head", "/x/resolve/main/y"), fails: /more than 5 redirects/, hint: NOT_A_HUB },
  ],
  [
    "bytes that moved for ever",
    { behaviour: redirect("storage", "/storage/model.safetensors"), fails: /more than 5 redirects/, hint: NOT_A_HUB },
  ],
  [
    "a list in a file",
    {
      behaviour: redirect("list", "file:///etc/passwd"),
      fails: /a redirect to http: or https:, got "file:\/\/\/etc\/passwd"/,
      hint: NOT_A_HUB,
    },
  ],
  ["a file in a file", { behaviour: redirect("head", "file:///etc/passwd"), fails: /got "file:/, hint: NOT_A_HUB }],
  ["bytes in a file", { behaviour: redirect("storage", "file:///etc/passwd"), fails: /got "file:/, hint: NOT_A_HUB }],
  [
    "bytes in the address",
    { behaviour: redirect("storage", "data:text/plain,abc"), fails: /got "data:/, hint: NOT_A_HUB },
  ],
  [
    "bytes by another protocol",
    { behaviour: redirect("storage", "ftp://127.0.0.1/x"), fails: /got "ftp:/, hint: NOT_A_HUB },
  ],
  ["bytes at no address", { behaviour: redirect("storage", "http://["), fails: /got "http:\/\/\["/, hint: NOT_A_HUB }],
  ["a file at no address", { behaviour: redirect("head", "http://["), fails: /got "http:\/\/\["/, hint: NOT_A_HUB }],
  ["bytes nowhere", { behaviour: redirect("storage", null), fails: /got one that says no place/, hint: NOT_A_HUB }],
  [
    "bytes where nobody listens",
    { behaviour: redirect("storage", "http://127.0.0.1:1/x"), fails: /no working connection/, hint: NETWORK },
  ],
  [
    "a file elsewhere that says no etag",
    {
      behaviour: on(
        "head",
        (good) => void Object.assign(good, { status: 302, headers: { location: "http://127.0.0.1:1/x" } }),
      ),
      fails: /an etag that names the content, got null/,
      hint: NOT_A_HUB,
    },
  ],
  // the token must not go there, which every case is checked for
  [
    "a list on another host",
    {
      behaviour: on("list", (good, { isElsewhere }) => {
        if (!isElsewhere)
          Object.assign(good, { status: 307, headers: { location: `${hub.elsewhere}/api/models/${ID}` } });
      }),
    },
  ],
  [
    "small files on another host",
    {
      behaviour: on("get", (good, { name }) => {
        if (name !== "model.safetensors")
          Object.assign(good, { status: 302, headers: { location: `${hub.elsewhere}/storage/${name}` } });
      }),
    },
  ],
  [
    "a file of a renamed repository",
    {
      behaviour: on("head", (good, { before, name }) => {
        if (before === 0)
          Object.assign(good, { status: 307, headers: { location: `/tiny-org/new/resolve/${COMMIT}/${name}` } });
      }),
    },
  ],
];

const SIZE_CASES: readonly [string, Case][] = [
  ["no size of small files", { behaviour: header("head", "content-length", null) }],
  ["no size of large files", { behaviour: header("head", "x-linked-size", null) }],
  [
    "a size that is a word",
    { behaviour: header("head", "x-linked-size", "many"), fails: /the size of a file, got "many"/, hint: NOT_A_HUB },
  ],
  [
    "a size below nothing",
    { behaviour: header("head", "x-linked-size", "-1"), fails: /the size of a file, got "-1"/, hint: NOT_A_HUB },
  ],
  [
    "a size beyond all numbers",
    { behaviour: header("head", "x-linked-size", "9".repeat(40)), fails: /the size of a file/, hint: NOT_A_HUB },
  ],
  [
    "a size in hexadecimal",
    { behaviour: header("head", "x-linked-size", "0x10"), fails: /the size of a file/, hint: NOT_A_HUB },
  ],
  [
    "a size that no disk has",
    {
      behaviour: (asked, good, response) => {
        header("head", "x-linked-size", "900000000000000", "model.safetensors")(asked, good, response);
        header("storage", "content-length", null)(asked, good, response);
      },
      fails: /900000000000000 bytes free/,
      hint: /HF_HUB_CACHE/,
    },
  ],
  [
    "a size that is too large",
    {
      behaviour: header("head", "x-linked-size", "5001", "model.safetensors"),
      fails: /expected the 5001 bytes that the hub told of, got an answer of 5000/,
      hint: AGAIN,
    },
  ],
  [
    "a size that is too small",
    {
      behaviour: header("head", "x-linked-size", "4999", "model.safetensors"),
      fails: /sha256/,
      kind: CheckpointError,
      hint: AGAIN,
    },
  ],
  [
    "a size of nothing",
    {
      behaviour: header("head", "x-linked-size", "0", "model.safetensors"),
      fails: /sha256/,
      kind: CheckpointError,
      hint: AGAIN,
    },
  ],
  ["an empty body", { behaviour: body(new Uint8Array()), fails: /got an answer of 0 bytes/, hint: AGAIN }],
  [
    "an empty body without a length",
    {
      behaviour: on("storage", (good) => void Object.assign(good, { headers: {}, body: new Uint8Array() })),
      fails: /broken connection after 0/,
      hint: AGAIN,
    },
  ],
  [
    "a body that is too short",
    { behaviour: body((before) => before.subarray(0, 4000)), fails: /got an answer of 4000 bytes/, hint: AGAIN },
  ],
  [
    "a body that is too short and says nothing",
    {
      behaviour: on("storage", (good, { range }) => {
        delete good.headers["content-length"];
        good.body = good.body.subarray(0, range === undefined ? 4000 : 0);
      }),
      fails: /broken connection after 4000/,
      hint: AGAIN,
    },
  ],
  ["a body that is too long", { behaviour: body((before) => Buffer.concat([before, bytes("and more")])) }],
  [
    "a small file that is too long",
    { behaviour: body((before) => Buffer.concat([before, bytes("and more")]), "config.json") },
  ],
  [
    "a body without end",
    {
      behaviour: endless("storage", "HTTP/1.1 200 OK\r\n\r\n", "x".repeat(10_000)),
      fails: /sha256/,
      kind: CheckpointError,
      hint: AGAIN,
    },
  ],
  [
    "a packed body that is right",
    {
      behaviour: on(
        "storage",
        (good) => void Object.assign(good, { headers: { "content-encoding": "gzip" }, body: gzipSync(good.body) }),
      ),
    },
  ],
  [
    "a packed body that bursts",
    {
      behaviour: on(
        "storage",
        (good) =>
          void Object.assign(good, {
            headers: { "content-encoding": "gzip" },
            body: gzipSync(new Uint8Array(2 ** 24)),
          }),
      ),
      fails: /sha256/,
      kind: CheckpointError,
      hint: AGAIN,
    },
  ],
  [
    "a packed body that is not packed",
    { behaviour: header("storage", "content-encoding", "gzip"), fails: /no working connection/, hint: NETWORK },
  ],
  [
    "a list that bursts",
    {
      behaviour: on(
        "list",
        (good) =>
          void Object.assign(good, {
            headers: { "content-encoding": "gzip" },
            body: gzipSync(Buffer.alloc(40 * 2 ** 20, 0x20)),
          }),
      ),
      fails: /more than 32 MB/,
      hint: NOT_A_HUB,
    },
  ],
];

/** A rest that is said to lie elsewhere. */
const rangeOf = (range: string) =>
  resumed((good) => {
    good.headers["content-range"] = range;
  });

const RANGE_CASES: readonly [string, Case][] = [
  [
    "a part from another place",
    {
      behaviour: rangeOf("bytes 100-4999/5000"),
      fails: /got "bytes 100-4999\/5000" in place of bytes from 2000/,
      hint: AGAIN,
    },
  ],
  [
    "a part from the beginning",
    { behaviour: rangeOf("bytes 0-4999/5000"), fails: /in place of bytes from 2000/, hint: AGAIN },
  ],
  [
    "a part of a shorter file",
    { behaviour: rangeOf("bytes 2000-2999/3000"), fails: /got an answer of 3000 bytes/, hint: AGAIN },
  ],
  [
    "a part of a file of unknown length",
    { behaviour: rangeOf("bytes 2000-4999/*"), fails: /in place of bytes from 2000/, hint: AGAIN },
  ],
  [
    "a part in other units",
    { behaviour: rangeOf("lines 2000-4999/5000"), fails: /in place of bytes from 2000/, hint: AGAIN },
  ],
  [
    "a part that does not say which",
    {
      behaviour: resumed((good) => {
        delete good.headers["content-range"];
      }),
      fails: /got null in place of bytes from 2000/,
      hint: AGAIN,
    },
  ],
  [
    "parts in an envelope",
    {
      behaviour: resumed((good) => {
        good.headers = { "content-type": "multipart/byteranges; boundary=x" };
      }),
      fails: /in place of bytes from 2000/,
      hint: AGAIN,
    },
  ],
  [
    "ranges that are not known",
    {
      behaviour: resumed((good) => {
        Object.assign(good, { status: 200, headers: {}, body: WEIGHTS });
      }),
    },
  ],
  [
    "nothing behind a part that is not whole",
    {
      behaviour: on(
        "storage",
        (good, asked, response) => {
          if (asked.before === 0) return broken(2000)(asked, good, response);
          if (asked.range !== undefined) Object.assign(good, { status: 416, headers: {}, body: new Uint8Array() });
          return false;
        },
        "model.safetensors",
      ),
    },
  ],
  ["nothing at all, 416", { behaviour: status("storage", 416), fails: /storage, got status 416/, hint: AGAIN }],
  [
    "a part with other bytes",
    {
      behaviour: resumed((good) => {
        good.body = flipped(good.body);
      }),
      fails: /sha256/,
      kind: CheckpointError,
      hint: AGAIN,
    },
  ],
  [
    "a part that is too long",
    {
      behaviour: resumed((good) => {
        good.headers = { "content-range": good.headers["content-range"]! };
        good.body = Buffer.concat([good.body, bytes("more")]);
      }),
    },
  ],
  [
    "a part that breaks again and again",
    {
      behaviour: on(
        "storage",
        (good, asked, response) => (asked.before < 4 ? broken(1000)(asked, good, response) : undefined),
        "model.safetensors",
      ),
    },
  ],
];

const ETAG_CASES: readonly [string, Case][] = [
  [
    "no etag",
    { behaviour: header("head", "etag", null), fails: /an etag that names the content, got null/, hint: NOT_A_HUB },
  ],
  [
    "an empty etag",
    { behaviour: header("head", "etag", '""'), fails: /an etag that names the content/, hint: NOT_A_HUB },
  ],
  [
    "an etag that is a path",
    { behaviour: header("head", "etag", '"../../../evil"'), fails: /an etag that names the content/, hint: NOT_A_HUB },
  ],
  [
    "an etag with a folder",
    {
      behaviour: header("head", "x-linked-etag", '"a/b"', "model.safetensors"),
      fails: /an etag that names the content/,
      hint: NOT_A_HUB,
    },
  ],
  [
    "an etag that is a path of Windows",
    { behaviour: header("head", "etag", '"..\\\\evil"'), fails: /an etag that names the content/, hint: NOT_A_HUB },
  ],
  [
    "an etag of 5,000 characters",
    {
      behaviour: header("head", "etag", `"${"a".repeat(5000)}"`),
      fails: /an etag that names the content/,
      hint: NOT_A_HUB,
    },
  ],
  [
    "an etag like a part of another file",
    {
      behaviour: header("head", "etag", '"abc.deft.incomplete"'),
      fails: /an etag that names the content/,
      hint: NOT_A_HUB,
    },
  ],
  [
    "an etag like a lock",
    { behaviour: header("head", "etag", '"abc.lock"'), fails: /an etag that names the content/, hint: NOT_A_HUB },
  ],
  [
    "a weak etag",
    {
      behaviour: on("head", (good) => {
        if (good.headers.etag !== undefined) good.headers.etag = `W/${good.headers.etag}`;
      }),
    },
  ],
  [
    "etags that are no digests",
    {
      behaviour: (asked, good) => {
        if (good.headers.etag !== undefined) good.headers.etag = `"v1-${asked.name}"`;
      },
    },
  ],
  [
    "one etag for all files",
    {
      behaviour: (_, good) => {
        for (const key of ["etag", "x-linked-etag"]) if (good.headers[key] !== undefined) good.headers[key] = '"1"';
      },
    },
  ],
  [
    "an etag without digest that changes before the bytes come",
    {
      behaviour: (asked, good) => {
        if (good.headers.etag !== undefined) good.headers.etag = `"${asked.what}"`;
      },
      fails: /got other content, with the etag/,
      hint: AGAIN,
    },
  ],
  [
    "neither size nor digest",
    {
      behaviour: (_, good) => {
        if (good.headers.etag !== undefined) good.headers = { etag: '"1"' };
      },
      fails: /expected the size of config.json or its digest, got neither/,
      hint: NOT_A_HUB,
    },
  ],
  [
    "no digest and too much",
    {
      behaviour: (asked, good) => {
        if (good.headers.etag === undefined) return;
        good.headers.etag = '"1"';
        if (asked.what === "get")
          Object.assign(good, { headers: { etag: '"1"', "content-length": "9999" }, body: new Uint8Array(9999) });
      },
      fails: /got an answer of 9999 bytes/,
      hint: AGAIN,
    },
  ],
  [
    "other content than the SHA-256",
    {
      behaviour: body(flipped),
      fails: /sha256: expected [0-9a-f]{64}, got [0-9a-f]{64}/,
      kind: CheckpointError,
      hint: AGAIN,
    },
  ],
  [
    "other content than the SHA-1",
    {
      behaviour: body(flipped, "config.json"),
      fails: /sha1: expected [0-9a-f]{40}/,
      kind: CheckpointError,
      hint: AGAIN,
    },
  ],
  [
    "a page in place of the file",
    { behaviour: body(bytes("<html>Please log in</html>")), fails: /got an answer of 26 bytes/, hint: AGAIN },
  ],
  [
    "a page in place of a small file",
    {
      behaviour: body(bytes("<html>Please log in to this network</html>"), "config.json"),
      fails: /sha1/,
      kind: CheckpointError,
      hint: AGAIN,
    },
  ],
  [
    "a page of the right length",
    { behaviour: body(() => Buffer.alloc(5000, "<html>")), fails: /sha256/, kind: CheckpointError, hint: AGAIN },
  ],
];

const CONNECTION_CASES: readonly [string, Case][] = [
  ...(["list", "head", "get", "storage"] as const).map((what): [string, Case] => [
    `a ${what} that is reset at once`,
    { behaviour: reset(what), fails: /no working connection/, hint: NETWORK },
  ]),
  [
    "a file that breaks behind its headers",
    { behaviour: broken(0), fails: /no working connection|broken connection/, hint: AGAIN },
  ],
  [
    "a file that breaks at its first byte",
    {
      behaviour: on("storage", (good, asked, response) =>
        asked.range === undefined ? broken(1)(asked, good, response) : reset("storage")(asked, good, response),
      ),
      fails: /no working connection/,
      hint: NETWORK,
    },
  ],
  [
    "a file that breaks in its middle",
    {
      behaviour: on("storage", (good, asked, response) =>
        asked.range === undefined ? broken(2500)(asked, good, response) : reset("storage")(asked, good, response),
      ),
      fails: /no working connection/,
      hint: NETWORK,
    },
  ],
  [
    "a file that breaks before its last byte",
    {
      behaviour: on("storage", (good, asked, response) =>
        asked.range === undefined ? broken(4999)(asked, good, response) : reset("storage")(asked, good, response),
      ),
      fails: /no working connection/,
      hint: NETWORK,
    },
  ],
  [
    "a file that breaks once",
    {
      behaviour: on("storage", (good, asked, response) =>
        asked.before === 0 ? broken(2500)(asked, good, response) : undefined,
      ),
    },
  ],
  [
    "a list that breaks in its middle",
    {
      behaviour: on("list", (good, _, response) => {
        response.writeHead(200, { "content-length": "1000" });
        response.write(good.body.subarray(0, 20), () => setTimeout(() => response.destroy(), 20));
        return true;
      }),
      fails: /no working connection/,
      hint: NETWORK,
    },
  ],
  ["what is not HTTP", { behaviour: raw("list", "220 ftp ready\r\n"), fails: /no working connection/, hint: NETWORK }],
  ["half a line", { behaviour: raw("head", "HTTP/1.1 20"), fails: /no working connection/, hint: NETWORK }],
  [
    "a header that is none",
    { behaviour: raw("head", "HTTP/1.1 200 OK\r\nbad header\r\n\r\n"), fails: /no working connection/, hint: NETWORK },
  ],
  [
    "a header of 100,000 characters",
    {
      behaviour: raw("head", `HTTP/1.1 200 OK\r\nx: ${"a".repeat(100_000)}\r\n\r\n`),
      fails: /no working connection/,
      hint: NETWORK,
    },
  ],
  [
    "headers without end",
    {
      behaviour: endless("head", "HTTP/1.1 200 OK\r\n", "x: y\r\n".repeat(100)),
      fails: /no working connection/,
      hint: NETWORK,
    },
  ],
  [
    "a chunk of a wrong size",
    {
      behaviour: raw("storage", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc"),
      fails: /no working connection/,
      hint: NETWORK,
    },
  ],
  [
    "two lengths",
    {
      behaviour: raw("storage", "HTTP/1.1 200 OK\r\ncontent-length: 5000\r\ncontent-length: 3\r\n\r\nabc"),
      fails: /no working connection|size of a file/,
      hint: NOT_A_HUB,
    },
  ],
  ...(["list", "head", "storage"] as const).map((what): [string, Case] => [
    `a ${what} that never comes`,
    { behaviour: silent(what), answerMs: 150, fails: /nothing came for 0.15 s/, hint: NETWORK },
  ]),
  [
    "a file that stops coming",
    {
      behaviour: on("storage", (good, { before }, response) => {
        if (before > 0) return true;
        response.writeHead(good.status, good.headers);
        response.write(good.body.subarray(0, 100));
        return true;
      }),
      answerMs: 150,
      fails: /nothing came for 0.15 s/,
      hint: NETWORK,
    },
  ],
  [
    "a file that stops coming in its middle, each time",
    {
      behaviour: on("storage", (good, _, response) => {
        response.writeHead(good.status, good.headers);
        response.write(good.body.subarray(0, 3000));
        return true;
      }),
      answerMs: 150,
    },
  ],
  [
    "a list that stops coming",
    {
      behaviour: on("list", (good, _, response) => {
        response.writeHead(200, {});
        response.write(good.body.subarray(0, 20));
        return true;
      }),
      answerMs: 150,
      fails: /nothing came for 0.15 s/,
      hint: NETWORK,
    },
  ],
  [
    "a list that trickles for ever",
    {
      behaviour: endless("list", "HTTP/1.1 200 OK\r\n\r\n[", " ", 30),
      answerMs: 150,
      fails: /had not ended after 0.6 s/,
      hint: NOT_A_HUB,
    },
  ],
  [
    "headers that trickle for ever",
    {
      behaviour: endless("list", "HTTP/1.1 200 OK\r\n", "x: y\r\n", 30),
      answerMs: 150,
      fails: /nothing came for 0.15 s/,
      hint: NETWORK,
    },
  ],
];

const others = Array.from({ length: 5000 }, (_, i) => `checkpoints/step-${i}.txt`);
const LIST_CASES: readonly [string, Case][] = [
  ["no text", { behaviour: listing(""), fails: /what is not JSON: ""/, hint: NOT_A_HUB }],
  [
    "a page",
    { behaviour: listing("<html>\u001b[31mPlease log in</html>"), fails: /what is not JSON: "<html>/, hint: NOT_A_HUB },
  ],
  [
    "JSON that is cut off",
    { behaviour: listing('{"sha": "abc", "siblings": ['), fails: /what is not JSON/, hint: NOT_A_HUB },
  ],
  [
    "JSON 10,000 deep",
    { behaviour: listing("[".repeat(10_000) + "]".repeat(10_000)), fails: /what is not JSON/, hint: NOT_A_HUB },
  ],
  ["null", { behaviour: listing("null"), fails: /the commit nothing/, hint: NOT_A_HUB }],
  ["a number", { behaviour: listing("7"), fails: /the commit nothing/, hint: NOT_A_HUB }],
  ["a list", { behaviour: listing([]), fails: /the commit nothing/, hint: NOT_A_HUB }],
  ["no commit", { behaviour: listing({ siblings: [] }), fails: /the commit nothing/, hint: NOT_A_HUB }],
  ...[5, null, "", "..", "../../../evil", "a/b", "a\\b", "a\0b", "\u001b[31m", "a".repeat(65)].map(
    (sha): [string, Case] => [
      `the commit ${JSON.stringify(sha).slice(0, 30)}`,
      {
        behaviour: listing({ sha, siblings: [{ rfilename: "config.json" }] }),
        fails: /got the commit/,
        hint: NOT_A_HUB,
      },
    ],
  ),
  ["no files", { behaviour: listing({ sha: COMMIT }), fails: /a list of files from .*, got nothing/, hint: NOT_A_HUB }],
  ["files that are null", { behaviour: listing({ sha: COMMIT, siblings: null }), fails: /got null/, hint: NOT_A_HUB }],
  [
    "files that are a text",
    { behaviour: listing({ sha: COMMIT, siblings: "config.json" }), fails: /got "config.json"/, hint: NOT_A_HUB },
  ],
  [
    "a file that is null",
    { behaviour: listing({ sha: COMMIT, siblings: [null] }), fails: /got null at 0/, hint: NOT_A_HUB },
  ],
  [
    "a file whose name is a number",
    { behaviour: named("config.json", 5), fails: /got {"rfilename":5} at 1/, hint: NOT_A_HUB },
  ],
  [
    "an empty repository",
    { behaviour: named(), fails: /expected config.json and model.safetensors .*, got no files/, hint: /NAME@BRANCH/ },
  ],
  [
    "names that lead elsewhere",
    {
      behaviour: named("../config.json", "/etc/model.safetensors", "..\\config.json", "C:\\model.safetensors"),
      fails: /expected config.json and model.safetensors/,
      hint: /NAME@BRANCH/,
    },
  ],
  [
    "names with NUL and colours",
    {
      behaviour: named("config.json\0", "\u001b[31mmodel.safetensors"),
      fails: /expected config.json and model.safetensors/,
      hint: /NAME@BRANCH/,
    },
  ],
  [
    "names of 100,000 characters",
    {
      behaviour: named("config.json", `${"a".repeat(100_000)}.safetensors`),
      fails: /expected config.json and model.safetensors/,
      hint: /NAME@BRANCH/,
    },
  ],
  [
    "names that lead elsewhere beside good ones",
    {
      behaviour: named(
        ...FILES.keys(),
        "../evil.json",
        "../../evil.safetensors",
        "tokenizer/../../evil.json",
        "a\0.safetensors",
      ),
    },
  ],
  ["every name twice", { behaviour: named(...FILES.keys(), ...FILES.keys()) }],
  ["5,000 other files", { behaviour: named(...others, ...FILES.keys()) }],
  [
    "5,000 shards",
    {
      behaviour: named("config.json", ...Array.from({ length: 5000 }, (_, i) => `model-${i}-of-5000.safetensors`)),
      fails: /at most 2000 files, got 5001/,
      hint: NOT_A_HUB,
    },
  ],
  [
    "a file that is listed and not there",
    { behaviour: named(...FILES.keys(), "vocab.txt"), fails: /got status 404/, hint: /./ },
  ],
  [
    "keys that are no plain ones",
    {
      behaviour: listing(
        `{"__proto__": {"sha": "evil"}, "constructor": 1, "sha": "${COMMIT}", "siblings": ${JSON.stringify([...FILES.keys()].map((rfilename) => ({ rfilename })))}}`,
      ),
    },
  ],
];

describe.each([
  ["statuses", STATUS_CASES],
  ["redirects", REDIRECT_CASES],
  ["sizes and bodies", SIZE_CASES],
  ["ranges", RANGE_CASES],
  ["etags and digests", ETAG_CASES],
  ["connections", CONNECTION_CASES],
  ["lists of files", LIST_CASES],
] as const)("%s", (_, cases) => {
  test.each(cases)("%s", async (_name, one) => check(one));
});

describe("what an earlier attempt left", () => {
  test("of other content is fetched again from the beginning, in the same call", async () => {
    hub.behaviour = broken(2500, body(flipped));
    await expect(resolve({ retries: 0 })).rejects.toThrow(FileError);
    hub.behaviour = on("storage", (good) => {
      if (good.status === 206) good.body = good.body.slice();
    });
    const part = join(root, "home", "hub", "models--tiny-org--tiny-bert", "blobs");
    const [name] = (await readdir(part)).filter((one) => one.endsWith(".incomplete"));
    await writeFile(join(part, name!), new Uint8Array(3000));
    await expectWhole((await resolve()).folder);
    expect(await faultsOnDisk()).toEqual([]);
  });

  test("is never a whole model, by its commit either, before the last file is there", async () => {
    hub.behaviour = reset("storage");
    await expect(resolve({}, `${ID}@${COMMIT}`)).rejects.toThrow(FileError);
    hub.behaviour = on("head", () => {}, "tokenizer.json");
    await expectWhole((await resolve({}, `${ID}@${COMMIT}`)).folder);
  });

  test("of a hub that begins anew at each request ends after the retries", async () => {
    // every other attempt is longer than the one before it, and none brings more than the first
    hub.behaviour = on("storage", (good, asked, response) => {
      Object.assign(good, { status: 200, headers: { "content-length": "5000" }, body: WEIGHTS });
      return broken(asked.before % 2 === 0 ? 2000 : 1000)(asked, good, response);
    });
    await expect(resolve({ retries: 3 })).rejects.toThrow(FileError);
    expect(hub.asked.filter(({ what }) => what === "storage").length).toBeLessThanOrEqual(5);
  });
});

test("nothing is fetched in public that was asked for in private", async () => {
  const asked: { readonly url: string; readonly token: string | null }[] = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    asked.push({ url, token: new Headers(init.headers).get("authorization") });
    const answer = new Response(null, { status: 302, headers: { location: "http://hub.example/api" } });
    Object.defineProperty(answer, "url", { value: url });
    return answer;
  });
  try {
    const environment = { HF_HOME: join(root, "home"), HF_ENDPOINT: "https://hub.example", HF_TOKEN: "secret" };
    const error: unknown = await resolveModel(ID, { environment, retries: 0 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FileError);
    expect((error as Error).message).toContain('expected a redirect to https:, got "http://hub.example/api"');
    expect(asked).toHaveLength(1);
    expect(asked[0]!.token).toBe("Bearer secret");
  } finally {
    vi.unstubAllGlobals();
  }
});

test("every behaviour is one of at least sixty, none of them twice", () => {
  const names = [
    STATUS_CASES,
    REDIRECT_CASES,
    SIZE_CASES,
    RANGE_CASES,
    ETAG_CASES,
    CONNECTION_CASES,
    LIST_CASES,
  ].flatMap((cases) => cases.map(([name]) => name));
  expect(names.length).toBeGreaterThanOrEqual(60);
  expect(new Set(names).size).toBe(names.length);
});
