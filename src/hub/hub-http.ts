// The hub's HTTP endpoints: what a repository holds, what a file is, and its bytes from any offset.
// Endpoints as huggingface_hub 2.4.0 `file_download.py` uses them.
import { createHash } from "node:crypto";
import { FileError, shownValue } from "../errors.ts";
import { parseBoundedJson } from "../tensor/index.ts";
import { joinBytes } from "./bytes.ts";
import { blobName, hasDigest } from "./hub.ts";
import {
  explained,
  followed,
  HOPS,
  type HubTarget,
  NOT_A_HUB,
  nextPlace,
  request,
  tooManyRedirects,
  withinTime,
} from "./hub-request.ts";
import { isJsonObject } from "./json-file.ts";

/** A repository at one commit. */
export interface Repository {
  readonly commit: string;
  readonly files: readonly string[];
}

/** What the hub says about a file before it is fetched. */
export interface RemoteFile {
  readonly url: string;
  readonly etag: string;
  /** What the cache calls it: its etag, where that is a digest of the content. */
  readonly blob: string;
  readonly sizeBytes: number | null;
}

/** One file's bytes from `offset`; `offset` is 0 when the server would not continue where it was asked to. */
export interface RemoteBytes {
  readonly offset: number;
  readonly totalBytes: number | null;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * The commit and the files of `id` at `revision`.
 * @throws {FileError} when there is no connection, no such model or revision, or no permission, or when the answer is no list.
 */
export async function repository(target: HubTarget, revision: string): Promise<Repository> {
  // loaded here: a local folder or a cached model does not need it
  const { modelInfo } = await import("@huggingface/hub");
  const { sha, filePaths } = await explained(target, () =>
    modelInfo({
      name: target.id,
      revision,
      hubUrl: target.endpoint,
      additionalFields: ["filePaths", "sha"],
      // its own check wants tokens to begin with `hf_`, which other endpoints' need not
      fetch: async (input, init) =>
        listing(target, await followed(target, input instanceof Request ? input.url : String(input), init ?? {})),
    }),
  );
  return { commit: sha!, files: filePaths };
}

/** What a list of a repository's files may take, unpacked, and how many times the wait for an answer it may come in. */
const MOST_ANSWER_BYTES = 2 ** 25;
const LISTING_WAITS = 4;

/** An answer with a commit and a list of files. @throws {FileError} when it holds something else, or does not end where a real one does. */
async function listing(target: HubTarget, response: Response): Promise<Response> {
  const { id, endpoint } = target;
  const refused = (got: string) =>
    new FileError(id, `expected a list of files from ${endpoint}, got ${got}`, { hint: NOT_A_HUB });
  const text = new TextDecoder().decode(await boundedBody(target, response, refused));
  let json: unknown;
  try {
    json = parseBoundedJson(text);
  } catch {
    throw refused(`what is not JSON: ${shownValue(text)}`);
  }
  const { sha, siblings } = isJsonObject(json) ? json : {};
  if (typeof sha !== "string" || !/^\w{1,64}$/.test(sha)) throw refused(`the commit ${shownValue(sha)}`);
  if (!Array.isArray(siblings)) throw refused(shownValue(siblings));
  const wrong = siblings.findIndex((one) => !isJsonObject(one) || typeof one.rfilename !== "string");
  if (wrong >= 0) throw refused(`${shownValue(siblings[wrong])} at ${wrong}`);
  return Response.json({ sha, siblings });
}

/** The body of an answer, however it was packed, as far as a real one goes. */
async function boundedBody(
  target: HubTarget,
  response: Response,
  refused: (got: string) => FileError,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const until = performance.now() + LISTING_WAITS * target.answerMs;
  const reader = response.body?.getReader();
  for (let size = 0; ; ) {
    const step = reader === undefined ? { done: true as const } : await withinTime(target, reader.read());
    if (step.done) return joinBytes(chunks);
    size += step.value.length;
    chunks.push(step.value);
    const isLate = performance.now() > until;
    if (size <= MOST_ANSWER_BYTES && !isLate) continue;
    void reader!.cancel().catch(() => {});
    throw refused(
      isLate
        ? `one that had not ended after ${(LISTING_WAITS * target.answerMs) / 1000} s`
        : `more than ${MOST_ANSWER_BYTES / 2 ** 20} MB`,
    );
  }
}

/** Sizes and ranges are those of the file, not of what it was packed to. */
const AS_IT_IS = { "accept-encoding": "identity" };

/**
 * The blob and the size of `file`, from the headers the hub sends before it redirects to its storage.
 * @throws {FileError} as `repository`.
 */
export async function remoteFile(target: HubTarget, commit: string, file: string): Promise<RemoteFile> {
  const url = `${target.endpoint}/${target.id}/resolve/${encodeURIComponent(commit)}/${encodeURIComponent(file)}`;
  return explained(target, async () => {
    let at = url;
    for (let hop = 0; hop < HOPS; hop++) {
      const { status, headers } = await request(target, at, { method: "HEAD", headers: AS_IT_IS });
      const isRedirect = status >= 300 && status < 400;
      // a renamed repository redirects within the hub; storage elsewhere knows nothing of commits and etags
      if (isRedirect && !headers.has("x-linked-etag")) {
        const next = nextPlace(target, headers, at);
        if (next.origin === new URL(at).origin) {
          at = next.href;
          continue;
        }
      }
      const size = headers.get("x-linked-size") ?? (isRedirect ? null : headers.get("content-length"));
      const etag = blobName(url, headers.get("x-linked-etag") ?? headers.get("etag"));
      return { url, etag, blob: hasDigest(etag) ? etag : ownBlob(etag, file), sizeBytes: sizeOf(url, size) };
    }
    throw tooManyRedirects(target, url);
  });
}

/** The blob of a file whose etag is no digest: other files may have the same one. */
function ownBlob(etag: string, file: string): string {
  return `${etag.slice(0, 60)}-${createHash("sha1").update(file).digest("hex").slice(0, 16)}`;
}

/** A number of bytes as a header says it; null where there is no such header. @throws {FileError} when it is none. */
function sizeOf(url: string, said: string | null): number | null {
  if (said === null) return null;
  if (/^\d{1,15}$/.test(said)) return Number(said);
  throw new FileError(url, `expected the size of a file, got ${shownValue(said)}`, { hint: NOT_A_HUB });
}

/**
 * The bytes of a file from `offset`. The iteration throws a `FileError` when the connection breaks.
 * @throws {FileError} as `repository`; when the answer is about other bytes than those asked for.
 */
export async function remoteBytes(target: HubTarget, file: RemoteFile, offset: number): Promise<RemoteBytes> {
  const headers: Record<string, string> = { ...AS_IT_IS, ...(offset > 0 ? { range: `bytes=${offset}-` } : {}) };
  const response = await explained(target, () => followed(target, file.url, { headers }, offset > 0 ? [416] : []));
  if (response.status === 416) {
    // nothing lies behind what is there: it may be whole, or another file's; from the beginning, it will be told
    await response.body?.cancel().catch(() => {});
    return remoteBytes(target, file, 0);
  }
  const range = response.headers.get("content-range");
  const [, begin, total] = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15})$/.exec(range ?? "") ?? [];
  const continues = response.status === 206 && begin !== undefined && Number(begin) === offset;
  const isPacked = !["identity", null].includes(response.headers.get("content-encoding"));
  const length = isPacked ? null : sizeOf(file.url, response.headers.get("content-length"));
  const totalBytes = continues ? Number(total) : length;
  const got =
    response.status === 206 && !continues
      ? `${shownValue(range)} in place of bytes from ${offset}`
      : isOtherSize(file, totalBytes)
        ? `an answer of ${totalBytes} bytes`
        : otherContent(file, response);
  if (got === null)
    return { offset: continues ? offset : 0, totalBytes, chunks: explainedChunks(target, response.body) };
  await response.body?.cancel().catch(() => {});
  const expected = `expected the ${file.sizeBytes === null ? "file" : `${file.sizeBytes} bytes`} that the hub told of`;
  throw new FileError(file.url, `${expected}, got ${got}`, {
    hint: "It was changed just now, or a proxy answers in the hub's place. Run again; if it stays so, check HF_ENDPOINT.",
  });
}

/** Whether an answer cannot be the file; what is longer is cut where the file ends, if a digest tells whether that is it. */
function isOtherSize({ sizeBytes, blob }: RemoteFile, totalBytes: number | null): boolean {
  if (sizeBytes === null || totalBytes === null) return false;
  return totalBytes < sizeBytes || (totalBytes > sizeBytes && !hasDigest(blob));
}

/** What a file without a digest has become since the hub told of it; null where nothing speaks of a change. */
function otherContent({ url, blob, etag }: RemoteFile, { headers, url: at }: Response): string | null {
  const now = headers.get("x-linked-etag") ?? headers.get("etag");
  // storage has etags of its own
  if (hasDigest(blob) || now === null || new URL(at).origin !== new URL(url).origin) return null;
  return blobName(url, now) === etag ? null : `other content, with the etag ${shownValue(now)}`;
}

async function* explainedChunks(target: HubTarget, body: ReadableStream<Uint8Array> | null) {
  if (body === null) return;
  const reader = body.getReader();
  try {
    for (;;) {
      const step = await explained(target, () => withinTime(target, reader.read()));
      if (step.done) return;
      yield step.value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
