// The door for browsers: files over HTTP or a folder handle, and ONNX Runtime's wasm and WebGPU.
export { type FolderHandle, type WebSource, webFiles } from "./hub/index.ts";
export * from "./index.ts";
export { type WebBackendOptions, webBackend } from "./runtime/web.ts";
