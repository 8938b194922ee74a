// The library and the workflow whole, bound to one machine: what doors open and faces call.
// Takes an environment, gives jobs as functions and models as objects. Never: prints, or does a job itself.

export { type Workflow, workflow } from "./bind.ts";
export type { CompressedModel, CompressRequest } from "./compress.ts";
export type { Exportable, FolderExport, TransformersJsExport } from "./export.ts";
export {
  type FineTuneOptions,
  type Library,
  type LoadedModel,
  type LoadOptions,
  library,
  type TunedRun,
} from "./library.ts";
export { type RowsSource, rows, type TableOptions } from "./rows.ts";
export type { PredictText, Scorable } from "./scorable.ts";
