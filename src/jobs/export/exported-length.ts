// How many tokens of a text an exported model reads: what the run was trained with, so that its answers are the run's.
import { lengthLimit, type OpenedTarget, scoringLengthOf } from "../../load/index.ts";

/**
 * `model_max_length` of an export: as `deft predict` reads texts for the run, or what model and tokenizer are made for; null
 * where nothing limits them.
 */
export function exportedLength(opened: OpenedTarget): number | null {
  const made = Math.min(lengthLimit(opened), opened.base.tokenizer.maxLength ?? Number.POSITIVE_INFINITY);
  const length = opened.settings === null ? made : Math.min(made, scoringLengthOf(opened));
  return Number.isFinite(length) ? length : null;
}
