// Thresholds and predictions for decoding by rows: taken while the score that they may cost stays within a budget, measured here.

import { scoreDrop, scoringBatches } from "../../evaluate/index.ts";
import { calibrateSparseMlp, chooseSparseMlp, type SparseMlpPlan } from "../../infer/index.ts";
import type { MergedModel } from "../../load/index.ts";
import type { PlainModel } from "../../prune/index.ts";
import type { StoredDecoding } from "../../runs/index.ts";
import type { Backend } from "../../runtime/index.ts";
import type { CompressData } from "./data.ts";
import { drawn } from "./examples.ts";
import { openWriting, plainWriting } from "./writing.ts";

/** Texts that activations are watched on while they are written, one at a time. */
const CALIBRATION_TEXTS = 64;

/**
 * Decides which MLPs of a smaller model's decoder are read by the rows of active neurons, and above which magnitude a neuron counts as
 * active: as much as a loss of `budget` allows, one standard error included, on the examples of the choice. Errors as `Backend.compile`.
 */
export async function chooseDecoding(
  backend: Backend,
  frozen: Pick<MergedModel, "opened">,
  smaller: PlainModel,
  data: CompressData,
  budget: number,
): Promise<StoredDecoding> {
  const written = plainWriting(smaller);
  const texts = drawn(data.calibration, CALIBRATION_TEXTS);
  const calibration = await calibrateSparseMlp(
    { ...written, backend, predicts: true },
    written.trained,
    scoringBatches(texts, data.head, "longest", 1),
    data.generation,
  );
  const said = async (plan: SparseMlpPlan | null) => {
    const writing = await openWriting(backend, { ...written, decoding: plan }, frozen, data);
    return writing.said(data.search).finally(() => writing.dispose());
  };
  const dense = await said(null);
  const { plan, score, keepActive } = await chooseSparseMlp(calibration, {
    backend,
    budget,
    predicts: true,
    async score(of) {
      if (of === null) return 0;
      const { lost, standardError } = scoreDrop(dense, await said(of));
      return -(lost + standardError);
    },
  });
  return { schema: 1, plan, budget, lost: -score.sparse, keepActive };
}
