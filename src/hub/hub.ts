// What the Hugging Face hub's names, variables and file lists mean; no network and no disk here.
import { FileError, shownValue } from "../errors.ts";

/** A model as a person names it: a folder, or `org/name[@revision]` on the hub. */
export type ModelReference =
  | { readonly kind: "local"; readonly path: string }
  | { readonly kind: "hub"; readonly id: string; readonly revision: string };

const ID = /^[A-Za-z0-9][\w.-]{0,95}(?:\/[A-Za-z0-9][\w.-]{0,95})?$/;
const FILE_ENDING = /\.(safetensors|bin|json|onnx|pt|txt|gguf|zip)$/i;

/** How a model's name reads when no such folder exists: anything that cannot be a hub id is a path. */
export function parseModelReference(model: string): ModelReference {
  const [id = "", revision = "main", ...rest] = model.split("@");
  const isId = ID.test(id) && !id.includes("..") && !id.includes("--") && !FILE_ENDING.test(id);
  const isRevision = /^[\w][\w./-]*$/.test(revision) && !revision.includes("..") && rest.length === 0;
  return isId && isRevision ? { kind: "hub", id, revision } : { kind: "local", path: model };
}

/** Where the hub is and how to speak to it. */
export interface HubSettings {
  readonly endpoint: string;
  /** The `hub` cache folder Python shares. */
  readonly cacheFolder: string;
  readonly token: string | null;
  /** A file with the token, read when no variable gives one. */
  readonly tokenFile: string;
  readonly isOffline: boolean;
}

/** Environment variables by name. */
export type EnvironmentVariables = Readonly<Record<string, string | undefined>>;

/**
 * Settings as Python's huggingface_hub reads them from `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, `HF_ENDPOINT`,
 * `HF_HUB_OFFLINE` and their older names.
 * @see huggingface_hub 2.4.0 `constants.py`
 */
export function hubSettings(environment: EnvironmentVariables, home: string): HubSettings {
  const first = (...names: readonly string[]) => names.map((name) => environment[name]?.trim()).find((value) => value);
  const expanded = (path: string) => (path === "~" || path.startsWith("~/") ? `${home}${path.slice(1)}` : path);
  const hfHome = expanded(first("HF_HOME") ?? `${first("XDG_CACHE_HOME") ?? `${home}/.cache`}/huggingface`);
  const offline = first("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE");
  return {
    endpoint: (first("HF_ENDPOINT") ?? "https://huggingface.co").replace(/\/+$/, ""),
    cacheFolder: expanded(first("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? `${hfHome}/hub`),
    token: first("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") ?? null,
    tokenFile: expanded(first("HF_TOKEN_PATH") ?? `${hfHome}/token`),
    isOffline: /^(1|true|yes|on)$/i.test(offline ?? ""),
  };
}

const TEXT_FILES =
  /^((generation_)?config\.json|tokenizer[\w.-]*|vocab\.(txt|json)|merges\.txt|special_tokens_map\.json|added_tokens\.json|spiece\.model|sentencepiece\.bpe\.model|adapter_config\.json|head_config\.json|deft(-pruning)?\.json)$/;

// the first group that is present is taken: a repository often holds the same weights several times
const WEIGHT_GROUPS: readonly RegExp[] = [
  /^model\.safetensors$/,
  /^model(-\d+-of-\d+\.safetensors|\.safetensors\.index\.json)$/,
  /^[\w.-]+\.safetensors$/,
  /^pytorch_model\.bin$/,
  /^pytorch_model(-\d+-of-\d+\.bin|\.bin\.index\.json)$/,
];
const ADAPTER_GROUPS: readonly RegExp[] = [
  /^(adapter_model|adapter|model_head)\.safetensors$/,
  /^(adapter_model|pytorch_adapter|pytorch_model_head)\.bin$/,
];

/** No file system takes a longer name together with the endings that the cache adds. */
const LONGEST_NAME = 200;

/**
 * The files of a repository that are fetched: configuration, tokenizer, and one set of weights; nothing in folders. Weights come last, and
 * an index before what it names: what broke off on the way is then not a whole model.
 */
export function wantedFiles(all: readonly string[]): string[] {
  const names = [...new Set(all)].filter((name) => name.length <= LONGEST_NAME);
  const adapter = ADAPTER_GROUPS.map((group) => names.filter((name) => group.test(name)));
  const rest = names.filter((name) => !ADAPTER_GROUPS.some((group) => group.test(name)));
  const weights = WEIGHT_GROUPS.map((group) => rest.filter((name) => group.test(name)));
  const firstOf = (groups: readonly string[][]) => groups.find((group) => group.length > 0) ?? [];
  const isIndex = (name: string) => name.endsWith(".index.json");
  const chosen = [...firstOf(adapter), ...firstOf(weights)].sort();
  return [
    ...names.filter((name) => TEXT_FILES.test(name)).sort(),
    ...chosen.filter(isIndex),
    ...chosen.filter((name) => !isIndex(name)),
  ];
}

/** Whether a list of names holds a configuration and weights; `shards` are the names an index asks for. */
export function isWholeModel(names: readonly string[], shards: readonly string[]): boolean {
  const hasConfig = names.includes("config.json") || names.includes("adapter_config.json");
  const hasWeights = names.some((name) => /\.(safetensors|bin)$/.test(name));
  return hasConfig && hasWeights && shards.every((shard) => names.includes(shard));
}

/** Progress of `resolveModel`, in the shape Transformers.js gives; `loaded` and `total` count bytes. */
export type HubEvent =
  | { readonly status: "initiate"; readonly name: string; readonly file: string }
  | {
      readonly status: "progress" | "done";
      readonly name: string;
      readonly file: string;
      readonly loaded: number;
      readonly total: number | null;
    }
  | { readonly status: "retry"; readonly name: string; readonly file: string; readonly reason: string }
  /** The hub could not be asked; the copy in the cache is used. */
  | { readonly status: "cached"; readonly name: string; readonly reason: string }
  | { readonly status: "ready"; readonly name: string; readonly folder: string };

/** The cache's folder for a model: `models--org--name`. */
export function repositoryFolder(id: string): string {
  return `models--${id.replaceAll("/", "--")}`;
}

/**
 * An etag as the cache names its blob by.
 * @throws {FileError} when it could not be a file's name.
 */
export function blobName(url: string, etag: string | null): string {
  const name = (etag ?? "").replace(/^W\//, "").replaceAll('"', "");
  // a part of another file, or its lock, must not pass for this one
  if (/^[A-Za-z0-9][\w.-]{0,127}$/.test(name) && !/\.(incomplete|lock)$/i.test(name)) return name;
  throw new FileError(url, `expected an etag that names the content, got ${shownValue(etag)}`, {
    hint: "The server is not a Hugging Face hub; check HF_ENDPOINT.",
  });
}

/** Whether an etag is a digest of the content: SHA-256, as the hub's large files have, or git's own SHA-1, as small ones do. */
export function hasDigest(blob: string): boolean {
  return isSha256(blob) || /^[0-9a-f]{40}$/.test(blob);
}

/** Whether an etag is the SHA-256 of the content. */
export function isSha256(blob: string): boolean {
  return /^[0-9a-f]{64}$/.test(blob);
}
