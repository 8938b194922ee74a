// Settings that are read back from a file: what every record has may not lack.
import { expect, test } from "vitest";
import { resolveSettings } from "./settings.ts";
import { storedIssues } from "./stored.ts";

const stored = () =>
  structuredClone(resolveSettings({ flags: { model: "m", task: "sst2", data: "d" } })) as unknown as Record<
    string,
    Record<string, unknown>
  >;

test("a whole record has no fault", () => expect(storedIssues(stored())).toEqual([]));

test.each(["method", "data", "density", "optim", "answers"])("the part %s is never absent", (part) => {
  for (const value of [undefined, null, 3, []]) {
    const settings = { ...stored(), [part]: value };
    expect(storedIssues(settings).map(({ path }) => path)).toEqual([`settings.${part}`]);
  }
});

test("values that every record has are told where they are absent, others may be", () => {
  const settings = stored();
  delete settings["density"]!["epsilon"];
  settings["optim"]!["batchSize"] = null;
  delete settings["optim"]!["maxSteps"];
  delete settings["data"]!["labels"];
  expect(storedIssues(settings).map(({ path }) => path)).toEqual([
    "settings.density.epsilon",
    "settings.optim.batchSize",
  ]);
});
