// What a compression tells while it goes on.
import type { SearchStep } from "../../prune/index.ts";
import type { TeacherEvent } from "../../train/index.ts";
import type { RecoveryEvent } from "./recovery-run.ts";

/** Progress of a compression. */
export type CompressEvent =
  | {
      readonly type: "stage";
      readonly stage: "open" | "calibrate" | "choose" | "recover" | "measure" | "write";
      readonly text: string;
    }
  | ({ readonly type: "candidate" } & SearchStep)
  | RecoveryEvent
  | TeacherEvent;

/** The event of a stage. */
export const stage = (name: Extract<CompressEvent, { type: "stage" }>["stage"], text: string): CompressEvent => ({
  type: "stage",
  stage: name,
  text,
});
