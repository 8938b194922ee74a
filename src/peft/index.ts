// PEFT methods as middleware of the forward pass.
// Takes options, gives hooks and the set of parameters to train. Never: sees a model, or mutates one.
export { type AdapterOptions, adapter } from "./adapter.ts";
export { type LoraOptions, type LoraUpdate, lora, loraUpdate } from "./lora.ts";
export { mergedWeights } from "./merge.ts";
export { full, headOnly, isHead, type Method, type MethodSettings, numVirtualTokens, untrained } from "./method.ts";
export { methodOf } from "./method-of.ts";
export { foldProjection, type PrefixOptions, prefix } from "./prefix.ts";
export { PROMPT_EMBEDDINGS, type PromptOptions, prompt } from "./prompt.ts";
