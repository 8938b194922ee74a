// What a compression decides: another activation, what a rule or a search removes of the model, and both as one plan.
import { isTargets } from "../../data/index.ts";
import type { MergedModel } from "../../load/index.ts";
import { combinedLayer, type LayerFacts, type NeuronStatistics, type Plan } from "../../prune/index.ts";
import { readPlan } from "../../runs/index.ts";
import { joinPath } from "../../tensor/index.ts";
import type { CompressData } from "./data.ts";
import { type CompressEvent, stage } from "./event.ts";
import { exampleCount } from "./examples.ts";
import type { CompressOptions } from "./options.ts";
import { SEARCH_FILE } from "./output-folder.ts";
import { recoveryChosen } from "./recovery.ts";
import type { CompressRequest, OpenedCompression } from "./request.ts";
import type { Choice } from "./rule-context.ts";
import { chooseLayers, needsMoments } from "./rules.ts";
import { calibrate, layerFacts } from "./scoring.ts";
import { type ActivationRequest, type Swap, swapActivation, swapChosen, swappedModel } from "./swap.ts";

/** What was decided, with what was measured for it. */
export interface Decision {
  readonly plan: Plan;
  readonly candidates: Choice["candidates"];
  readonly statistics: readonly NeuronStatistics[];
}

/** Decides as it was asked for; yields what happens. Errors as `chooseLayers`, `readPlan` and `Backend.compile`. */
export async function* decide(
  request: CompressRequest,
  job: OpenedCompression,
): AsyncGenerator<CompressEvent, Decision> {
  const { options } = request;
  const { frozen, recovery } = job;
  const swap = options.activation === null ? null : yield* swapped(request, job, options.activation);
  const model = swap === null ? frozen : swappedModel(frozen, swap, options.activation!.name);
  const { choice, statistics, activation = options.activation?.name } = yield* chosen(request, job, model);
  const rule = swap === null ? choice.chosen : swapChosen(options.activation!, swap, choice.chosen);
  const plan: Plan = {
    schema: 1,
    base: job.planTarget.base,
    adapter: job.planTarget.adapter,
    layers: swap === null ? choice.layers : choice.layers.map((layer, i) => combinedLayer(swap.layers[i]!, layer)),
    ...(activation === undefined ? {} : { activation }),
    quantization: options.quantization,
    exactness: recovery === null && swap === null ? choice.exactness : "calibrated",
    chosen: recoveryChosen(rule, recovery),
  };
  return { plan, candidates: choice.candidates, statistics };
}

/** What a rule chose, with what was counted for it; of a plan made before also its activation. */
interface Chosen {
  readonly choice: Choice;
  readonly statistics: readonly NeuronStatistics[];
  readonly activation?: string;
}

/** Another activation in the model, a stage for each of its lines. */
async function* swapped(
  { signal }: CompressRequest,
  { frozen, data, backend }: OpenedCompression,
  request: ActivationRequest,
): AsyncGenerator<CompressEvent, Swap> {
  yield stage("calibrate", `${request.name} on ${exampleCount(data.calibration)} examples of ${data.calibrationSplit}`);
  const lines = swapActivation({ frozen, data, backend, signal }, request);
  for (;;) {
    const next = await lines.next();
    if (next.done) return next.value;
    yield stage("calibrate", next.value);
  }
}

/** The layers of `frozen` that a rule chooses, or that a plan made before names. */
async function* chosen(
  { environment: { files }, options, signal }: CompressRequest,
  { sites, compensation, data, backend, planTarget }: OpenedCompression,
  frozen: MergedModel,
): AsyncGenerator<CompressEvent, Chosen> {
  if (options.rule.kind === "plan") {
    const { layers, exactness, chosen: by, activation } = await readPlan(files, options.rule.file, planTarget);
    const choice = { layers, exactness, chosen: by, candidates: [] };
    return { choice, statistics: [], ...(activation === undefined ? {} : { activation }) };
  }
  yield stage("calibrate", `${exampleCount(data.calibration)} examples of ${data.calibrationSplit}`);
  const moments = needsMoments(sites, options.rule, compensation);
  const statistics = await calibrate(backend, frozen, data.calibration, { moments });
  const facts: LayerFacts[] = await layerFacts(frozen, sites, statistics);
  yield stage("choose", "choosing what to remove");
  const context = {
    frozen,
    facts,
    data,
    backend,
    files,
    searchFile: joinPath(options.output, SEARCH_FILE),
    searchKey: searchKey(planTarget, data, options, compensation),
    mayKeepAll: options.decodingBudget !== null || options.activation !== null,
    signal,
  };
  const steps = chooseLayers(context, options.rule);
  for (;;) {
    const next = await steps.next();
    if (next.done) return { choice: next.value, statistics };
    yield { type: "candidate", ...next.value };
  }
}

/** What a search's measurements depend on. */
function searchKey(
  target: Pick<Plan, "base" | "adapter">,
  data: CompressData,
  { rule, activation }: CompressOptions,
  compensation: string,
): string {
  const counts = [data.calibration.totalTokens, data.search.totalTokens, data.search.count];
  const { generation } = data;
  return JSON.stringify([
    2,
    target.base.fingerprint,
    target.adapter?.fingerprint,
    data.task.name,
    data.split,
    counts,
    rule.kind,
    compensation,
    ...(isTargets(data.search) ? [generation] : []),
    ...(activation === null ? [] : [activation]),
  ]);
}
