// What `trainer_state.json` of a checkpoint must hold; what is more, or written by a later version, stays.
import * as z from "zod";

/** A number; null is how JSON has NaN. */
const number = z.number().nullable();

/** Keys that are optional are left out where they hold nothing, or were not written by earlier versions. */
export const TRAINER_STATE = z.looseObject({
  global_step: z.number(),
  max_steps: z.number(),
  best_metric: number,
  best_step: number,
  best_density: number.optional(),
  best_loss: number.optional(),
  evaluated_step: number,
  evaluations_without_gain: z.number(),
  mean_task_loss: number,
  majority_evaluations: z.number().optional(),
  majority_finding: z.string().nullable().optional(),
  warned: z.array(z.string()),
  control: z.looseObject({ weight: number, excess: number, slowExcess: number, density: number.optional() }).optional(),
  gates: z.looseObject({ sums: z.record(z.string(), z.number()) }).optional(),
  neurons_left_at: z.number().optional(),
  fingerprint: z.string(),
});
