// The hub's HTTP endpoints: what a repository holds, what a file is, and its bytes from any offset.
// Endpoints as huggingface_hub 2.4.0 `file_download.py` uses them.
import { DeftError, FileError } from "../errors.ts";
import { joinBytes } from "./bytes.ts";
import { blobName, type HubSettings } from "./hub.ts";

/** The model that is asked for, and the hub that is asked. */
export interface HubTarget extends HubSettings {
  readonly id: string;
  /** What to say of a local folder of that name, when the hub has no such model. */
  readonly localHint: string;
}

/** A repository at one commit. */
export interface Repository {
  readonly commit: string;
  readonly files: readonly string[];
}

/** What the hub says about a file before it is fetched. */
export interface RemoteFile {
  readonly url: string;
  readonly blob: string;
  readonly sizeBytes: number | null;
}

/** One file's bytes from `offset`; `offset` is 0 when the server would not continue where it was asked to. */
export interface RemoteBytes {
  readonly offset: number;
  readonly totalBytes: number | null;
  readonly chunks: AsyncIterable<Uint8Array>;
}

const ANSWER_MS = 30_000;
const HOPS = 5;

/**
 * The commit and the files of `id` at `revision`.
 * @throws {FileError} when there is no connection, no such model or revision, or no permission.
 */
export async function repository(target: HubTarget, revision: string): Promise<Repository> {
  // loaded here: a local folder or a cached model does not need it
  const { modelInfo } = await import("@huggingface/hub");
  const info = await explained(target, () =>
    modelInfo({
      name: target.id,
      revision,
      hubUrl: target.endpoint,
      additionalFields: ["filePaths", "sha"],
      // its own check wants tokens to begin with `hf_`, which other endpoints' need not
      fetch: async (input, init) =>
        boundedAnswer(target, await request(target, input instanceof Request ? input.url : input, init ?? {})),
    }),
  );
  const { sha, filePaths } = info;
  if (typeof sha !== "string" || !/^\w{1,64}$/.test(sha) || !Array.isArray(filePaths)) {
    throw new FileError(target.id, `expected a commit and a list of files from ${target.endpoint}, got neither`, {
      hint: "The server is not a Hugging Face hub; check HF_ENDPOINT.",
    });
  }
  return { commit: sha, files: filePaths };
}

/** What a list of a repository's files may take, unpacked. */
const MOST_ANSWER_BYTES = 2 ** 25;

/** An answer whose body has been read, however it was packed, as far as a real one goes. @throws {FileError} beyond that. */
async function boundedAnswer({ id, endpoint }: HubTarget, response: Response): Promise<Response> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const step = reader === undefined ? { done: true as const } : await withinTime(reader.read());
    if (step.done) break;
    size += step.value.length;
    chunks.push(step.value);
    if (size <= MOST_ANSWER_BYTES) continue;
    void reader!.cancel().catch(() => {});
    throw new FileError(
      id,
      `expected a list of files from ${endpoint}, got more than ${MOST_ANSWER_BYTES / 2 ** 20} MB`,
      {
        hint: "The server is not a Hugging Face hub; check HF_ENDPOINT.",
      },
    );
  }
  const headers = new Headers(response.headers);
  for (const name of ["content-encoding", "content-length"]) headers.delete(name);
  return new Response(joinBytes(chunks), { status: response.status, headers });
}

/**
 * The blob and the size of `file`, from the headers the hub sends before it redirects to its storage.
 * @throws {FileError} as `repository`.
 */
export async function remoteFile(target: HubTarget, commit: string, file: string): Promise<RemoteFile> {
  const url = `${target.endpoint}/${target.id}/resolve/${encodeURIComponent(commit)}/${encodeURIComponent(file)}`;
  return explained(target, async () => {
    let at = url;
    for (let hop = 0; hop < HOPS; hop++) {
      const init = { method: "HEAD", redirect: "manual", headers: { "accept-encoding": "identity" } } as const;
      const { status, headers } = await request(target, at, init);
      const isRedirect = status >= 300 && status < 400;
      const next = isRedirect ? new URL(headers.get("location") ?? "", at) : null;
      // a renamed repository redirects within the hub; storage elsewhere knows nothing of commits and etags
      if (next !== null && next.origin === new URL(at).origin && !headers.has("x-linked-etag")) {
        at = next.href;
        continue;
      }
      const size = headers.get("x-linked-size") ?? (isRedirect ? null : headers.get("content-length"));
      const blob = blobName(url, headers.get("x-linked-etag") ?? headers.get("etag"));
      return { url, blob, sizeBytes: size === null ? null : Number(size) };
    }
    throw new FileError(url, `expected an answer, got more than ${HOPS} redirects`);
  });
}

/**
 * The bytes of a file from `offset`. The iteration throws a `FileError` when the connection breaks.
 * @throws {FileError} as `repository`.
 */
export async function remoteBytes(target: HubTarget, file: RemoteFile, offset: number): Promise<RemoteBytes> {
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (offset > 0) headers.range = `bytes=${offset}-`;
  const response = await explained(target, () => request(target, file.url, { headers }, offset > 0 ? [416] : []));
  if (response.status === 416) {
    // nothing lies behind what is there: it may be whole, or another file's; from the beginning, it will be told
    await response.body?.cancel().catch(() => {});
    return remoteBytes(target, file, 0);
  }
  const body = response.body ?? new Blob([]).stream();
  const length = response.headers.get("content-length");
  const [, begin, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "") ?? [];
  const continues = response.status === 206 && begin !== undefined && Number(begin) === offset;
  if (response.status === 206 && !continues) {
    throw new FileError(file.url, `expected bytes from ${offset}, got ${response.headers.get("content-range")}`);
  }
  const totalBytes = continues ? Number(total) : length === null ? null : Number(length);
  return { offset: continues ? offset : 0, totalBytes, chunks: explainedChunks(target, body) };
}

async function* explainedChunks(target: HubTarget, body: ReadableStream<Uint8Array>) {
  const reader = body.getReader();
  try {
    for (;;) {
      const step = await explained(target, () => withinTime(reader.read()));
      if (step.done) return;
      yield step.value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function withinTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came for ${ANSWER_MS / 1000} s`)), ANSWER_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function request(
  target: HubTarget,
  url: string | URL,
  init: RequestInit,
  also: readonly number[] = [],
): Promise<Response> {
  const headers = new Headers(init.headers);
  // fetch drops this header by itself when it is redirected to another host
  if (target.token !== null) headers.set("authorization", `Bearer ${target.token}`);
  const response = await withinTime(fetch(url, { ...init, headers }));
  if (response.status < 400 || also.includes(response.status)) return response;
  throw refusal(target, response);
}

function refusal({ endpoint, token, id, localHint }: HubTarget, { status, headers, url }: Response): FileError {
  const code = headers.get("x-error-code");
  const page = `${endpoint}/${id}`;
  const access = `Accept its terms at ${page} and set HF_TOKEN to a token of that account (${endpoint}/settings/tokens).`;
  if (code === "GatedRepo" || status === 403) {
    return new FileError(id, `expected a model you may read, got status ${status} (gated or private)`, {
      hint: access,
    });
  }
  if (code === "RevisionNotFound") {
    return new FileError(id, "expected a branch, tag or commit of this model, got one that does not exist", {
      hint: `See ${page}/tree/main for those there are.`,
    });
  }
  if (status === 401) {
    const hint =
      token === null
        ? `If it is private or gated: ${access}\n${localHint}`
        : `The hub did not accept this HF_TOKEN for it. ${access}\n${localHint}`;
    return new FileError(id, "expected a model on the hub, got status 401 (no such model, or private)", { hint });
  }
  if (status === 404) {
    return new FileError(id, `expected a model on ${endpoint}, got status 404 (nothing at ${url})`, {
      hint: localHint,
    });
  }
  return new FileError(id, `expected an answer from ${endpoint}, got status ${status}`, {
    hint: status === 429 ? "Too many requests: wait a little, or set HF_TOKEN." : "Try again later.",
    cause: new Error(`HTTP status ${status}`),
  });
}

/** Whether an error is the network's, so that the same request may succeed later: those, and only those, have a cause. */
export function mayPass(error: unknown): error is FileError {
  return error instanceof FileError && error.cause !== undefined;
}

/** Turns a failed connection into a `FileError` that names the place and the mend. */
async function explained<T>({ id, endpoint, localHint }: HubTarget, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof DeftError) throw cause;
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    const code = inner instanceof Error && "code" in inner ? String(inner.code) : undefined;
    const reason = code ?? (inner instanceof Error ? inner.message : String(inner));
    throw new FileError(id, `expected an answer from ${endpoint}, got no working connection (${reason})`, {
      hint: `Check the network and HF_ENDPOINT and run again: what was fetched is kept. A local folder needs no network. ${localHint}`,
      cause,
    });
  }
}
