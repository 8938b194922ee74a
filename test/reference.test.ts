// The reference page made from the command line's descriptions is up to date.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { commandsPage } from "../scripts/docs/reference.ts";
import { COMMANDS } from "../src/cli/commands.ts";
import { SETTINGS_KEYS } from "../src/settings/index.ts";

const page = (name: string) => readFileSync(new URL(`../docs/reference/${name}.md`, import.meta.url), "utf8");

test("docs/reference/commands.md says what the command line says", () => {
  expect(page("commands") === commandsPage(), "run `npm run api` and commit docs/reference/commands.md").toBe(true);
});

test("every command and every setting has its place", () => {
  for (const { name } of COMMANDS) expect(page("commands")).toContain(`\n## deft ${name}\n`);
  expect(SETTINGS_KEYS.filter((key) => !page("settings").includes(`\`--${key}`))).toEqual([]);
});
