// The door for Node: what the library adds where there are files, a hub cache and ONNX Runtime's own binaries.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { nodeFiles } from "./hub/files-node.ts";
import { deftCacheFolder, resolveModel } from "./hub/hub-node.ts";
import { type Library, library } from "./library/index.ts";
import type { Environment } from "./runs/index.ts";
import { nodeBackend } from "./runtime/node.ts";

export { missingHint, nodeFiles } from "./hub/files-node.ts";
export { deftCacheFolder, type ResolvedModel, type ResolveOptions, resolveModel } from "./hub/hub-node.ts";
export * from "./index.ts";
export { type NodeBackendOptions, nodeBackend } from "./runtime/node.ts";

/** This machine: its files, the hub cache Python shares, and onnxruntime-node. */
export function nodeEnvironment(): Environment {
  return {
    files: nodeFiles(),
    backend: (device, threads) => nodeBackend({ device, ...(threads === null ? {} : { threads }) }),
    findModel: (model, onProgress) => resolveModel(model, { onProgress }),
    cacheFolder: deftCacheFolder(),
    assetsFolder: fileURLToPath(new URL("../assets", import.meta.url)),
    rssBytes: () => process.memoryUsage.rss(),
    versions: {
      "deft-tune": packageVersion("../package.json"),
      node: process.version,
      onnxruntime: packageVersion("onnxruntime-node/package.json"),
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

// a package beside ours lies wherever the package manager has put it
function packageVersion(name: string): string {
  try {
    return (JSON.parse(readFileSync(createRequire(import.meta.url).resolve(name), "utf8")) as { version: string })
      .version;
  } catch {
    return "unknown";
  }
}
