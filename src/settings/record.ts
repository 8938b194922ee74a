// What a run is made from: one record, complete, written whole into `run.json`.
import type { MethodSettings } from "../peft/index.ts";
import type {
  AnswerSettings,
  AutoWeightSettings,
  DataSettings,
  DensityLossSettings,
  DistillationSettings,
  GateSettings,
  OptimSettings,
  RemovalSettings,
  RunSettings,
} from "./generated/options.ts";

/** The density loss; `weight` 0 is plain fine-tuning. */
export interface DensitySettings extends DensityLossSettings {
  /** Finds the weight by feedback, from `weight` on; null: it is `weight`. */
  readonly auto: AutoWeightSettings | null;
}

/** Everything a run is made from; each part's fields are the rows of the table of settings that stand there. */
export interface Settings extends RunSettings {
  readonly data: DataSettings;
  readonly method: MethodSettings;
  readonly density: DensitySettings;
  /** Null: no gates. */
  readonly gates: GateSettings | null;
  /** Null: all neurons stay. */
  readonly removal: RemovalSettings | null;
  /** Null: from the labels alone. Absent in runs of versions that had no teachers. */
  readonly distillation?: DistillationSettings | null;
  readonly optim: OptimSettings;
  readonly answers: AnswerSettings;
}

/** What tasks that answer with text read besides the data settings of a classifier. */
export type TextDataSettings = Pick<
  DataSettings,
  "sourceColumn" | "targetColumn" | "sourcePrefix" | "maxTargetLength" | "docStride"
>;
