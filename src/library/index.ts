// The library and the workflow whole, bound to one machine: what doors open and faces call.
// Takes an environment, gives jobs as functions and models as objects. Never: prints, or does a job itself.

export type { CompressedModel, CompressRequest } from "./compress.ts";
export {
  type FineTuneOptions,
  type Library,
  type LoadedModel,
  type LoadOptions,
  library,
  type TunedRun,
} from "./library.ts";
export type { PredictText, Scorable } from "./scorable.ts";
export { type Workflow, workflow } from "./workflow.ts";
