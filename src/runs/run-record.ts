// `run.json`: what a run was made from and what came out of it.

import type { Settings } from "../settings/index.ts";
import type { Evaluation } from "../tasks/index.ts";
import type { Fingerprints } from "./fingerprints.ts";

/** How the name of a metric function of one's own begins, in records and metrics. */
export const OWN_METRIC = "custom_";

/** The content of `run.json`; written at the start without a result, and again at the end. */
export interface RunRecord {
  readonly schema: 1;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly settings: Settings;
  /** Versions by name: `deft-tune`, `node`, `onnxruntime`. */
  readonly versions: Readonly<Record<string, string>>;
  /** SHA-256 by part, in hex: `base`, `data`, where there is one `teacher`. */
  readonly fingerprints: Fingerprints;
  /** The name of the metric that tells the best evaluation; of a function of one's own it begins with `custom_`. */
  readonly metricName: string;
  /** Class names in the order of logits; empty for regression. */
  readonly labels: readonly string[];
  /** Weights of the classes in the loss, by name; absent where all weigh alike. */
  readonly classWeights?: Readonly<Record<string, number>>;
  /** What the base model is built of; absent in records of earlier versions. */
  readonly architecture?: "encoder" | "encoder-decoder";
  /**
   * How `adapter/` is written: in peft's or AdapterHub's format, or as tensors that deft alone reads; absent until the run has
   * ended, and in records of earlier versions.
   */
  readonly trainedFormat?: "peft" | "adapters" | "tensors";
  /** Trained on questions of which some have no answer. */
  readonly unanswerable?: boolean;
  /** The best checkpoint on the evaluation split; null until the run has ended. */
  readonly result: Evaluation | null;
  /** The base model before training, when it was measured. */
  readonly before?: Evaluation;
}
