// What a model on a machine can be asked: predictions, scores, density.
import {
  evaluateRun,
  openPredictor,
  type PredictInput,
  type Prediction,
  type Predictor,
  type Profile,
  profileRun,
} from "../jobs/index.ts";
import type { RunOverrides, RunTarget } from "../load/index.ts";
import type { Environment, Watched } from "../runs/index.ts";
import { resolvePartial, type ScoreOptions, scoreInput } from "../settings/index.ts";
import type { Evaluation } from "../tasks/index.ts";
import { mount } from "./rows.ts";
import { inTypeScript, speaking } from "./wording.ts";

/** One text, a pair of texts, or several of either. */
export type PredictText = string | PredictInput | readonly (string | PredictInput)[];

/** A model that can be asked. Dispose it to free the program that predictions keep open. */
export interface Scorable {
  /** One prediction for each text, in order; the first call compiles the model. `onWarning` hears of texts that were cut. */
  predict(texts: PredictText, watched?: Watched): Promise<Prediction[]>;
  /** Metrics and density on a split. Errors as `openDataset`. */
  evaluate(options?: ScoreOptions & Watched): Promise<Evaluation>;
  /** Density on a split, with or without labels. */
  profile(options?: ScoreOptions & Watched): Promise<Profile>;
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
  const measured = <T>(measure: Measure<T>, asked: ScoreOptions & Watched = {}): Promise<T> => {
    const { onWarning, data, ...options } = asked;
    const mounted = mount(environment, data);
    return speaking(async () => {
      const source = mounted.data === undefined ? {} : { data: mounted.data };
      const overrides = resolvePartial({ flags: { ...scoreInput({ ...options, ...source }) } });
      return measure(mounted.environment, target, overrides, watching({ onWarning }));
    }, mounted.name);
  };
  return {
    predict: (texts, watched) =>
      speaking(async () => {
        const inputs = typeof texts === "string" || !isList(texts) ? [texts] : texts;
        const predictions: Prediction[] = [];
        const asked = inputs.map((input) => (typeof input === "string" ? { text: input } : input));
        for await (const one of (await predictor()).predict(asked, watching(watched))) predictions.push(one);
        return predictions;
      }),
    evaluate: (options) => measured(evaluateRun, options),
    profile: (options) => measured(profileRun, options),
    async dispose() {
      const opened = open;
      open = null;
      await (await opened)?.dispose();
    },
  };
}

type Measure<T> = (
  environment: Environment,
  target: RunTarget,
  overrides: RunOverrides,
  watched: Watched,
) => Promise<T>;

/** Warnings in the library's words. */
function watching({ onWarning }: { readonly onWarning?: Watched["onWarning"] | undefined } = {}): Watched {
  if (onWarning === undefined) return {};
  return { onWarning: (warning) => onWarning({ ...warning, message: inTypeScript(warning.message) }) };
}

function isList(texts: PredictInput | readonly (string | PredictInput)[]): texts is readonly (string | PredictInput)[] {
  return Array.isArray(texts);
}
