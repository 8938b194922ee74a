// The library's words for flags: every setting by its option, command lines as they are.
import { expect, test } from "vitest";
import { CheckpointError, ConfigError, DataError } from "../errors.ts";
import { COMPRESS_KEYS } from "../jobs/index.ts";
import { camelCase, optionName, SETTINGS_KEYS } from "../settings/index.ts";
import { inTypeScript, speaking, worded } from "./wording.ts";

test.each(SETTINGS_KEYS)("--%s", (key) => {
  const option = optionName(key);
  expect(inTypeScript(`--${key}`)).toBe(option);
  expect(inTypeScript(`Give --${key} X, or (\`--${key}\`).`)).toBe(`Give ${option} X, or (\`${option}\`).`);
  expect(inTypeScript(`--no-${key}`)).toBe(`${option}: false`);
  expect(inTypeScript(`deft train --${key} X`)).toBe(`deft train --${key} X`);
});

test.each(COMPRESS_KEYS)("compress: --%s", (key) => {
  expect(inTypeScript(`--${key} and no other`)).toBe(`${camelCase(key)} and no other`);
});

test("what is no flag of the library, and command lines up to their end, stay", () => {
  const same = ["npm i --global", "a--data", "---data", "--data-x y", "(`deft train --help` lists every setting)"];
  for (const text of same) expect(inTypeScript(text)).toBe(text);
  expect(inTypeScript("Fine-tune it with deft train --data X, or give --adapter DIR.")).toBe(
    "Fine-tune it with deft train --data X, or give adapter DIR.",
  );
  expect(inTypeScript("density and `--density-weight`, --label-column; deft eval --data a.csv")).toBe(
    "density and `density.weight`, labelColumn; deft eval --data a.csv",
  );
});

test("an error keeps what it is, and says the same everywhere", async () => {
  const cause = new Error("below");
  const issues = [{ path: "--task", expected: "--data too", got: "nothing", didYouMean: "x" }];
  const error = new ConfigError(issues, { hint: "Give --data DIR.", cause });
  await expect(speaking(() => Promise.reject(error))).rejects.toBe(error);
  expect(error).toMatchObject({ code: "config", name: "ConfigError", cause, hint: "Give data DIR." });
  expect(error.message).toBe("task: expected data too, got nothing (did you mean x?)\nGive data DIR.");
  expect(error.issues).toEqual([{ path: "task", expected: "data too", got: "nothing", didYouMean: "x" }]);
  expect(error.stack).toContain(error.message);
  expect(error.stack).not.toContain("--");
  expect((worded(error) as Error).message).toBe(error.message);
});

test("a person's own data is not looked through for flags; rows are named", () => {
  const error = new DataError("m:rows.jsonl", { line: 3, expected: "a label", got: '"--task"', hint: "See --labels." });
  worded(error, (text) => text.replace("m:rows.jsonl:3", "rows[2]").replace("m:rows.jsonl", "rows"));
  expect(error.message).toBe('rows[2]: expected a label, got "--task"\nSee labels.');
  expect(error.file).toBe("rows");
  const plain = new CheckpointError("f", [{ name: "w", expected: "a", got: "b" }]);
  const { message } = plain;
  worded(plain);
  expect([plain.message, plain.hint]).toEqual([message, undefined]);
  expect(worded("text")).toBe("text");
});
