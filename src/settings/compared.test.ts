// What is compared of settings, held to the lists and keys that the version before the table of settings had: a run that it began must
// still be accepted. `test/golden/settings/cases.json` was written by that version.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type JsonObject, jsonText } from "../hub/index.ts";
import { FREE_OF_REFERENCE, FREE_ON_RESUME, keySettings, resumedSettings } from "./compared.ts";
import { completed } from "./places.ts";
import type { Settings } from "./record.ts";
import { resolveSettings } from "./settings.ts";
import type { SettingsInput } from "./table/index.ts";
import { settingsInput, trainCommand } from "./text.ts";

interface Case {
  readonly flags: Record<string, unknown>;
  /** As `run.json` of that version holds them. */
  readonly settings: Settings;
  readonly input: SettingsInput;
  readonly command: readonly string[];
  readonly method: JsonObject;
  readonly key: string;
}

const CASES = JSON.parse(
  readFileSync(new URL("../../test/golden/settings/cases.json", import.meta.url), "utf8"),
) as Case[];
/** The rows on SQuAD have the settings of their own script since; a run that was begun with others has them in its record. */
const isChanged = ({ flags }: Case) => String(flags["preset"]).includes("/squad/");
const NAMED = CASES.filter((of) => !isChanged(of)).map((of) => [JSON.stringify(of.flags), of] as const);
/** Settings that the version had not. */
const SINCE = { keep: "best", "copy-base": false, memory: "balanced" };

/** The key of a run, as `jobs/train/run-job.ts` puts it together. */
function keyOf(settings: Settings, method: JsonObject): string {
  const { distillation = null } = settings;
  return jsonText({
    base: "base",
    quantization: settings.quantize,
    dataset: "dataset",
    ...(keySettings(settings) as JsonObject),
    method,
    ...(distillation ? { teacher: "teacher", teacherWeight: distillation.weight } : {}),
    totalSteps: 100,
  });
}

describe("runs of the version before", () => {
  test.each(NAMED)("%s: the key of a run is the same to the byte", (_, { flags, settings, method, key }) => {
    expect(keyOf(resolveSettings({ flags }), method)).toBe(key);
    expect(keyOf(settings, method)).toBe(key);
    expect(keyOf(completed(settings), method)).toBe(key);
  });

  test.each(NAMED)(
    "%s: settings resolve to what they were, and read back",
    (_, { flags, settings, input, command }) => {
      const now = resolveSettings({ flags });
      expect(now).toEqual({ ...completed(settings), keep: "best" });
      expect(completed(settings).keep).toBe("earliest");
      expect(now).toMatchObject(settings);
      expect(settingsInput(now)).toEqual({ ...input, ...SINCE });
      expect(settingsInput(settings)).toEqual({ ...input, ...SINCE });
      expect([...trainCommand(now)].sort()).toEqual([...command].sort());
      // without a density loss its settings are not written
      const same = settings.density.weight === 0 ? { ...now, density: expect.anything() } : now;
      expect(resolveSettings({ flags: input as Record<string, unknown> })).toEqual(same);
    },
  );

  test("a setting that was added since is in the key where it is no default", () => {
    const flags = { model: "m", task: "text-classification", data: "d" };
    const key = (more: Record<string, unknown>) => keySettings(resolveSettings({ flags: { ...flags, ...more } }));
    const plain = key({});
    expect(plain).not.toHaveProperty("keep");
    expect(plain["data"]).not.toHaveProperty("labels");
    expect(key({ keep: "best" })).toEqual(plain);
    expect(key({ keep: "last" })).toEqual({ ...plain, keep: "last" });
    expect(key({ metric: "f1" })).toEqual({ ...plain, metric: "f1" });
    expect(key({ "class-weights": "balanced" })).toEqual({ ...plain, classWeights: "balanced" });
    expect(key({ labels: "no,yes" })).toMatchObject({ data: { labels: ["no", "yes"] } });
  });
});

describe("what may differ", () => {
  test("when a run goes on", () => {
    expect([...FREE_ON_RESUME].sort()).toEqual(
      ["output", "resume", "threads", "backend", "save-steps", "preset", "recompute", "staged", "copy-base"].sort(),
    );
    const stored = resolveSettings({ flags: { model: "m", task: "sst2", data: "d", output: "runs/a", seed: 3 } });
    const flags = {
      model: "m",
      task: "sst2",
      data: "d",
      output: "runs/a",
      seed: 4,
      threads: 2,
      staged: true,
      keep: "last",
    };
    const asked = resolveSettings({ flags: { ...flags, recompute: false, "save-steps": 9, backend: "cuda" } });
    expect(resumedSettings(stored, asked)).toEqual({
      ...stored,
      threads: 2,
      staged: true,
      recompute: false,
      saveSteps: 9,
      backend: "cuda",
    });
  });

  test("between a run and its reference of plain fine-tuning", () => {
    // besides keep and metric, which had not been there
    expect([...FREE_OF_REFERENCE].sort()).toEqual(
      (
        "density-weight task-loss-margin target-density reference density-loss density-warmup-ratio " +
        "density-cooldown-ratio epsilon positions ada gates gate-weight gate-rate keep-neurons keep-scope removal-start " +
        "removal-end eval-steps save-steps patience output resume backend threads recompute staged keep metric copy-base"
      )
        .split(" ")
        .sort(),
    );
  });
});
