// Requests to the hub: who may be asked, with which token, for how long, and what each refusal means.
import { DeftError, FileError, shownValue } from "../errors.ts";
import type { HubSettings } from "./hub.ts";

/** The model that is asked for, and the hub that is asked. */
export interface HubTarget extends HubSettings {
  readonly id: string;
  /** What to say of a local folder of that name, when the hub has no such model. */
  readonly localHint: string;
  /** How long an answer, or the next part of one, is waited for. */
  readonly answerMs: number;
}

/** Redirects of one request. */
export const HOPS = 5;
export const NOT_A_HUB = "The server is not a Hugging Face hub, or a proxy answers in its place; check HF_ENDPOINT.";

/** What `work` gives. @throws {Error} when nothing comes in time; `stop` is then called. */
export async function withinTime<T>({ answerMs }: HubTarget, work: Promise<T>, stop = () => {}): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`nothing came for ${answerMs / 1000} s`));
      stop();
    }, answerMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One request, whose redirects are the caller's; statuses from 400 on are errors but for those in `also`. */
export async function request(
  target: HubTarget,
  url: string,
  init: RequestInit,
  also: readonly number[] = [],
): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.delete("authorization");
  // the token is the hub's, and nobody else's
  if (target.token !== null && new URL(url).origin === new URL(target.endpoint).origin)
    headers.set("authorization", `Bearer ${target.token}`);
  const abort = new AbortController();
  const asked = fetch(url, { ...init, headers, redirect: "manual", signal: abort.signal });
  const response = await withinTime(target, asked, () => abort.abort());
  if (response.status < 400 || also.includes(response.status)) return response;
  await response.body?.cancel().catch(() => {});
  throw refusal(target, response);
}

/** A request and its redirects, to other hosts as well. Errors as `request`. */
export async function followed(
  target: HubTarget,
  url: string,
  init: RequestInit,
  also: readonly number[] = [],
): Promise<Response> {
  let at = url;
  for (let hop = 0; hop <= HOPS; hop++) {
    const response = await request(target, at, init, also);
    if (response.status < 300 || response.status >= 400) return response;
    await response.body?.cancel().catch(() => {});
    at = nextPlace(target, response.headers, at).href;
  }
  throw tooManyRedirects(target, url);
}

/** Where an answer redirects to. @throws {FileError} when that is no place that one may be sent to. */
export function nextPlace({ id }: HubTarget, headers: Headers, at: string): URL {
  const said = headers.get("location");
  const next = said !== null && URL.canParse(said, at) ? new URL(said, at) : null;
  // what was asked for in private is not fetched in public
  const allowed = new URL(at).protocol === "https:" ? ["https:"] : ["http:", "https:"];
  if (next !== null && allowed.includes(next.protocol)) return next;
  const got = said === null ? "one that says no place" : shownValue(said);
  throw new FileError(id, `expected a redirect to ${allowed.join(" or ")}, got ${got} from ${at}`, { hint: NOT_A_HUB });
}

export function tooManyRedirects({ id }: HubTarget, url: string): FileError {
  return new FileError(id, `expected an answer, got more than ${HOPS} redirects from ${url}`, { hint: NOT_A_HUB });
}

function refusal({ endpoint, token, id, localHint }: HubTarget, { status, headers, url }: Response): FileError {
  if (new URL(url).origin !== new URL(endpoint).origin) {
    // addresses in storage are given anew for each request, for a while
    return new FileError(
      id,
      `expected a file from the hub's storage, got status ${status} from ${new URL(url).origin}`,
      {
        hint: "Run again: what was fetched is kept. If it stays so, the storage, or a proxy before it, does not give it.",
        cause: new Error(`HTTP status ${status}`),
      },
    );
  }
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
  const isPassing = status >= 500 || PASSING.includes(status);
  return new FileError(id, `expected an answer from ${endpoint}, got status ${status}`, {
    hint:
      status === 429
        ? "Too many requests: wait a little, or set HF_TOKEN."
        : isPassing
          ? "Try again later."
          : "The hub, or a proxy before it, refuses this request; check HF_ENDPOINT and the proxy.",
    ...(isPassing ? { cause: new Error(`HTTP status ${status}`) } : {}),
  });
}

/** Statuses below 500 that may be others a little later. */
const PASSING: readonly number[] = [408, 425, 429];

/** Whether an error is the network's, so that the same request may succeed later: those, and only those, have a cause. */
export function mayPass(error: unknown): error is FileError {
  return error instanceof FileError && error.cause !== undefined;
}

/** Turns a failed connection into a `FileError` that names the place and the mend. */
export async function explained<T>({ id, endpoint, localHint }: HubTarget, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof DeftError) throw cause;
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    const code = inner instanceof Error && "code" in inner ? String(inner.code) : undefined;
    // some refusals of the engine say nothing further inside
    const said = [inner, cause].map((one) => (one instanceof Error ? one.message : String(one)));
    const reason = code ?? said.find((text) => text !== "") ?? "no reason given";
    throw new FileError(id, `expected an answer from ${endpoint}, got no working connection (${reason})`, {
      hint: `Check the network and HF_ENDPOINT and run again: what was fetched is kept. A local folder needs no network. ${localHint}`,
      cause,
    });
  }
}
