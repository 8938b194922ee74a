// The door for Node: what the library adds where there are files, a hub cache and ONNX Runtime's own binaries.
export { missingHint, nodeFiles } from "./hub/files-node.ts";
export { deftCacheFolder, type ResolvedModel, type ResolveOptions, resolveModel } from "./hub/hub-node.ts";
export { type NodeBackendOptions, nodeBackend } from "./runtime/node.ts";
