// The reference pages made from the command line's descriptions are up to date.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { commandsPage, settingsPage } from "../scripts/docs/reference.ts";
import { COMMANDS } from "../src/cli/commands.ts";
import { SETTINGS_KEYS } from "../src/settings/index.ts";

const PAGES = { commands: commandsPage, settings: settingsPage };
const page = (name: string) => readFileSync(new URL(`../docs/reference/${name}.md`, import.meta.url), "utf8");

test.each(Object.entries(PAGES))("docs/reference/%s.md says what the command line says", (name, make) => {
  expect(page(name) === make(), `run \`npm run api\` and commit docs/reference/${name}.md`).toBe(true);
});

test("every command and every setting of a run has its place", () => {
  for (const { name } of COMMANDS) expect(page("commands")).toContain(`\n## deft ${name}\n`);
  // these belong to commands other than train
  const elsewhere = ["adapter", "split", "methods", "seeds", "sparse-decoding"];
  const missing = SETTINGS_KEYS.filter(
    (key) => !elsewhere.includes(key) && !page("settings").includes(`| \`${key}\` |`),
  );
  expect(missing).toEqual([]);
});
