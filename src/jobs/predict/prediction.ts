// What a predictor is given and gives back: one text or question, and its answer.
import type { Example } from "../../data/index.ts";
import type { CutTexts } from "../../runs/index.ts";

/** One text, or a pair of texts; or a question about a context. */
export type PredictInput =
  | { readonly text: string; readonly pair?: string }
  | { readonly question: string; readonly context: string };

/** One prediction; a JSON line of `deft predict`. */
export type Prediction =
  | { readonly label: string; readonly score: number; readonly logits: readonly number[] }
  | { readonly value: number; readonly logits: readonly number[] }
  /** Of a question the answer, empty for none, and its probability; else what was written. */
  | { readonly text: string; readonly score?: number };

/** What answers a group of examples at once. */
export interface GroupPredictor {
  /** Whether each example is a question with its context. */
  readonly asksQuestions: boolean;
  /** Texts that were cut; null where none is. */
  readonly cut: CutTexts | null;
  predict(group: readonly Example[]): Promise<readonly Prediction[]>;
  dispose(): Promise<void>;
}
