// The loop over an optimiser that does as it is told: what stops a run, what the message says, and what is on disk then.
import { describe, expect, test } from "vitest";
import { FileError, TrainingError } from "../errors.ts";
import { memoryFiles } from "../hub/index.ts";
import { type Files, float32 } from "../tensor/index.ts";
import { listCheckpoints, loadTrainable } from "./checkpoint.ts";
import type { TrainStep } from "./open-optimizer.ts";
import { train } from "./trainer.ts";
import type { TrainerOptions } from "./trainer-options.ts";

const SPEC = { name: "head.weight", shape: [2], trainable: true };

/** What goes wrong, by the step it goes wrong in. */
interface Faults {
  readonly loss?: number;
  readonly gradNorm?: number;
  readonly parameter?: number;
  readonly evalLoss?: number;
  readonly base?: number;
}

const FAULT_STEP = 5;

/** Parameters are the number of the step; `faults` replace what step 5 gives. */
function fakeStep(faults: Faults): TrainStep & { readonly now: () => number } {
  let now = 0;
  const parameters = () =>
    new Map([[SPEC.name, float32([2], [now, now >= FAULT_STEP ? (faults.parameter ?? now) : now])]]);
  const state = () => ({ parameters: parameters(), m: parameters(), v: parameters() });
  const fake = {
    now: () => now,
    graph: { trainable: [SPEC], buffers: [], parameters: [SPEC], gates: [] },
    energies: new Map(),
    gateReadings: new Map(),
    step: async (step: number) => {
      now = step;
      const of = step === FAULT_STEP ? faults : {};
      return { loss: of.loss ?? 1 / step, taskLoss: 1 / step, densityLoss: 0, gradNorm: of.gradNorm ?? 1 };
    },
    readParameters: async () => parameters(),
    readState: async () => state(),
    restore: async ({ parameters: of }: { parameters: ReadonlyMap<string, { data: ArrayLike<number> }> }) => {
      now = of.get(SPEC.name)!.data[0]!;
    },
    dispose: async () => {},
  };
  return fake as unknown as TrainStep & { readonly now: () => number };
}

function optionsOf(files: Files, faults: Faults, resume = false): TrainerOptions {
  const optimizer = fakeStep(faults);
  const batch = { attendedTokens: 4 } as never;
  return {
    optimizer,
    batches: {
      batchesPerEpoch: 4,
      epoch: () => ({ batch: () => batch, describe: (index) => `examples ${index + 1}` }),
    },
    accumulate: 1,
    totalSteps: 8,
    schedule: { name: "constant", learningRate: 0.1, warmupSteps: 0, totalSteps: 8 },
    density: { weight: 0, warmupSteps: 0, cooldownSteps: 0, epsilon: { from: 0.01, to: 0.01 }, annealSteps: 8 },
    chanceLoss: 0.7,
    evaluate: async () => ({
      split: "dev",
      examples: 4,
      loss: optimizer.now() >= FAULT_STEP ? (faults.evalLoss ?? 0.5) : 0.5,
      metrics: { accuracy: optimizer.now() / 10 },
      density: {} as never,
    }),
    keepRule: "best",
    metricName: "accuracy",
    evalSteps: 2,
    patience: null,
    checkpoints: { files, folder: "checkpoints", keep: 2, saveSteps: null, fingerprint: "the same", resume },
    checkBase: async () => {
      if (optimizer.now() >= (faults.base ?? Number.POSITIVE_INFINITY))
        throw new FileError("base/model.safetensors", "expected the weights that were there, got others");
    },
    describe: {} as never,
    rssBytes: () => 0,
  };
}

async function run(options: TrainerOptions) {
  const events = train(options);
  for (;;) {
    const next = await events.next();
    if (next.done) return next.value;
  }
}

async function stopped(faults: Faults) {
  const files = memoryFiles();
  const error = (await run(optionsOf(files, faults)).catch((reason: unknown) => reason)) as TrainingError;
  expect(error).toBeInstanceOf(TrainingError);
  return { error, files };
}

describe("a number that is none", () => {
  test.each<[Faults, number, string]>([
    [{ loss: Number.NaN }, 5, "expected finite loss, got NaN"],
    [{ gradNorm: Number.POSITIVE_INFINITY }, 5, "gradient norm Infinity"],
    [{ evalLoss: Number.NaN }, 6, "expected finite loss of the evaluation, got NaN"],
    [{ parameter: Number.NEGATIVE_INFINITY }, 6, "expected finite parameters, got others in head.weight"],
  ])("%j stops the run before it is written", async (faults, step, message) => {
    const { error, files } = await stopped(faults);
    expect(error.message).toContain(message);
    expect(error.message).toContain("the last good checkpoint is checkpoints/step-4");
    expect(error.message).toMatch(/epoch 2, batch \d \(examples \d\)/);
    expect(error.step).toBe(step);
    expect(await listCheckpoints(files, "checkpoints")).toEqual([2, 4]);
    expect([...(await loadTrainable(files, "checkpoints", 4, [SPEC.name])).get(SPEC.name)!.data]).toEqual([4, 4]);
    // and goes on where what was wrong is mended
    const { step: last, trained } = await run(optionsOf(files, {}, true));
    expect([last, ...trained.get(SPEC.name)!.data]).toEqual([8, 8, 8]);
  });
});

describe("a base that is another", () => {
  test.each<[Faults, string]>([
    [{ base: 5 }, "in the step"],
    [{ base: 5, loss: Number.NaN }, "in the step, which it spoils: the file is told, not the learning rate"],
  ])("%j %s", async (faults) => {
    const { error, files } = await stopped(faults);
    expect(error.message).toContain("base/model.safetensors: expected the weights that were there, got others");
    expect(error.message).toContain("the last good checkpoint is checkpoints/step-4");
    expect(error.hint).toContain("--resume");
    expect(error.message).not.toContain("learning-rate");
    expect(await listCheckpoints(files, "checkpoints")).toEqual([2, 4]);
  });
});

test("a checkpoint of other settings is refused, and one that was damaged is named", async () => {
  const files = memoryFiles();
  await run(optionsOf(files, {}));
  const others = optionsOf(files, {}, true);
  const changed = { ...others, checkpoints: { ...others.checkpoints!, fingerprint: "another" } };
  await expect(run(changed)).rejects.toThrow("the settings, data and model of the checkpoint");
  const path = "checkpoints/step-8/optimizer.safetensors";
  const bytes = await files.read(path);
  bytes[bytes.length - 1]! ^= 1;
  await files.write(path, bytes);
  await expect(run(optionsOf(files, {}, true))).rejects.toThrow(
    /step-8: expected a whole checkpoint.*\n.*\n? +optimizer\.safetensors/s,
  );
});
