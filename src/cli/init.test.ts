// `deft init`: what it writes is what `deft train` takes, for every preset and for answers to questions.
import { describe, expect, test } from "vitest";
import { deft } from "../../test/support/command.ts";
import { PAPER_KEYS, ROW_PRESETS, resolveSettings, type Settings } from "../settings/index.ts";
import { askSettings } from "./questions.ts";
import { settingsFile } from "./settings-file.ts";

/** The settings that a file's text gives; `whole` takes the `#` away from every default. */
function readBack(text: string, whole = false): Settings {
  return resolveSettings({ flags: {}, file: { name: "f", text: whole ? text.replace(/^#(?=[a-z])/gm, "") : text } });
}

// without a density loss its other settings mean nothing, and a file has none of them
const comparable = (settings: Settings) =>
  settings.density.weight === 0 ? { ...settings, density: { weight: 0 } } : settings;

describe("settingsFile", () => {
  test.each(ROW_PRESETS.map(({ name }) => name))(
    "%s: gives the same settings back, with and without its defaults",
    (name) => {
      const settings = resolveSettings({ flags: { preset: name } });
      const text = settingsFile(settings, PAPER_KEYS, ["a lead"]);
      expect(comparable(readBack(text))).toEqual(comparable(settings));
      expect(comparable(readBack(text, true))).toEqual(comparable(settings));
      expect(text).not.toMatch(/^#?(preset|resume):|undefined|\[object/m);
    },
  );

  test.each<Record<string, unknown>>([
    { task: "text-pair", "pair-column": "a: b # c", "keep-neurons": 0.25, "density-loss": "neurons" },
    { task: "seq2seq", "source-prefix": "summarize: ", "num-beams": 4, method: "full" },
    { task: "sst2", method: "prompt", "prompt-init-text": "'good' or \"bad\"", epsilon: "1e-2:1e-4" },
    {
      task: "sst2",
      targets: "query,key,value",
      rslora: true,
      "max-grad-norm": 1,
      "density-weight": "auto",
      reference: "r",
    },
    { task: "stsb", teacher: "runs/large", "distillation-weight": 0.7 },
    { task: "stsb", method: "qlora", "mask-safe": false, ada: true, "gate-weight": 0.3, "density-weight": 0 },
  ])("%j", (flags) => {
    const settings = resolveSettings({ flags: { model: "m", data: "d", ...flags } });
    const text = settingsFile(settings, new Set(Object.keys(flags)), []);
    expect(comparable(readBack(text))).toEqual(comparable(settings));
    expect(comparable(readBack(text, true))).toEqual(comparable(settings));
    for (const key of Object.keys(flags)) expect(text).toMatch(new RegExp(`^${key}: `, "m"));
  });
});

describe("askSettings", () => {
  const asked = async (answers: (string | null)[], given = {}) => {
    const said: string[] = [];
    const questions: string[] = [];
    const ask = async (question: string, usual: string) => {
      questions.push(`${question.split(":")[0]} [${usual}]`);
      return answers.length === 0 ? "" : answers.shift()!;
    };
    return { result: await askSettings(given, ask, (text) => said.push(text)), said, questions };
  };

  test("asks for what is missing; what is refused is asked again", async () => {
    const { result, said, questions } = await asked(["colaa", "cola", "", "", "-1", "0"], { model: "m" });
    expect(result).toEqual({
      model: "m",
      task: "cola",
      data: "data/CoLA",
      method: "lora",
      "density-weight": 0,
      output: "runs/cola-lora",
    });
    expect(said).toEqual([expect.stringContaining("did you mean cola?"), "expected a number ≥ 0, or auto, got -1"]);
    expect(questions.filter((question) => question.startsWith("Task"))).toHaveLength(2);
  });

  test("ends when nobody answers", async () => {
    expect((await asked(["m", null])).result).toBeNull();
  });
});

describe("deft init", () => {
  test("prints a preset's file, and all of them", async () => {
    const { code, out } = await deft("init", "-", "--preset", "flan-t5-xl/squad/lora-ada-deft", "--epochs", "2");
    expect(code).toBe(0);
    expect(readBack(out)).toMatchObject({ task: "squad", gates: {}, optim: { epochs: 2, batchSize: 4 } });
    expect(out).toMatch(/^epochs: 2 /m);
    expect((await deft("init", "--list")).out).toMatch(/^flan-t5-xxl +google\/flan-t5-xxl +squad$/m);
    expect(JSON.parse((await deft("init", "--list", "--json")).out)).toHaveLength(ROW_PRESETS.length);
  });

  test("--json gives the settings, and writes no file with -", async () => {
    const { out } = await deft("init", "-", "--preset", "roberta-large/rte/prefix-peft", "--json");
    expect(JSON.parse(out)).toMatchObject({ file: null, settings: { method: "prefix", "density-weight": 0 } });
  });

  test.each([
    [["init", "README.md", "--preset", "paper"], "README.md: expected a new file"],
    [["init", "-", "--preset", "roberta-large/sst/lora-deft"], "did you mean roberta-large/sst2/lora-deft?"],
    [["init", "-", "--task", "sst2"], "--model: expected"],
    [["init", "-", "--preset", "paper", "--model", "m", "--task", "rte"], "--data: expected"],
    [["init", "-", "--preset", "roberta-large/rte/prefix-deft", "--rank", "2"], "--rank: expected --method lora"],
  ])("%j is refused", async (argv, message) => {
    const { code, out, err } = await deft(...argv);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
  });
});
