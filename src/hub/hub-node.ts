// A model's folder from its name: a local folder, or the Hugging Face cache that Python shares, filled when needed.
// Layout: huggingface_hub `models--org--name/{refs,blobs,snapshots}`.
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, statfs, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { CheckpointError, DeftError, FileError, shownValue } from "../errors.ts";
import { parseBoundedJson } from "../tensor/index.ts";
import { withBlobLock } from "./blob-lock-node.ts";
import { missingHint, nodeFiles } from "./files-node.ts";
import {
  type EnvironmentVariables,
  type HubEvent,
  hasDigest,
  hubSettings,
  isSha256,
  isWholeModel,
  parseModelReference,
  repositoryFolder,
  wantedFiles,
} from "./hub.ts";
import { type RemoteFile, remoteBytes, remoteFile, repository } from "./hub-http.ts";
import { type HubTarget, mayPass } from "./hub-request.ts";
import { isJsonObject } from "./json-file.ts";

export interface ResolveOptions {
  /** Variables in place of the process's own. */
  readonly environment?: EnvironmentVariables;
  readonly onProgress?: (event: HubEvent) => void;
  /** How often in a row a download may break without any progress, and the first pause, which doubles; 0: never. */
  readonly retries?: number;
  readonly retryDelayMs?: number;
  /** How long an answer of the hub, or the next part of one, is waited for. Default: 30,000. */
  readonly answerMs?: number;
}

/** A model's folder on this disk; `id` and `commit` are null for a local folder. */
export interface ResolvedModel {
  readonly folder: string;
  readonly id: string | null;
  readonly commit: string | null;
}

/** What one call works with. */
interface Session extends HubTarget {
  readonly root: string;
  readonly report: (event: HubEvent) => void;
  readonly retries: number;
  readonly retryDelayMs: number;
}

const files = nodeFiles();

/**
 * The folder of a model named by path or by `org/name[@revision]`. Hub models are fetched into the shared cache:
 * configuration, tokenizer and one set of weights; each download is continued where it broke and checked.
 * @throws {FileError} when there is no such folder or model, no permission or connection, or no space.
 * @throws {CheckpointError} when what arrived is not what the hub promised.
 */
export async function resolveModel(
  model: string,
  {
    environment = process.env,
    onProgress = () => {},
    retries = 4,
    retryDelayMs = 500,
    answerMs = 30_000,
  }: ResolveOptions = {},
): Promise<ResolvedModel> {
  const path = model.startsWith("~/") ? join(homedir(), model.slice(2)) : model;
  if ((await files.stat(path)) !== null) return { folder: path, id: null, commit: null };
  const reference = parseModelReference(model);
  if (reference.kind === "local") {
    throw new FileError(model, "expected a model folder, got nothing there", { hint: await missingHint(path) });
  }
  const settings = hubSettings(environment, homedir());
  const { id, revision } = reference;
  const root = join(settings.cacheFolder, repositoryFolder(id));
  if (await isPath(model, id, root)) {
    const hint = `${await missingHint(path)}\nIf a model of the Hugging Face hub is meant: ${id}@main`;
    throw new FileError(model, "expected a model folder, got nothing there", { hint });
  }
  const token = settings.token ?? (await tokenIn(settings.tokenFile));
  const localHint = `If a local folder was meant: ${await missingHint(path)}`;
  const asked = { ...settings, token, id, localHint, answerMs };
  const session: Session = { ...asked, root, report: onProgress, retries, retryDelayMs };
  const found = await located(session, revision);
  onProgress({ status: "ready", name: id, folder: found.folder });
  return { ...found, id };
}

/** Whether `folder/name` is a path and no hub id: the folder is here, and the hub's cache has no such model. `folder/name@revision` is an id. */
async function isPath(model: string, id: string, cached: string): Promise<boolean> {
  if (model !== id || !id.includes("/")) return false;
  return (await files.stat(id.slice(0, id.indexOf("/"))))?.isFolder === true && (await files.stat(cached)) === null;
}

/** The folder for things this project computes and may compute again: `DEFT_CACHE`, or the user's cache folder. */
export function deftCacheFolder(environment: EnvironmentVariables = process.env): string {
  return environment.DEFT_CACHE || join(environment.XDG_CACHE_HOME || join(homedir(), ".cache"), "deft");
}

interface Found {
  readonly folder: string;
  readonly commit: string;
}

async function located(session: Session, revision: string): Promise<Found> {
  const isCommit = /^[0-9a-f]{40}$/.test(revision);
  const cached = await cachedSnapshot(session, revision);
  if (cached !== null && (isCommit || session.isOffline)) return cached;
  if (session.isOffline) {
    throw new FileError(session.id, `expected it in the cache ${session.cacheFolder}, got no whole copy (offline)`, {
      hint: `To fetch it, unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE; or pass a local folder. ${session.localHint}`,
    });
  }
  try {
    const { commit, files: names } = await repository(session, revision);
    return await fetched(session, revision, commit, names);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    // as Python: when the hub cannot be asked, yesterday's copy is better than none
    if (cached === null) throw error;
    session.report({ status: "cached", name: session.id, reason: error.message });
    return cached;
  }
}

async function cachedSnapshot({ root }: Session, revision: string): Promise<Found | null> {
  const ref = await readFile(join(root, "refs", revision), "utf8").catch(() => revision);
  const commit = ref.trim();
  const folder = join(root, "snapshots", commit);
  if (!/^\w{1,64}$/.test(commit) || (await files.stat(folder)) === null) return null;
  const names: string[] = [];
  const shards: string[] = [];
  for (const name of await files.list(folder)) {
    // a link whose blob was removed is as good as absent
    if ((await files.stat(join(folder, name))) !== null) names.push(name);
    if (name.endsWith(".index.json")) shards.push(...(await shardsIn(join(folder, name))));
  }
  return isWholeModel(names, shards) ? { folder, commit } : null;
}

async function shardsIn(index: string): Promise<string[]> {
  try {
    const json: unknown = parseBoundedJson(await readFile(index, "utf8"));
    const map = isJsonObject(json) && isJsonObject(json.weight_map) ? json.weight_map : {};
    return [...new Set(Object.values(map).map(String))];
  } catch {
    return ["an index that can be read"];
  }
}

async function tokenIn(path: string): Promise<string | null> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.trim() || null;
}

/** The largest models of the hub have a few hundred shards. */
const MOST_FILES = 2000;

async function fetched(session: Session, revision: string, commit: string, names: readonly string[]): Promise<Found> {
  const wanted = wantedFiles(names);
  if (!isWholeModel(wanted, [])) {
    const some = names.slice(0, 12).map(shownValue);
    const got = names.length === 0 ? "no files" : `${some.join(", ")}${names.length > 12 ? ", …" : ""}`;
    throw new FileError(session.id, `expected config.json and model.safetensors or pytorch_model.bin, got ${got}`, {
      hint: "This repository holds no such model: name one that does, or a branch that has its weights (NAME@BRANCH).",
    });
  }
  if (wanted.length > MOST_FILES) {
    throw new FileError(session.id, `expected a model of at most ${MOST_FILES} files, got ${wanted.length}`, {
      hint: "The server is not a Hugging Face hub; check HF_ENDPOINT.",
    });
  }
  const folder = join(session.root, "snapshots", commit);
  for (const name of wanted) {
    const pointer = join(folder, name);
    if ((await files.stat(pointer)) === null) await fetchFile(session, commit, name, pointer);
  }
  // last, so that a name never points to half a model
  if (revision !== commit) await files.write(join(session.root, "refs", revision), commit);
  return { folder, commit };
}

async function fetchFile(session: Session, commit: string, name: string, pointer: string): Promise<void> {
  session.report({ status: "initiate", name: session.id, file: name });
  const remote = await remoteFile(session, commit, name);
  const blob = join(session.root, "blobs", remote.blob);
  const lock = join(session.cacheFolder, ".locks", repositoryFolder(session.id), `${remote.blob}.deft.lock`);
  await onDisk(pointer, async () => {
    await mkdir(dirname(blob), { recursive: true });
    await mkdir(dirname(pointer), { recursive: true });
    await mkdir(dirname(lock), { recursive: true });
  });
  await withBlobLock(lock, async () => {
    if ((await files.stat(blob)) === null) await download(session, name, remote, blob);
    await onDisk(pointer, () => link(blob, pointer));
  });
  const { sizeBytes } = (await files.stat(pointer))!;
  session.report({ status: "done", name: session.id, file: name, loaded: sizeBytes, total: sizeBytes });
}

async function link(blob: string, pointer: string): Promise<void> {
  await rm(pointer, { force: true });
  // where links are not allowed (Windows), Python moves the blob to the pointer's place too
  await symlink(relative(dirname(pointer), blob), pointer).catch(() => rename(blob, pointer));
}

/**
 * Fetches into `BLOB.deft.incomplete` until it is whole, checks it, and gives it its name. A part that an earlier attempt left may be of
 * something else: what is not right with it is fetched once more from the beginning.
 */
async function download(session: Session, name: string, remote: RemoteFile, blob: string): Promise<void> {
  const partial = `${blob}.deft.incomplete`;
  for (let wasThere = (await sizeAt(partial)) > 0; ; wasThere = false) {
    await fetchWhole(session, name, remote, partial);
    try {
      await checked(remote, partial);
      break;
    } catch (error) {
      if (!wasThere || !(error instanceof CheckpointError)) throw error;
    }
  }
  await files.rename(partial, blob);
}

const sizeAt = async (path: string) => (await files.stat(path))?.sizeBytes ?? 0;

/** Fetches what is missing, again and again while that brings something forward. */
async function fetchWhole(session: Session, name: string, remote: RemoteFile, partial: string): Promise<void> {
  let most = await sizeAt(partial);
  for (let fruitless = 0; ; ) {
    try {
      await onDisk(partial, () => fetchRest(session, name, remote, partial));
      return;
    } catch (error) {
      const size = await sizeAt(partial);
      // an attempt that brought something forward is not held against the server
      fruitless = size > most ? 0 : fruitless + 1;
      most = Math.max(most, size);
      const isOver = session.retries === 0 || fruitless > session.retries;
      if (!mayPass(error) || error.file !== session.id || isOver) throw error;
      session.report({ status: "retry", name: session.id, file: name, reason: error.message.split("\n")[0]! });
      await new Promise((done) => setTimeout(done, session.retryDelayMs * 2 ** fruitless));
    }
  }
}

const REPORT_BYTES = 1 << 20;

async function fetchRest(session: Session, name: string, remote: RemoteFile, partial: string): Promise<void> {
  const file = await open(partial, "a");
  try {
    const held = (await file.stat()).size;
    if (remote.sizeBytes !== null && held === remote.sizeBytes) return;
    if (remote.sizeBytes !== null && held > remote.sizeBytes) await file.truncate(0);
    const from = remote.sizeBytes !== null && held > remote.sizeBytes ? 0 : held;
    const { offset, totalBytes, chunks } = await remoteBytes(session, remote, from);
    if (offset !== from) await file.truncate(offset);
    const total = remote.sizeBytes ?? totalBytes;
    if (total === null && !hasDigest(remote.blob))
      throw new FileError(remote.url, `expected the size of ${name} or its digest, got neither`, {
        hint: "Whether it arrived whole could not be told. The server is not a Hugging Face hub; check HF_ENDPOINT.",
      });
    await requireSpace(partial, total === null ? 0 : total - offset);
    const most = total ?? MOST_UNKNOWN_BYTES;
    const loaded = await appendChunks(file, { offset, most }, chunks, (bytes) =>
      session.report({ status: "progress", name: session.id, file: name, loaded: bytes, total }),
    );
    if (total !== null && loaded < total) {
      throw new FileError(session.id, `expected ${total} bytes of ${name}, got a broken connection after ${loaded}`, {
        hint: "Run again: it continues where it broke.",
        cause: new Error("the body ended early"),
      });
    }
    if (total === null && loaded >= most) {
      await file.truncate(0);
      throw new FileError(remote.url, `expected the size of ${name}, got none and more than ${most / 2 ** 30} GB`, {
        hint: "The server is not a Hugging Face hub; check HF_ENDPOINT.",
      });
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What a file may hold whose size the server does not say. */
const MOST_UNKNOWN_BYTES = 2 ** 30;

/** Appends what comes, up to `most` bytes of the whole file: what a server sends beyond is no part of it. */
async function appendChunks(
  file: FileHandle,
  { offset, most }: { readonly offset: number; readonly most: number },
  chunks: AsyncIterable<Uint8Array>,
  report: (loaded: number) => void,
): Promise<number> {
  let loaded = offset;
  let reported = offset;
  for await (const chunk of chunks) {
    const part = chunk.subarray(0, most - loaded);
    await file.writeFile(part);
    loaded += part.length;
    if (part.length < chunk.length) break;
    if (loaded - reported >= REPORT_BYTES) report((reported = loaded));
  }
  if (loaded !== reported) report(loaded);
  return loaded;
}

async function requireSpace(path: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path));
  if (bavail * bsize >= neededBytes) return;
  throw new FileError(dirname(path), `expected ${neededBytes} bytes free, got ${bavail * bsize}`, {
    hint: "Free some space, or set HF_HUB_CACHE to a folder on another disk.",
  });
}

/** Refuses and removes a download whose size or digest is not what the hub said: SHA-256 of large files, git's SHA-1 of the others. */
async function checked({ blob, sizeBytes, url }: RemoteFile, partial: string): Promise<void> {
  const got = (await stat(partial)).size;
  const kind = isSha256(blob) ? "sha256" : hasDigest(blob) ? "sha1" : null;
  const digest = kind === null ? null : await digestOf(partial, kind, kind === "sha1" ? `blob ${got}\0` : "");
  const issues = [];
  if (sizeBytes !== null && got !== sizeBytes)
    issues.push({ name: "size", expected: `${sizeBytes} bytes`, got: `${got}` });
  if (digest !== null && digest !== blob) issues.push({ name: kind!, expected: blob, got: digest });
  if (issues.length === 0) return;
  await rm(partial, { force: true });
  throw new CheckpointError(url, issues, {
    hint: "What arrived is not what the hub has, and was removed. Run again; if it stays so, the server or a proxy alters it.",
  });
}

async function digestOf(path: string, kind: string, before: string): Promise<string> {
  const hash: Hash = createHash(kind).update(before);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

/** What the cache's disk refuses, with its mend. */
async function onDisk<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof DeftError || !(cause instanceof Error) || !("code" in cause)) throw cause;
    const hint = "Free some space or mend its permissions, or set HF_HUB_CACHE to another folder.";
    throw new FileError(path, `cannot write: expected room in the cache, got ${String(cause.code)}`, { hint, cause });
  }
}
