// What a model on a machine can be asked: predictions, scores, density.

import type { PredictInput, Prediction, Profile } from "../jobs/index.ts";
import { evaluateRun, openPredictor, type Predictor, profileRun } from "../jobs/index.ts";
import type { RunTarget } from "../load/index.ts";
import type { Environment } from "../runs/index.ts";
import { resolvePartial, type ScoreOptions, scoreInput } from "../settings/index.ts";
import type { Evaluation } from "../tasks/index.ts";

/** One text, a pair of texts, or several of either. */
export type PredictText = string | PredictInput | readonly (string | PredictInput)[];

/** A model that can be asked. Dispose it to free the program that predictions keep open. */
export interface Scorable {
  /** One prediction for each text, in order; the first call compiles the model. */
  predict(texts: PredictText): Promise<Prediction[]>;
  /** Metrics and density on a split. Errors as `openDataset`. */
  evaluate(options?: ScoreOptions): Promise<Evaluation>;
  /** Density on a split, with or without labels. */
  profile(options?: ScoreOptions): Promise<Profile>;
  dispose(): Promise<void>;
}

/** A target with nothing open yet. */
export function scorable(environment: Environment, target: RunTarget): Scorable {
  let open: Promise<Predictor> | null = null;
  const predictor = () => {
    open ??= openPredictor(environment, target).catch((error: unknown) => {
      open = null;
      throw error;
    });
    return open;
  };
  const overrides = (options: ScoreOptions = {}) => resolvePartial({ flags: { ...scoreInput(options) } });
  return {
    async predict(texts) {
      const inputs = typeof texts === "string" || !isList(texts) ? [texts] : texts;
      const predictions: Prediction[] = [];
      const asked = inputs.map((input) => (typeof input === "string" ? { text: input } : input));
      for await (const prediction of (await predictor()).predict(asked)) predictions.push(prediction);
      return predictions;
    },
    evaluate: async (options) => evaluateRun(environment, target, overrides(options)),
    profile: async (options) => profileRun(environment, target, overrides(options)),
    async dispose() {
      const opened = open;
      open = null;
      await (await opened)?.dispose();
    },
  };
}

function isList(texts: PredictInput | readonly (string | PredictInput)[]): texts is readonly (string | PredictInput)[] {
  return Array.isArray(texts);
}
