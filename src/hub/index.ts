// Model folders, adapters and the Hugging Face hub.
// Takes bytes and files, gives `Weights`, configurations and adapters in our names, and the other way round.
// Never: downloads by surprise, renames silently, executes anything in a checkpoint, knows a graph or a task.
// `nodeFiles` and `resolveModel` are in files-node.ts and hub-node.ts, which only the node door reaches.
export type {
  Adapter,
  AdapterTensors,
  BottleneckAdapter,
  BottleneckAdapterConfig,
  LoraAdapter,
  LoraAdapterConfig,
  VirtualTokenAdapter,
  VirtualTokenConfig,
} from "./adapter.ts";
export { readAdapter, writeAdapter } from "./adapter-format.ts";
export { type AdapterHubFiles, fromAdapterHub, toAdapterHub } from "./adapterhub-format.ts";
export { type Checkpoint, fingerprint, openCheckpoint, WEIGHT_FILES } from "./checkpoint.ts";
export { memoryFiles } from "./files-memory.ts";
export { type FolderHandle, type WebSource, webFiles } from "./files-web.ts";
export { cachedWeights, conversionBytes, type Float32Checkpoint, float32Checkpoint, toFloat32 } from "./float32.ts";
export { type WantedFolder, type WrongFolder, wrongFolder } from "./folder-kind.ts";
export {
  type Environment,
  type HubEvent,
  type HubSettings,
  hubSettings,
  type ModelReference,
  parseModelReference,
  wantedFiles,
} from "./hub.ts";
export { issueList } from "./issues.ts";
export { isJsonObject, type JsonObject, jsonText, parseJson, readJsonObject } from "./json-file.ts";
export { fromPeft, type PeftFiles, toPeft } from "./peft-format.ts";
export { fromPeftPrompt, prefixTable, prefixTensors, toPeftPrompt } from "./peft-prompt-format.ts";
export { type PeftSelection, selectedSites } from "./peft-targets.ts";
export {
  openSafetensors,
  openSafetensorsFile,
  parseSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsFile,
  type SafetensorsHeader,
  safetensorsBytes,
  writeSafetensors,
} from "./safetensors.ts";
export { pythonCommand, pythonText, shellWord } from "./shell.ts";
export { readSidecar, SIDECAR_VERSION, type Sidecar, writeSidecar } from "./sidecar.ts";
export { openTorchFile } from "./torch-file.ts";
