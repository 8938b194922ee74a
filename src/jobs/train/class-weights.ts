// The weights of classes that a run is to have, as numbers by class.
import type { EncodedExamples, Task } from "../../data/index.ts";
import type { Settings } from "../../settings/index.ts";
import { canBalance, classWeights, type HeadKind, headRecord } from "../../tasks/index.ts";

/** The weights that the settings ask for; null where they ask for none. Errors as `classWeights`. */
export function weightsOfClasses(
  { classWeights: choice }: Pick<Settings, "classWeights">,
  task: Task,
  head: HeadKind,
  examples: EncodedExamples,
): readonly number[] | null {
  const { weighing } = headRecord(head);
  return choice == null || weighing === null ? null : classWeights(choice, examples, task, weighing);
}

/** Whether `--class-weights balanced` would take these training examples. */
export function isBalanceable({ labels }: Task, head: HeadKind, examples: EncodedExamples): boolean {
  const { weighing } = headRecord(head);
  return weighing !== null && canBalance(examples, labels.length, weighing);
}

/** Weights by class name, as a part of a record or of a key; empty where all weigh alike. */
export function weightsByName({ labels }: Task, weights: readonly number[] | null) {
  if (weights === null) return {};
  return { classWeights: Object.fromEntries(labels.map((name, c) => [name, weights[c]!])) };
}
