// The door for Node: what the library adds where there are files, a hub cache and ONNX Runtime's own binaries.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { nodeFiles } from "./hub/files-node.ts";
import { deftCacheFolder, resolveModel } from "./hub/hub-node.ts";
import { nodeBackend } from "./runtime/node.ts";
import type { Environment } from "./workflow/index.ts";

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
      onnxruntime: packageVersion("../node_modules/onnxruntime-node/package.json"),
    },
  };
}

function packageVersion(path: string): string {
  try {
    return (JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as { version: string }).version;
  } catch {
    return "unknown";
  }
}
