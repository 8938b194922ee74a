// A base whose files are changed while a run trains on them: noticed before anything wrong is written, and mended as the hint says.
import { copyFile, mkdtemp, open, readFile, rename, rm, truncate, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TrainingError } from "../../src/errors.ts";
import { float32Checkpoint, openSafetensors, safetensorsBytes } from "../../src/hub/index.ts";
import { workflow } from "../../src/library/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { openSettings } from "../../src/runs/index.ts";
import { filesBelow } from "../support/command.ts";
import { writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

let folder: string;
let whole: Record<string, string>;
const at = (...parts: readonly string[]) => join(folder, ...parts);
const WEIGHTS = "model/model.safetensors";
const CHANGED_AFTER = 5;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-base-"));
  await writeTinyModel(at("good"), { numLayers: 1 });
  await writeTinyModel(at("model"), { numLayers: 1 });
  await writeTinyModel(at("other"), { numLayers: 1, seed: 2 });
  await writeTinySst2(at("data"), { train: 60, dev: 16 });
  await train("whole", async () => {});
  whole = await results("whole");
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(() => copyFile(at("good/model.safetensors"), at(WEIGHTS)));

const environment = () => ({ ...nodeEnvironment(), cacheFolder: at("cache") });

/** Trains 12 steps with a checkpoint every fourth; `change` is called behind the fifth. */
async function train(name: string, change: () => Promise<void>, more: Readonly<Record<string, unknown>> = {}) {
  const flags = more["resume"]
    ? { output: at(name), resume: true }
    : { model: at("model"), task: "sst2", data: at("data"), output: at(name), "batch-size": 8, "learning-rate": 5e-3 };
  const own = more["resume"] ? {} : { "max-steps": 12, "eval-steps": 4, "save-steps": 4, threads: 1, ...more };
  const settings = await openSettings(environment().files, { flags: { ...flags, ...own } });
  const steps: number[] = [];
  for await (const event of workflow(environment()).train(settings)) {
    if (event.type !== "step") continue;
    steps.push(event.step);
    if (event.step === CHANGED_AFTER) await change();
  }
  return steps;
}

async function results(name: string): Promise<Record<string, string>> {
  const files = Object.entries(await filesBelow(at(name)));
  return Object.fromEntries(files.filter(([path]) => /^(adapter|checkpoints)\//.test(path)));
}

/** Writes the other model's numbers over those that are there, in the same file. */
async function overwrite(path: string, by: Uint8Array): Promise<void> {
  const file = await open(path, "r+");
  await file.write(by);
  await file.close();
}

const CHANGES: Readonly<Record<string, () => Promise<void>>> = {
  "overwritten in place": async () => overwrite(at(WEIGHTS), await readFile(at("other/model.safetensors"))),
  "one bit of it": async () => {
    const bytes = await readFile(at(WEIGHTS));
    bytes[bytes.length - 100]! ^= 1;
    await overwrite(at(WEIGHTS), bytes);
  },
  "cut short": () => truncate(at(WEIGHTS), 3000),
  replaced: async () => {
    await copyFile(at("other/model.safetensors"), at("model/.new"));
    await rename(at("model/.new"), at(WEIGHTS));
  },
  removed: () => unlink(at(WEIGHTS)),
};

describe("the file that is mapped", () => {
  test.each(Object.entries(CHANGES))(
    "%s: the next step stops, and the run goes on from its checkpoint",
    async (name, change) => {
      const error = await train(name, change).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(TrainingError);
      const { message, hint } = error as TrainingError;
      expect(message).toContain(at(WEIGHTS));
      expect(message).toContain(`the last good checkpoint is ${at(name, "checkpoints/step-4")}`);
      expect(message).not.toContain("learning-rate");
      expect(hint).toContain("--copy-base");
      const before = await results(name);
      expect(Object.keys(before).every((path) => path.startsWith("checkpoints/step-4/"))).toBe(true);
      const events = await readFile(at(name, "events.jsonl"), "utf8");
      expect(events.match(/"type":"step"/g)).toHaveLength(CHANGED_AFTER);
      // as the hint says
      await copyFile(at("good/model.safetensors"), at(WEIGHTS));
      await train(name, async () => {}, { resume: true });
      expect(await results(name)).toEqual(whole);
    },
  );

  test.each<[string, () => Promise<void>]>([
    ["touched", () => utimes(at(WEIGHTS), new Date(0), new Date(0))],
    [
      "replaced by its copy",
      async () => {
        await copyFile(at("good/model.safetensors"), at("model/.new"));
        await rename(at("model/.new"), at(WEIGHTS));
      },
    ],
  ])("%s: the run goes on", async (name, change) => {
    expect(await train(name, change)).toHaveLength(12);
    expect(await results(name)).toEqual(whole);
  });

  test("with --copy-base it may be anything meanwhile, and the run's result is the same", async () => {
    const copied = await train("copied", CHANGES["overwritten in place"]!, { "copy-base": true });
    expect(copied).toHaveLength(12);
    expect(await results("copied")).toEqual(whole);
  });
});

test("a base that was converted is trained on as it was converted; a copy that is changed is noticed", async () => {
  const half = new Map(
    await Promise.all(
      [...(await openSafetensors(environment().files, at("good/model.safetensors")))].map(async ([name, weight]) => {
        const { shape, data } = await weight.read();
        const bits = new Uint32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
        return [
          name,
          { dtype: "bfloat16" as const, shape, data: Uint16Array.from(bits, (bit) => bit >>> 16) },
        ] as const;
      }),
    ),
  );
  await writeFile(at(WEIGHTS), safetensorsBytes(half));
  const bytes = await readFile(at(WEIGHTS));
  const zeroed = Buffer.from(bytes).fill(0, bytes.length - 5000);
  expect(await train("converted", () => overwrite(at(WEIGHTS), zeroed))).toHaveLength(12);

  await writeFile(at(WEIGHTS), bytes);
  const { files } = environment();
  const { file } = await float32Checkpoint(files, await openSafetensors(files, at(WEIGHTS)), at("cache"));
  const copy = await readFile(file!);
  const change = () => overwrite(file!, Buffer.from(copy).fill(0, copy.length - 5000));
  await expect(train("converted, changed", change)).rejects.toThrow(file!);
});
