// PEFT methods as middleware of the forward pass, and the file formats that hold what they train.
// Takes options, gives hooks, the set of parameters to train and adapter files. Never: sees a model, or mutates one.
export { adapter } from "./adapter.ts";
export type {
  BottleneckAdapter,
  BottleneckAdapterConfig,
  VirtualTokenAdapter,
  VirtualTokenConfig,
} from "./formats/adapter.ts";
export { readAdapter, writeAdapter } from "./formats/adapter-format.ts";
export { readSidecar, SIDECAR_VERSION, type Sidecar, writeSidecar } from "./formats/sidecar.ts";
export { full } from "./full.ts";
export { headOnly, untrained } from "./head.ts";
export { ia3 } from "./ia3.ts";
export { lora } from "./lora.ts";
export { isHead } from "./method.ts";
export {
  canFillZeros,
  foldedPart,
  isAdded,
  isMergeable,
  mergedWeights,
  methodOf,
  numVirtualTokens,
} from "./method-of.ts";
export { foldProjection, prefix } from "./prefix.ts";
export { prompt } from "./prompt.ts";
export type { AdapterFacts, AdapterLibrary } from "./record.ts";
export {
  type Adapter,
  type AnyMethod as Method,
  type AnyRecord,
  kindsOf,
  MERGEABLE,
  METHOD_NAMES,
  METHOD_OPTIONS,
  METHOD_RECORDS,
  type MethodName,
  type MethodSettings,
  recordNamed,
  recordOf,
  recordsOfLibrary,
} from "./table.ts";
