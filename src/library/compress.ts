// Compression of a tuned run, as a user of the library asks for it.
import { type CompressEvent, compressOptions, compressRun, type LayerName } from "../jobs/index.ts";
import type { RunTarget } from "../load/index.ts";
import type { Compression, Environment, Stoppable } from "../runs/index.ts";
import { type DataSource, dataInput, plainInput, resolvePartial } from "../settings/index.ts";
import { joinPath } from "../tensor/index.ts";
import { type Exportable, exportable } from "./export.ts";
import { mount } from "./rows.ts";
import { type Scorable, scorable } from "./scorable.ts";
import { speaking } from "./wording.ts";

/** Rules and budgets of `deft compress` in camel case; one of them, or none for what is proven silent. */
export interface CompressRequest extends Stoppable {
  /** The data of the run when absent. */
  readonly data?: DataSource;
  /** Points of score: 1 means 0.01. */
  readonly scoreBudget?: number;
  /** Share of the dense model's latency, in (0, 1). */
  readonly latencyBudget?: number;
  /** Share of each layer's neurons that stays. */
  readonly keepNeurons?: number;
  /** `global`: that share of all layers' together, each as many as the logits ask for. */
  readonly keepScope?: "layer" | "global";
  /** Neurons that never exceed this on the calibration data are removed. */
  readonly threshold?: number;
  /** Layers by number; of an encoder–decoder `encoder.3`, `decoder.7`. */
  readonly skip?: readonly LayerName[];
  /** MLPs whose learned gate is below this are removed. */
  readonly gateThreshold?: number;
  /** So many MLPs are removed, those first that matter least. */
  readonly count?: number;
  /** With `count`: what says which matter least, a measurement or the gates of training. Default: `ablation`. */
  readonly countBy?: "ablation" | "gates";
  /** A plan's file. */
  readonly plan?: string;
  /** Weights of the compressed model; `q4` is another word for `int4`. */
  readonly quantize?: "none" | "int8" | "int4" | "q4" | "qdq";
  /** What makes up for neurons that go. Default: `refit`, on a pruned base `mean`. */
  readonly compensation?: "refit" | "mean";
  /** Training examples that statistics are taken from. Default: 512, of long texts fewer. */
  readonly calibrationExamples?: number;
  /** Steps of fine-tuning after removal. Default: 0. */
  readonly recoverySteps?: number;
  /** With `recoverySteps`: default the run's own. */
  readonly recoveryMethod?: "lora" | "full";
  /** With `recoverySteps`: peak learning rate. Default: the run's own, of `full` 5e-5. */
  readonly recoveryRate?: number;
  /** With `recoverySteps`: share of the loss that asks for the dense model's logits, in [0, 1]. Default: 0.5, but 0 for models that write. */
  readonly recoveryDistillation?: number;
  /** Points of score that decoding by the rows of active neurons may cost; for models that write. */
  readonly decodingBudget?: number;
  /** This activation in place of every MLP's own, fitted again to what each gave; with `scoreBudget`, as many zeros as that allows. */
  readonly activation?: "relu";
  /** With `activation`: the share of activations that stays non-zero, in (0, 1). */
  readonly densityBudget?: number;
  /** With `activation`: steps that each MLP is trained alone towards what it gave before. Default: 400; 0 fits output matrices only. */
  readonly fitSteps?: number;
  /** Threads of one operation. Default: the run's own, or one for each physical core. */
  readonly threads?: number;
  /** Called with each event: stages, candidates of a search, steps of recovery. */
  readonly onProgress?: (event: CompressEvent) => void;
  /** The compressed model's folder, a new one. Default: `compressed` in the run's. */
  readonly output?: string;
}

/** A compressed model in its folder. */
export interface CompressedModel extends Scorable, Exportable {
  readonly folder: string;
  /** What was removed, and what it costs. */
  readonly compression: Compression;
}

/** Compresses the run in `source`. Errors as `deft compress`. */
export async function compressTuned(
  environment: Environment,
  source: string,
  { data, signal, threads, onProgress, output = joinPath(source, "compressed"), ...rules }: CompressRequest,
): Promise<CompressedModel> {
  const mounted = mount(environment, data);
  const compression = await speaking(async () => {
    const options = compressOptions({ ...plainInput(rules), output });
    const overrides = resolvePartial({
      flags: {
        ...(mounted.data === undefined ? {} : dataInput(mounted.data)),
        ...(threads === undefined ? {} : { threads }),
      },
    });
    const target: RunTarget = { kind: "run", folder: source };
    const stoppable = signal === undefined ? {} : { signal };
    const run = compressRun(mounted.environment, target, options, overrides, stoppable);
    for await (const event of run) onProgress?.(event);
    return run.result;
  }, mounted.name);
  const compressed: RunTarget = { kind: "run", folder: output };
  return {
    folder: output,
    compression,
    ...exportable(environment, compressed),
    ...scorable(environment, compressed),
  };
}
