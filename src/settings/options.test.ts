// The library's options as settings: by their names in camel case, data and density as objects.
import { describe, expect, test } from "vitest";
import { dataInput, densityInput, plainInput } from "./options.ts";
import { resolveSettings } from "./settings.ts";
import { optionHelp, optionName, SETTINGS_KEYS } from "./table/index.ts";

describe("options as settings", () => {
  test("of data, density and plain values resolve as their flags do", () => {
    const flags = {
      model: "m",
      ...dataInput({ task: "text-pair", path: "d.csv", pairColumn: "b", labels: ["no", "yes"], limitTrain: 3 }),
      ...densityInput({ weight: 0.5, warmupRatio: 0, epsilon: 0.1, loss: "neurons", positions: "all" }),
      ...plainInput({ batchSize: 4, classWeights: { no: 2, yes: 1 }, keep: "last", metric: "f1", seed: undefined }),
    };
    expect(resolveSettings({ flags })).toMatchObject({
      data: { path: "d.csv", pairColumn: "b", labels: ["no", "yes"], limitTrain: 3 },
      density: { weight: 0.5, warmupRatio: 0, epsilon: { from: 0.1, to: 0.1 }, loss: "neurons", positions: "all" },
      optim: { batchSize: 4 },
      classWeights: { no: 2, yes: 1 },
      keep: "last",
      metric: "f1",
      seed: 42,
    });
    expect(densityInput(null)).toEqual({ "density-weight": 0 });
    expect(densityInput({ weight: "auto", reference: "r", margin: 0.1 })).toEqual({
      "density-weight": "auto",
      reference: "r",
      "task-loss-margin": 0.1,
    });
  });

  test("name each other as the library does", () => {
    expect(optionName("density-warmup-ratio")).toBe("density.warmupRatio");
    expect(optionName("batch-size")).toBe("batchSize");
    expect(SETTINGS_KEYS.map(optionHelp).filter((text) => /--[a-z]/.test(text))).toEqual([
      "Take the values of the paper, or a row of it with model, task and method (deft init --list).",
    ]);
  });
});
