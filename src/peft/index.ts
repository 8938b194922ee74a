// PEFT methods as middleware of the forward pass, and the file formats that hold what they train.
// Takes options, gives hooks, the set of parameters to train and adapter files. Never: sees a model, or mutates one.
export { adapter } from "./adapter.ts";
export type {
  Adapter,
  BottleneckAdapter,
  BottleneckAdapterConfig,
  VirtualTokenAdapter,
  VirtualTokenConfig,
} from "./formats/adapter.ts";
export { readAdapter, writeAdapter } from "./formats/adapter-format.ts";
export { prefixTable, prefixTensors } from "./formats/peft-prompt-format.ts";
export { selectedSites } from "./formats/peft-targets.ts";
export { readSidecar, SIDECAR_VERSION, type Sidecar, writeSidecar } from "./formats/sidecar.ts";
export { lora } from "./lora.ts";
export { mergedWeights } from "./merge.ts";
export { full, headOnly, isHead, type Method, type MethodSettings, numVirtualTokens, untrained } from "./method.ts";
export { methodOf } from "./method-of.ts";
export { foldProjection, prefix } from "./prefix.ts";
export { PROMPT_EMBEDDINGS, prompt } from "./prompt.ts";
