import { createHash } from "node:crypto";
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CheckpointError, FileError } from "../../src/errors.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { resolveModel } from "../../src/hub/hub-node.ts";
import { type HubEvent, openCheckpoint, safetensorsBytes } from "../../src/hub/index.ts";
import { float32 } from "../../src/tensor/index.ts";
import { describeWithPython } from "../support/python.ts";
import { python } from "./python.ts";
import { COMMIT, type HubServer, hubServer } from "./server.ts";

const ID = "tiny-org/tiny-bert";
const WEIGHTS = safetensorsBytes(
  new Map([
    [
      "w",
      float32(
        [50_000],
        Float32Array.from({ length: 50_000 }, (_, i) => i),
      ),
    ],
  ]),
);
const text = (content: string) => new TextEncoder().encode(content);
const FILES = new Map<string, Uint8Array>([
  ["config.json", text('{"model_type": "bert"}')],
  ["tokenizer.json", text("{}")],
  ["model.safetensors", WEIGHTS],
  ["README.md", text("# not fetched")],
  ["pytorch_model.bin", text("not fetched")],
  ["onnx/model.onnx", text("not fetched")],
]);

let server: HubServer;
let home: string;
let events: HubEvent[];

beforeEach(async () => {
  server = await hubServer(ID, FILES);
  home = await mkdtemp(join(tmpdir(), "deft-hub-"));
  events = [];
});

afterEach(async () => {
  await server.close();
  await rm(home, { recursive: true });
});

function resolve(model = ID, environment: Record<string, string> = {}, retries = 3) {
  return resolveModel(model, {
    environment: { HF_HOME: home, HF_ENDPOINT: server.url, ...environment },
    onProgress: (event) => events.push(event),
    retries,
    retryDelayMs: 1,
  });
}

const repository = () => join(home, "hub", "models--tiny-org--tiny-bert");
const blobs = () => readdir(join(repository(), "blobs"));
const downloads = () => server.requests.filter(({ path }) => path.startsWith("/storage/"));

async function failure<T extends Error>(kind: new (...args: never[]) => T, act: Promise<unknown>): Promise<T> {
  const error = await act.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(kind);
  return error as T;
}

describe("resolveModel", () => {
  it("fetches the model's own files into the layout Python shares", async () => {
    const { folder, id, commit } = await resolve();
    expect([id, commit, folder]).toEqual([ID, COMMIT, join(repository(), "snapshots", COMMIT)]);
    expect((await readdir(folder)).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
    expect(await readFile(join(repository(), "refs", "main"), "utf8")).toBe(COMMIT);
    const sha256 = createHash("sha256").update(WEIGHTS).digest("hex");
    expect(await readlink(join(folder, "model.safetensors"))).toBe(`../../blobs/${sha256}`);
    expect((await blobs()).every((name) => /^[0-9a-f]{40,64}$/.test(name))).toBe(true);
    const { weights } = await openCheckpoint(nodeFiles(), folder);
    const span = weights.get("w")!.span!;
    expect([span.folder, span.name]).toEqual([join(repository(), "blobs"), sha256]);
    expect(await weights.get("w")!.read()).toEqual(
      float32(
        [50_000],
        Float32Array.from({ length: 50_000 }, (_, i) => i),
      ),
    );
  });

  it("tells what it does, file by file", async () => {
    await resolve();
    const ofWeights = events.filter((event) => "file" in event && event.file === "model.safetensors");
    expect(ofWeights.map(({ status }) => status)).toEqual(["initiate", "progress", "done"]);
    expect(ofWeights.at(-1)).toMatchObject({ name: ID, loaded: WEIGHTS.length, total: WEIGHTS.length });
    expect(events.at(-1)!.status).toBe("ready");
  });

  it("fetches nothing the second time, and asks nothing for a commit", async () => {
    await resolve();
    server.requests.length = 0;
    await resolve();
    expect(server.requests.map(({ path }) => path)).toEqual([`/api/models/${ID}/revision/main`]);
    server.requests.length = 0;
    expect((await resolve(`${ID}@${COMMIT}`)).commit).toBe(COMMIT);
    expect(server.requests).toEqual([]);
  });

  it("continues a broken download at once where it broke", async () => {
    server.faults = { breakAfter: { file: "model.safetensors", bytes: 30_000, times: 2 } };
    const { folder } = await resolve();
    expect(new Uint8Array(await readFile(join(folder, "model.safetensors")))).toEqual(WEIGHTS);
    const ranges = downloads().map(({ range }) => range);
    expect(ranges).toEqual([undefined, "bytes=30000-", "bytes=60000-"]);
    expect(events.filter(({ status }) => status === "retry")).toHaveLength(2);
  });

  it("keeps what it has when it gives up, and continues there the next time", async () => {
    server.faults = { breakAfter: { file: "model.safetensors", bytes: 30_000, times: 1 } };
    const error = await failure(FileError, resolve(ID, {}, 0));
    expect(error.message).toMatch(/no working connection|broken connection after 30000/);
    expect((await blobs()).filter((name) => name.endsWith(".incomplete"))).toHaveLength(1);
    await expect(lstat(join(repository(), "refs"))).rejects.toThrow("ENOENT");
    server.requests.length = 0;
    const { folder } = await resolve();
    expect(downloads().at(-1)!.range).toBe("bytes=30000-");
    expect(new Uint8Array(await readFile(join(folder, "model.safetensors")))).toEqual(WEIGHTS);
    expect((await blobs()).filter((name) => name.endsWith(".incomplete"))).toEqual([]);
  });

  it("starts anew when the server knows no ranges", async () => {
    server.faults = { breakAfter: { file: "model.safetensors", bytes: 30_000, times: 1 }, noRanges: true };
    const { folder } = await resolve();
    expect(new Uint8Array(await readFile(join(folder, "model.safetensors")))).toEqual(WEIGHTS);
  });

  it.each(["plain", "gzip"] as const)("stops reading a listing that never ends, %s", async (endlessListing) => {
    server.faults = { endlessListing };
    const before = process.memoryUsage.rss();
    const error: unknown = await resolve().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FileError);
    expect((error as Error).message).toContain("expected a list of files");
    expect((error as Error).message).toContain("got more than 32 MB");
    expect(process.memoryUsage.rss() - before).toBeLessThan(4e8);
  });

  it("takes no more of a file than the hub says it has", async () => {
    server.faults = { longer: "model.safetensors" };
    const { folder } = await resolve();
    expect(new Uint8Array(await readFile(join(folder, "model.safetensors")))).toEqual(WEIGHTS);
  });

  it("goes on from a part that is whole already, whose size nobody says", async () => {
    server.faults = { unsized: "config.json" };
    const { folder } = await resolve();
    const blob = await readlink(join(folder, "config.json"));
    const whole = join(folder, blob);
    const content = await readFile(whole);
    await rm(join(folder, "config.json"));
    await rm(whole);
    await writeFile(`${whole}.deft.incomplete`, content);
    expect(await readFile(join((await resolve()).folder, "config.json"))).toEqual(content);
  });

  it("refuses a small file that is not what git's digest says, and fetches it again", async () => {
    server.faults = { corrupt: "config.json" };
    const error: unknown = await resolve().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toMatch(/sha1: expected [0-9a-f]{40}, got [0-9a-f]{40}/);
    server.faults = {};
    expect(JSON.parse(await readFile(join((await resolve()).folder, "config.json"), "utf8"))).toEqual({
      model_type: "bert",
    });
  });

  it("refuses and removes content with another checksum", async () => {
    server.faults = { corrupt: "model.safetensors" };
    const error = await failure(CheckpointError, resolve());
    expect(error.issues.map(({ name }) => name)).toEqual(["sha256"]);
    expect((await blobs()).filter((name) => name.length > 40)).toEqual([]);
    server.faults = {};
    expect((await resolve()).commit).toBe(COMMIT);
  });

  it("offline, uses the cache and the network never", async () => {
    const error = await failure(FileError, resolve(ID, { HF_HUB_OFFLINE: "1" }));
    expect(error.message).toMatch(/tiny-org\/tiny-bert: expected it in the cache .*got no whole copy \(offline\)/);
    expect(error.hint).toMatch(/HF_HUB_OFFLINE/);
    await resolve();
    server.requests.length = 0;
    expect((await resolve(ID, { HF_HUB_OFFLINE: "1" })).commit).toBe(COMMIT);
    expect((await resolve(ID, { HF_HUB_OFFLINE: "yes", HF_ENDPOINT: "http://127.0.0.1:9" })).commit).toBe(COMMIT);
    expect(server.requests).toEqual([]);
  });

  it("takes a half-fetched model for absent when offline", async () => {
    const { folder } = await resolve();
    await rm(join(folder, "model.safetensors"));
    await failure(FileError, resolve(ID, { HF_HUB_OFFLINE: "1" }));
  });

  it("uses the cached copy, and says so, when the hub cannot be reached", async () => {
    await resolve();
    await server.close();
    expect((await resolve()).commit).toBe(COMMIT);
    expect(events.filter(({ status }) => status === "cached")).toHaveLength(1);
  });

  it("names the endpoint when there is no connection and no copy", async () => {
    await server.close();
    const error = await failure(FileError, resolve(ID, {}, 0));
    expect(error.message).toContain(`expected an answer from ${server.url}, got no working connection (ECONNREFUSED)`);
    expect(error.hint).toMatch(/HF_ENDPOINT/);
  });

  it("sends the token from the variable or from Python's file, and none otherwise", async () => {
    server.faults = { token: "secret" };
    const refused = await failure(FileError, resolve());
    expect(refused.hint).toMatch(/HF_TOKEN/);
    expect(server.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
    await writeFile(join(home, "token"), "secret\n");
    await resolve();
    await rm(repository(), { recursive: true });
    await rm(join(home, "token"));
    server.requests.length = 0;
    await resolve(ID, { HF_TOKEN: "secret" });
    const toHub = server.requests.filter(({ path }) => !path.startsWith("/storage/"));
    expect(new Set(toHub.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer secret"]));
  });

  it.each([
    [403, "GatedRepo", /may read, got status 403/, /Accept its terms/],
    [401, "", /got status 401/, /If it is private or gated/],
    [404, "RepoNotFound", /got status 404/, /If a local folder was meant: There is no/],
    [404, "RevisionNotFound", /branch, tag or commit/, /tree\/main/],
    [503, "", /got status 503/, /later/],
  ])("explains status %i %s", async (code, errorCode, message, hint) => {
    server.faults = { status: { code, errorCode } };
    const error = await failure(FileError, resolve());
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
    expect(await readdir(home)).toEqual([]);
  });

  it("says that a path is not there without asking the network", async () => {
    await mkdir(join(home, "models", "minilm"), { recursive: true });
    for (const path of [join(home, "models", "minilmm"), "./no-such-model", "a/b/c", "model.safetensors", "a\\b"]) {
      const error = await failure(FileError, resolve(path));
      expect(error.message).toContain(`${path}: expected a model folder, got nothing there`);
    }
    expect((await failure(FileError, resolve(join(home, "models", "minilmm")))).hint).toContain(
      'did you mean "minilm"?',
    );
    expect(server.requests).toEqual([]);
  });

  it("takes no path below a folder that is here for a hub id, unless it says so", async () => {
    // `src` is a folder of the one that tests run in
    const error = await failure(FileError, resolve("src/hbu"));
    expect(error.message).toContain("src/hbu: expected a model folder, got nothing there");
    expect(error.hint).toMatch(/There is no "hbu" in .*; did you mean "hub"\?\n.* hub is meant: src\/hbu@main$/s);
    expect(server.requests).toEqual([]);
    expect((await failure(FileError, resolve("src/hbu@main"))).message).toContain("got status 404");
    // what the cache has was meant before
    await mkdir(join(home, "hub", "models--src--hbu"), { recursive: true });
    expect((await failure(FileError, resolve("src/hbu"))).message).toContain("got status 404");
  });

  it("names the nearest folder where neither the disk nor the hub has the model", async () => {
    await server.close();
    const error = await failure(FileError, resolve("asstes/demo", {}, 0));
    expect(error.hint).toMatch(/If a local folder was meant: There is no "asstes" in .*; did you mean "assets"\?/);
  });

  it("takes a folder as it is, whatever its name", async () => {
    expect(await resolve(home)).toEqual({ folder: home, id: null, commit: null });
    expect(server.requests).toEqual([]);
  });

  it("lets two at once fetch each file once", async () => {
    const [a, b] = await Promise.all([resolve(), resolve()]);
    expect(a.folder).toBe(b.folder);
    expect(downloads()).toHaveLength(1);
  });

  it("takes over the lock of a process that is gone", async () => {
    const locks = join(home, "hub", ".locks", "models--tiny-org--tiny-bert");
    await mkdir(locks, { recursive: true });
    const sha256 = createHash("sha256").update(WEIGHTS).digest("hex");
    const { hostname } = await import("node:os");
    await writeFile(join(locks, `${sha256}.deft.lock`), JSON.stringify({ pid: 2 ** 30, host: hostname() }));
    expect((await resolve()).commit).toBe(COMMIT);
    expect(await readdir(locks)).toEqual([]);
  });

  describeWithPython("shares its cache", () => {
    it("is the cache Python reads offline", async () => {
      const { folder } = await resolve();
      const script = `
import json, sys
from huggingface_hub import hf_hub_download, snapshot_download, try_to_load_from_cache, scan_cache_dir
id = sys.argv[1]
print(json.dumps({
  "snapshot": snapshot_download(id, local_files_only=True, allow_patterns=["config.json", "*.safetensors"]),
  "weights": hf_hub_download(id, "model.safetensors"),
  "config": try_to_load_from_cache(id, "config.json"),
  "warnings": [str(w) for w in scan_cache_dir().warnings],
}))`;
      const seen = await python(script, [ID], { environment: { HF_HOME: home, HF_HUB_OFFLINE: "1" } });
      expect(seen).toEqual({
        snapshot: folder,
        weights: join(folder, "model.safetensors"),
        config: join(folder, "config.json"),
        warnings: [],
      });
    });

    it("finds what Python fetched", async () => {
      const script = `
import json, sys
from huggingface_hub import hf_hub_download
print(json.dumps([hf_hub_download(sys.argv[1], f) for f in ["config.json", "model.safetensors"]]))`;
      const environment = { HF_HOME: home, HF_ENDPOINT: server.url, HF_HUB_OFFLINE: "0", HF_HUB_DISABLE_XET: "1" };
      const [config] = (await python(script, [ID], { environment })) as string[];
      const { folder } = await resolve(ID, { HF_HUB_OFFLINE: "1" });
      expect(join(folder, "config.json")).toBe(config);
    });
  });
});
