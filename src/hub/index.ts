// Model folders and the Hugging Face hub.
// Takes bytes and files, gives `Weights` and configurations in our names, and the other way round.
// Never: downloads by surprise, renames silently, executes anything in a checkpoint, knows a graph or a task.
// `nodeFiles` and `resolveModel` are in files-node.ts and hub-node.ts, which only the node door reaches.
export { cacheEntry } from "./cache-entry.ts";
export { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
export { memoryFiles } from "./files-memory.ts";
export { type FolderHandle, type WebSource, webFiles } from "./files-web.ts";
export { fingerprint, isSameFingerprint, sampledPart } from "./fingerprint.ts";
export { cachedWeights, type Float32Checkpoint, float32Checkpoint, floatTensor, toFloat32 } from "./float32.ts";
export { wrongFolder } from "./folder-kind.ts";
export { type HubEvent, hubSettings } from "./hub.ts";
export { issueList } from "./issues.ts";
export { isJsonObject, type JsonObject, jsonText, parseJson, readJsonObject } from "./json-file.ts";
export { openSafetensors, openSafetensorsFile, safetensorsBytes, writeSafetensors } from "./safetensors.ts";
export { pythonCommand, pythonText, shellWord } from "./shell.ts";
export { damaged, requireShape } from "./stored-shape.ts";
export { checkSums, SUMS_FILE, writeSums } from "./sums.ts";
export { openTorchFile } from "./torch-file.ts";
export { removeFolder, removeLeftovers, writeFolder } from "./whole-folder.ts";
