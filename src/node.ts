// The door for Node: what the library adds where there are files, a hub cache and ONNX Runtime's own binaries.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeFiles } from "./hub/files-node.ts";
import { deftCacheFolder, resolveModel } from "./hub/hub-node.ts";
import { hubSettings } from "./hub/index.ts";
import { type Library, library } from "./library/index.ts";
import type { Environment } from "./runs/index.ts";
import { fetchEngine as fetchEngineTo } from "./runtime/engine-fetch-node.ts";
import {
  ENGINE,
  type Engine,
  type EngineOptions,
  findEngine as findEngineIn,
  loadEngine,
} from "./runtime/engine-node.ts";
import type { Backend } from "./runtime/index.ts";
import { type NodeBackendOptions, nodeBackend as nodeBackendOf } from "./runtime/node.ts";

export { missingHint, nodeFiles } from "./hub/files-node.ts";
export { deftCacheFolder, type ResolvedModel, type ResolveOptions, resolveModel } from "./hub/hub-node.ts";
export * from "./index.ts";
export type { Engine, EngineOptions } from "./runtime/engine-node.ts";
export type { NodeBackendOptions } from "./runtime/node.ts";

/**
 * The backend for Node. ONNX Runtime is loaded when the first program is compiled: the package `onnxruntime-node` where Node
 * finds it, else the copy that `deft setup` keeps in the cache.
 * @throws {UnsupportedError} when the device is not one that onnxruntime-node knows.
 */
export function nodeBackend(options: NodeBackendOptions = {}): Backend {
  return nodeBackendOf({ engine: { cacheFolder: deftCacheFolder() }, ...options });
}

const ASSETS = fileURLToPath(new URL("../assets", import.meta.url));

/** Folders of what ships with the package: a small encoder, and 3,800 definitions of nouns with their category. */
export function demoAssets(): { readonly model: string; readonly data: string } {
  return { model: join(ASSETS, "demo", "model"), data: join(ASSETS, "demo", "data") };
}

/** The copy of ONNX Runtime that this machine has; null before `fetchEngine` where `onnxruntime-node` is not installed. */
export const findEngine = (): Engine | null => findEngineIn({ cacheFolder: deftCacheFolder() });

/**
 * Fetches ONNX Runtime for this machine into the cache: the tested release of `onnxruntime-node` from the npm registry, with
 * npm. `say` is told what is fetched, from where and to where, before it begins.
 * @throws {FileError} when HF_HUB_OFFLINE is set, when npm is not there, or when it fails.
 */
export function fetchEngine(say?: (line: string) => void): Promise<Engine> {
  const { isOffline } = hubSettings(process.env, homedir());
  return fetchEngineTo({ cacheFolder: deftCacheFolder(), isOffline, ...(say === undefined ? {} : { say }) });
}

/** The execution providers of this machine's ONNX Runtime, each with whether its files are all there. */
export async function listBackends(): Promise<readonly { readonly name: string; readonly bundled: boolean }[]> {
  return (await loadEngine({ cacheFolder: deftCacheFolder() })).listSupportedBackends();
}

/** This machine: its files, the hub cache Python shares, and ONNX Runtime; `onMissing` may fetch it when there is none. */
export function nodeEnvironment({ onMissing }: Pick<EngineOptions, "onMissing"> = {}): Environment {
  const cacheFolder = deftCacheFolder();
  const engine = { cacheFolder, ...(onMissing === undefined ? {} : { onMissing }) };
  return {
    files: nodeFiles(),
    backend: (device, threads) => nodeBackend({ device, engine, ...(threads === null ? {} : { threads }) }),
    findModel: (model, onProgress) => resolveModel(model, { onProgress }),
    cacheFolder,
    assetsFolder: ASSETS,
    rssBytes: () => process.memoryUsage.rss(),
    versions: {
      "deft-tune": ownVersion(),
      node: process.version,
      // where there is none yet, this release is fetched
      onnxruntime: findEngineIn(engine)?.version ?? ENGINE.version,
    },
  };
}

const here = () => library(nodeEnvironment());

/** `Library.loadModel` on this machine. */
export const loadModel: Library["loadModel"] = (model, options) => here().loadModel(model, options);

/** `Library.glue` on this machine. */
export const glue: Library["glue"] = (task, folder, options) => here().glue(task, folder, options);

/** `Library.table` on this machine. */
export const table: Library["table"] = (path, options) => here().table(path, options);

/** `Library.squad` on this machine. */
export const squad: Library["squad"] = (path, options) => here().squad(path, options);

/** `Library.seq2seq` on this machine. */
export const seq2seq: Library["seq2seq"] = (path, options) => here().seq2seq(path, options);

/** `Library.fineTune` on this machine. */
export const fineTune: Library["fineTune"] = (base, options) => here().fineTune(base, options);

/** `Library.compress` on this machine. */
export const compress: Library["compress"] = (tuned, options) => here().compress(tuned, options);

/** `Library.loadRun` on this machine. */
export const loadRun: Library["loadRun"] = (folder) => here().loadRun(folder);

function ownVersion(): string {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { readonly version: string }).version;
}
