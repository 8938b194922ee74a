// `--staged` in a run: the same losses as one program but for rounding, and checkpoints that either goes on from.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { workflow } from "../../src/library/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { openSettings } from "../../src/runs/index.ts";
import type { TrainEvent } from "../../src/train/index.ts";
import { writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-staged-"));
  await writeTinyModel(at("model"));
  await writeTinySst2(at("data"), { train: 40, dev: 12 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Trains and gives the task losses by step; `stopAfter` interrupts it as Ctrl-C does. */
async function losses(flags: Readonly<Record<string, unknown>>, stopAfter?: number): Promise<number[]> {
  const environment = nodeEnvironment();
  const controller = new AbortController();
  const settings = await openSettings(environment.files, { flags });
  const found: number[] = [];
  const note = (event: TrainEvent) => {
    if (event.type !== "step") return;
    found.push(event.taskLoss);
    if (event.step === stopAfter) controller.abort();
  };
  for await (const event of workflow(environment).train(settings, { signal: controller.signal })) note(event);
  return found;
}

test("a run stage by stage, and runs that change over in the middle", async () => {
  const flags = {
    model: at("model"),
    task: "sst2",
    data: at("data"),
    "batch-size": 8,
    "learning-rate": 5e-3,
    "max-steps": 8,
    "eval-steps": 8,
    threads: 1,
  };
  const whole = await losses({ ...flags, output: at("whole") });
  const staged = await losses({ ...flags, output: at("staged"), staged: true });
  expect(whole.length).toBe(8);
  staged.forEach((loss, i) => {
    expect(loss).toBeCloseTo(whole[i]!, 4);
  });

  // interrupted and resumed as it was: the same bytes
  const same = at("same");
  await losses({ ...flags, output: same, staged: true }, 3);
  const rest = await losses({ output: same, resume: true });
  expect(rest).toEqual(staged.slice(3));
  const adapter = (run: string) => readFile(join(run, "adapter", "adapter_model.safetensors"));
  expect(await adapter(same)).toEqual(await adapter(at("staged")));

  // from stages to one program, and back
  for (const [name, first] of [
    ["left", true],
    ["entered", false],
  ] as const) {
    await losses({ ...flags, output: at(name), staged: first }, 3);
    const after = await losses({ output: at(name), resume: true, staged: !first });
    after.forEach((loss, i) => {
      expect(loss).toBeCloseTo(whole[3 + i]!, 4);
    });
  }
});
