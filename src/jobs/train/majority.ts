// The warning for a model that answers no better than by naming one class always.

import type { Settings } from "../../settings/index.ts";
import { classificationReport, majorityAnswer, type Outcome, outcomeConfusion } from "../../tasks/index.ts";

/**
 * What the warning `majority-class` says of an evaluation's answers; null where they are better, or not classes. `canBalance`: classes weigh
 * alike, and `--class-weights balanced` would take the training data.
 */
export function majorityMessage(
  labels: readonly string[],
  outcomes: readonly Outcome[],
  { density }: Pick<Settings, "density">,
  { canBalance }: { readonly canBalance: boolean },
): string | null {
  const counts = outcomeConfusion(outcomes, labels);
  const answer = counts && majorityAnswer(counts);
  if (answer === null) return null;
  const { classIndex, predictedShare, labelShare, reason } = answer;
  const name = JSON.stringify(labels[classIndex]);
  const finding =
    reason === "one-class"
      ? `the model answers ${name} for ${percent(predictedShare)} of the evaluation examples, of which ${percent(labelShare)} have this label`
      : `the accuracy equals the share of ${name} among the evaluation labels (${percent(labelShare)}): always answering ${name} would score the same`;
  // weights change nothing where the classes are alike
  const ofLabels = classificationReport(counts!).classes.map(({ support }) => support);
  const all = ofLabels.reduce((sum, count) => sum + count, 0);
  const othersAreRare = Math.max(...ofLabels) > (UNBALANCED * all) / labels.length;
  const remedies = [
    "train longer",
    "change --learning-rate",
    ...(canBalance && othersAreRare ? ["weigh rare classes with --class-weights balanced"] : []),
    ...(density.weight === 0 ? [] : ["lower --density-weight"]),
  ];
  return `${finding}. If this stays so, ${remedies.join(", ").replace(/, ([^,]+)$/, ", or $1")}.`;
}

/** How many times its equal share of the labels a class has where others are rare. */
const UNBALANCED = 1.1;

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
