// The lock of one download: who comes second waits, and finds the file there. Its holder gives a sign of life while it works.
import { open, readFile, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { FileError } from "../errors.ts";
import { parseBoundedJson } from "../tensor/index.ts";
import { isJsonObject } from "./json-file.ts";
import { isThere } from "./lock-node.ts";

const POLL_MS = 100;
const HEARTBEAT_MS = 10_000;
const STALE_MS = 60_000;

/** Runs `act` while holding a lock file; one left behind by a process that is gone is taken over. */
export async function withBlobLock<T>(path: string, act: () => Promise<T>): Promise<T> {
  const owner = JSON.stringify({ pid: process.pid, host: hostname() });
  while (!(await claimed(path, owner))) {
    if (await isAbandoned(path)) await rm(path, { force: true });
    else await new Promise((done) => setTimeout(done, POLL_MS));
  }
  const beat = setInterval(() => utimes(path, new Date(), new Date()).catch(() => {}), HEARTBEAT_MS);
  try {
    return await act();
  } finally {
    clearInterval(beat);
    await rm(path, { force: true });
  }
}

async function claimed(path: string, owner: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(owner);
    await file.close();
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") return false;
    throw new FileError(path, `cannot lock: expected a folder that one may write, got ${(cause as Error).message}`, {
      hint: "Mend its permissions or free some space, or set HF_HUB_CACHE to another folder.",
      cause,
    });
  }
}

/** Whether a lock's holder gives no sign of life any more, or its process is gone; one that is being made or released just now is not. */
async function isAbandoned(path: string): Promise<boolean> {
  try {
    const [{ mtimeMs }, text] = [await stat(path), await readFile(path, "utf8")];
    if (Date.now() - mtimeMs > STALE_MS) return true;
    const owner: unknown = parseBoundedJson(text);
    if (!isJsonObject(owner) || typeof owner.host !== "string" || typeof owner.pid !== "number") return false;
    return !isThere({ pid: owner.pid, host: owner.host, started: null });
  } catch {
    return false;
  }
}
