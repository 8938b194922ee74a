// The table of settings: every row is whole, its values pass its own check, and what it gives back resolves to the same settings.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { glueTask } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { METHOD_RECORDS } from "../peft/index.ts";
import { checkInput } from "./schema.ts";
import { resolvePartial, resolveSettings } from "./settings.ts";
import {
  DEFAULTS,
  HEADINGS,
  type Kind,
  METHODS,
  SETTING_COMMANDS,
  SETTINGS,
  SETTINGS_KEYS,
  type Setting,
  TASK_FACTS,
  TASKS,
} from "./table/index.ts";
import { settingsInput } from "./text.ts";

const ROWS: readonly (readonly [string, Setting])[] = SETTINGS_KEYS.map((key) => [key, SETTINGS[key]]);

describe("every row", () => {
  test.each(ROWS)("%s says what it does in whole sentences, and where it belongs", (key, row) => {
    expect(key).toMatch(/^[a-z][a-z-]*[a-z]$/);
    expect(row.help).toMatch(/^[A-Z][^\n]*[a-z0-9)"]\.$/);
    expect(row.help.length).toBeLessThan(140);
    expect(["basic", "more"]).toContain(row.group);
    expect(HEADINGS).toContain(row.heading);
    expect(row.commands.length).toBeGreaterThan(0);
    for (const command of row.commands) expect(SETTING_COMMANDS).toContain(command);
  });

  test.each(ROWS)(
    "%s: its defaults pass its own check",
    (key, { default: usual, byTask, byMethod, byActivation, byLoss }) => {
      const values = [usual, ...[byTask, byMethod, byActivation, byLoss].flatMap((of) => Object.values(of ?? {}))];
      for (const value of values.filter((of) => of !== undefined)) {
        expect(checkInput({ [key]: value }, String)).toMatchObject({ values: { [key]: value }, issues: [] });
      }
    },
  );

  test.each(ROWS)("%s: what it needs and who uses it are there", (_, { needs = [], methods = [], tasks }) => {
    for (const need of needs) expect(SETTINGS_KEYS).toContain(need.key);
    for (const method of methods) expect(METHODS).toContain(method);
    for (const task of tasks?.are ?? []) expect(TASKS).toContain(task);
    expect(tasks?.are).not.toEqual([]);
  });

  test("has a place of its own", () => {
    const places = ROWS.flatMap(([, { at }]) => (at === undefined ? [] : [at]));
    expect(new Set(places).size).toBe(places.length);
  });

  test("tasks are GLUE's where the data room says so", () => {
    const glue = TASKS.filter((name) => "isGlue" in TASK_FACTS[name]);
    expect(glue.map((name) => glueTask(name).kind)).toEqual(
      glue.map((name) => (TASK_FACTS[name].answers === "number" ? "regression" : "classification")),
    );
  });
});

/** Values of a kind, good and bad. */
function valuesOf(kind: Kind): fc.Arbitrary<unknown> {
  switch (kind.type) {
    case "number":
      return kind.isWhole ? fc.integer({ min: 0, max: 600 }) : fc.constantFrom(0, 0.1, 0.3, 0.5, 0.7, 1, 2);
    case "boolean":
      return fc.boolean();
    case "choice":
      return fc.constantFrom(...kind.choices);
    case "words":
      return kind.choices === null
        ? fc.constantFrom("query", "query,key", ["value"], "all-linear")
        : fc.constant("lora");
    case "wholes":
      return fc.constantFrom("1,2", 3);
    case "preset":
      return fc.constantFrom("paper", "roberta-large/rte/lora-deft", "flan-t5-xl/squad/adapter-ada-deft");
    case "parsed":
      return fc.constantFrom<unknown>(
        "auto",
        "balanced",
        "a=1,b=2.5",
        { a: 1 },
        "no,yes",
        ["x", "y"],
        "1e-2:1e-4",
        0.3,
        0,
      );
    case "text":
      return fc.constantFrom("a", "runs/b", "a b");
  }
}

test("every option of every method has a row, which its methods read, and no row of another has a method's default", () => {
  const options = new Set(METHOD_RECORDS.flatMap(({ options: rows }) => Object.keys(rows)));
  const rows = ROWS.filter(([, { option }]) => option === "method");
  expect(new Set(rows.map(([key]) => key))).toEqual(options);
  for (const [key, { methods, default: usual }] of rows) {
    const readers = METHOD_RECORDS.filter((record) => key in record.options).map(({ kind }) => kind);
    expect(new Set(methods?.filter((name) => name !== "qlora")), key).toEqual(new Set(readers));
    const own = METHOD_RECORDS.map((record) => record.options[key]?.default).filter((value) => value !== undefined);
    expect(
      own.every((value) => value === usual),
      key,
    ).toBe(true);
  }
});

test("what settings are written as resolves to the same settings", () => {
  const keys = SETTINGS_KEYS.filter((key) => SETTINGS[key].affects !== "call");
  const flags = fc
    .uniqueArray(fc.constantFrom(...keys), { maxLength: 8 })
    .chain((some) => fc.record(Object.fromEntries(some.map((key) => [key, valuesOf(SETTINGS[key].kind)]))));
  let resolved = 0;
  fc.assert(
    fc.property(flags, fc.constantFrom(...TASKS), (given, task) => {
      let settings: ReturnType<typeof resolveSettings>;
      try {
        settings = resolveSettings({ flags: { model: "m", task, data: "d", ...given } });
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
        return;
      }
      resolved++;
      const again = resolveSettings({ flags: settingsInput(settings) });
      // without a density loss its settings are not written
      expect(settings.density.weight === 0 ? { ...again, density: settings.density } : again).toEqual(settings);
    }),
    { numRuns: 1500, seed: 7 },
  );
  expect(resolved).toBeGreaterThan(300);
});

describe("settings that choose among evaluations and weigh classes", () => {
  const own = { model: "m", task: "text-classification", data: "d.csv" };
  const mistakes = (flags: Record<string, unknown>) => {
    try {
      resolveSettings({ flags: { ...own, ...flags } });
      return "none";
    } catch (error) {
      return error instanceof ConfigError ? error.message : String(error);
    }
  };

  test("have the task's own ways where nothing is said", () => {
    const { keep, metric, classWeights, data } = resolveSettings({ flags: own });
    expect({ keep, metric, classWeights, labels: data.labels }).toEqual({
      keep: DEFAULTS.keep,
      metric: null,
      classWeights: null,
      labels: null,
    });
  });

  test.each<[unknown, unknown]>([
    ["balanced", "balanced"],
    ["spam=2,ham=0.5", { spam: 2, ham: 0.5 }],
    ["a=b=2, c d =1", { "a=b": 2, "c d": 1 }],
    ['{"spam": 2, "ham, eggs": 1}', { spam: 2, "ham, eggs": 1 }],
    [{ spam: 3 }, { spam: 3 }],
    ["0=1,1=4", { 0: 1, 1: 4 }],
  ])("class weights %j", (written, expected) => {
    const settings = resolveSettings({ flags: { ...own, "class-weights": written } });
    expect(settings.classWeights).toEqual(expected);
    expect(resolveSettings({ flags: settingsInput(settings) })).toEqual(settings);
  });

  test.each([
    ["macro-f1", "f1_macro"],
    ["macro_f1", "f1_macro"],
    ["f1_macro", "f1_macro"],
    ["matthews-correlation", "matthews_correlation"],
    ["f1", "f1"],
  ])("metric %j", (written, expected) => {
    const settings = resolveSettings({ flags: { ...own, metric: written } });
    expect(settings.metric).toBe(expected);
    expect(resolveSettings({ flags: settingsInput(settings) })).toEqual(settings);
  });

  test.each<[unknown, readonly string[]]>([
    ["no,yes", ["no", "yes"]],
    ['["no, thanks", "yes"]', ["no, thanks", "yes"]],
    [
      ["b", "a"],
      ["b", "a"],
    ],
    [
      [0, 1],
      ["0", "1"],
    ],
    ["1 star, 2 stars", ["1 star", "2 stars"]],
  ])("labels %j", (written, expected) => {
    expect(resolveSettings({ flags: { ...own, labels: written } }).data.labels).toEqual(expected);
  });

  test.each<[Record<string, unknown>, string]>([
    [{ keep: "beast" }, '--keep: expected one of best, last, got "beast" (did you mean best?)'],
    [
      { metric: "f11" },
      '--metric: expected a metric of text-classification: accuracy, f1, f1_macro, matthews_correlation, got "f11" (did you mean f1?)',
    ],
    [{ metric: "matthews", task: "cola" }, "(did you mean matthews_correlation?)"],
    [{ metric: "accuracy", task: "stsb" }, "--metric: expected a metric of stsb: pearson, spearmanr"],
    [{ metric: "" }, "--metric: expected the name of a metric, got nothing"],
    [{ "class-weights": "balance" }, "--class-weights: expected balanced, or a number above 0 for each class"],
    [{ "class-weights": "spam=0" }, "--class-weights: expected balanced"],
    [{ "class-weights": "spam=1,spam=2" }, "--class-weights: expected balanced"],
    [{ "class-weights": "spam=x" }, "--class-weights: expected balanced"],
    [{ "class-weights": "{spam: 2}" }, "--class-weights: expected balanced"],
    [{ "class-weights": [1, 2] }, "--class-weights: expected balanced"],
    [{ "class-weights": "balanced", task: "stsb" }, "--class-weights: expected a task of classes, which alone uses it"],
    [{ "class-weights": "balanced", task: "squad" }, "--class-weights: expected a task of classes"],
    [{ labels: "yes,yes" }, "--labels: expected different class names"],
    [{ labels: "yes," }, "--labels: expected different class names"],
    [{ labels: "no,yes", task: "sst2" }, "--labels: expected a task of classes over a table of one's own"],
  ])("refuses %j", (flags, message) => {
    expect(mistakes(flags)).toContain(message);
  });

  test("a split may be written with hyphens", () => {
    expect(resolvePartial({ flags: { split: "dev-mismatched" } })).toEqual({ split: "dev_mismatched" });
    expect(resolvePartial({ flags: { split: "dev_matched" } })).toEqual({ split: "dev_matched" });
    expect(resolvePartial({ flags: { split: "dev" } })).toEqual({ split: "dev" });
  });
});

describe("a file under flags", () => {
  const file = (text: string) => ({ name: "deft.yaml", text: `model: m\ntask: sst2\ndata: d\n${text}` });

  test("gives way where a flag leaves no place for what it says", () => {
    const lora = file("method: lora\nrank: 4\nepsilon: 0.1\nseed: 3\nlearning-rate: 0.1\n");
    expect(resolveSettings({ flags: { method: "adapter" }, file: lora }).method.kind).toBe("adapter");
    expect(resolveSettings({ flags: { "density-weight": 0 }, file: lora }).density.weight).toBe(0);
    expect(resolveSettings({ flags: { "density-weight": 0 }, file: lora }).optim.learningRate).toBe(0.1);
    const auto = file("density-weight: auto\nreference: runs/a\ntarget-density: 0.2\n");
    expect(resolveSettings({ flags: { "density-weight": 2 }, file: auto }).density).toMatchObject({
      weight: 2,
      auto: null,
    });
  });

  test("still names its own mistakes, and those of flags that it leaves no place for", () => {
    expect(() => resolveSettings({ flags: { rank: 4 }, file: file("method: adapter\n") })).toThrow("--rank: expected");
    expect(() => resolveSettings({ flags: {}, file: file("method: adapter\nrank: 4\n") })).toThrow(
      "deft.yaml:5:1 (rank)",
    );
    expect(() => resolveSettings({ flags: { "density-weight": 0, epsilon: 1 }, file: file("") })).toThrow("--epsilon");
  });
});
