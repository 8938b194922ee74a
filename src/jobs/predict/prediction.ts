// What a predictor is given: one text or question.
import type { Example } from "../../data/index.ts";
import type { CutTexts } from "../../runs/index.ts";
import type { Prediction } from "../../tasks/index.ts";

export type { Prediction } from "../../tasks/index.ts";

/** One text, or a pair of texts; or a question about a context; or a text given in words. */
export type PredictInput =
  | { readonly text: string; readonly pair?: string }
  | { readonly question: string; readonly context: string }
  | { readonly tokens: readonly string[] };

/** What answers a group of examples at once. */
export interface GroupPredictor {
  /** Texts that were cut; null where none is. */
  readonly cut: CutTexts | null;
  predict(group: readonly Example[]): Promise<readonly Prediction[]>;
  dispose(): Promise<void>;
}
