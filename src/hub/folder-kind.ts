// What a folder holds that was given in another's place, and the flag, or the folder inside it, that would do.
import { type Files, joinPath, parentFolder, parseBoundedJson } from "../tensor/index.ts";
import { isJsonObject } from "./json-file.ts";
import { shellWord } from "./shell.ts";

/** What was asked for. */
export type WantedFolder = "model" | "adapter" | "run";

type FolderKind = WantedFolder | "checkpoint" | "onnx" | "other";

/** What is there instead, and what to do. */
export interface WrongFolder {
  readonly got: string;
  readonly hint: string;
}

const MODEL_WEIGHTS = /^(model\.safetensors|pytorch_model\.bin)(\.index\.json)?$/;
const GOT: Readonly<Record<FolderKind, string>> = {
  model: "a model's folder",
  adapter: "an adapter's folder (adapter_config.json)",
  run: "the folder of a run (run.json)",
  checkpoint: "a checkpoint of a run",
  onnx: "ONNX files without the weights they were made from",
  other: "a folder of other files",
};

/**
 * What a folder is, when it is not what was wanted: something else that this program knows, or a folder that holds such folders.
 * Null where it is neither, or cannot be listed.
 */
export async function wrongFolder(files: Files, folder: string, wanted: WantedFolder): Promise<WrongFolder | null> {
  const kind = await kindOf(files, folder);
  if (kind === wanted) return null;
  if (kind !== "other") return { got: GOT[kind], hint: await hintFor(files, folder, kind, wanted) };
  const inside = await knownInside(files, folder);
  const found = inside.filter((one) => one.kind === wanted).at(-1) ?? inside.at(-1);
  if (found === undefined) return null;
  const names = inside.map(({ path }) => path.slice(joinPath(folder, "/").length));
  const got = `a folder with ${names.length === 1 ? "one" : "such folders"} inside: ${shortList(names)}`;
  const hint = found.kind === wanted ? `Give that one: ${FLAGS[wanted]} ${shellWord(found.path)}` : undefined;
  return { got, hint: hint ?? (await hintFor(files, found.path, found.kind, wanted)) };
}

const FLAGS: Readonly<Record<WantedFolder, string>> = { model: "--model", adapter: "--adapter", run: "deft eval" };

/** Names for a message. */
export function shortList(names: readonly string[]): string {
  return names.length > 6 ? `${names.slice(0, 6).join(", ")}, …` : names.join(", ");
}

/** Names in a folder; none where it cannot be listed, as over HTTP. */
export async function namesIn(files: Files, folder: string): Promise<readonly string[]> {
  return files.list(folder).catch(() => []);
}

async function kindOf(files: Files, folder: string): Promise<FolderKind> {
  const names = new Set(await namesIn(files, folder));
  if (names.has("run.json")) return "run";
  if (names.has("trainable.safetensors") && names.has("trainer_state.json")) return "checkpoint";
  if (names.has("config.json") && [...names].some((name) => MODEL_WEIGHTS.test(name))) return "model";
  if (names.has("adapter_config.json")) return "adapter";
  return names.has("onnx") || [...names].some((name) => name.endsWith(".onnx")) ? "onnx" : "other";
}

interface Inside {
  readonly path: string;
  readonly kind: Exclude<FolderKind, "other" | "onnx">;
}

/** Folders one level down, or in `snapshots` as the hub's cache has them, that are something; checkpoint-9 before checkpoint-10. */
async function knownInside(files: Files, folder: string): Promise<readonly Inside[]> {
  const names = await namesIn(files, folder);
  const inner = names.includes("snapshots") ? await namesIn(files, joinPath(folder, "snapshots")) : [];
  const paths = [...names, ...inner.map((name) => joinPath("snapshots", name))];
  const found: Inside[] = [];
  for (const path of paths.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }))) {
    const stat = await files.stat(joinPath(folder, path));
    const kind = stat?.isFolder === true ? await kindOf(files, joinPath(folder, path)) : "other";
    if (kind !== "other" && kind !== "onnx") found.push({ path: joinPath(folder, path), kind });
  }
  return found;
}

async function hintFor(files: Files, folder: string, kind: FolderKind, wanted: WantedFolder): Promise<string> {
  const path = shellWord(folder.replace(/(?<=.)\/+$/, ""));
  switch (kind) {
    case "run": {
      const itself = `name it without --model: deft eval ${path}`;
      if (wanted === "model")
        return `A run is no model yet: ${itself}. To make one of it: deft export ${path} --format merged --output ${shellWord(`${folder.replace(/\/+$/, "")}-merged`)}`;
      const adapter = joinPath(folder, "adapter");
      const hasOne = (await kindOf(files, adapter)) === "adapter";
      return hasOne ? `Its adapter lies inside: --adapter ${shellWord(adapter)}; or ${itself}` : `Or ${itself}`;
    }
    case "checkpoint":
      return `Name it without --model: deft eval ${path}`;
    case "adapter":
      return adapterHint(files, folder, wanted);
    case "model":
      return wanted === "run"
        ? `A model is named by a flag: deft eval --model ${path}`
        : `Give it as the model, without an adapter: --model ${path}`;
    default:
      return "ONNX files run in Transformers.js and ONNX Runtime. Give the run or the model that they were exported from.";
  }
}

async function adapterHint(files: Files, folder: string, wanted: WantedFolder): Promise<string> {
  const run = parentFolder(folder);
  if (wanted === "run" && (await kindOf(files, run)) === "run") return `Give the run: deft eval ${shellWord(run)}`;
  const flags = `--model ${await baseOf(files, folder)} --adapter ${shellWord(folder)}`;
  return wanted === "run"
    ? `Name it beside its base model: deft eval ${flags}`
    : `Name it beside the model that it was trained on: ${flags}`;
}

/** The model that an adapter was trained on, as its files say. */
async function baseOf(files: Files, folder: string): Promise<string> {
  for (const [name, keys] of BASES) {
    const path = joinPath(folder, name);
    if ((await files.stat(path)) === null) continue;
    let value: unknown = jsonOrNull(await files.readText(path).catch(() => ""));
    for (const key of keys) value = isJsonObject(value) ? value[key] : null;
    if (typeof value === "string" && value !== "") return shellWord(value);
  }
  return "ID|DIR";
}

const BASES = [
  ["deft.json", ["base", "model"]],
  ["adapter_config.json", ["base_model_name_or_path"]],
  ["adapter_config.json", ["model_name"]],
] as const;

function jsonOrNull(text: string): unknown {
  try {
    return parseBoundedJson(text);
  } catch {
    return null;
  }
}
