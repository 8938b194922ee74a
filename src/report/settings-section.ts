// The parts of a page on what runs were made from: settings, commands, versions and fingerprints.
import { settingsInput, settingText, trainCommand } from "../settings/index.ts";
import { factsHtml, html, type Markup, preHtml, shellLine, tableHtml } from "./page/page.ts";
import type { RunReport } from "./run-report.ts";

/** More commands than this are folded away. */
const MOST_COMMANDS = 3;
/** Hexadecimal digits of a fingerprint that are shown. */
const SHOWN_DIGITS = 16;

/** Settings in which runs differ as a table, those they share as a list. */
export function settingsSection(runs: readonly RunReport[]): Markup {
  const inputs = runs.map(({ record }) => settingsInput(record.settings) as Readonly<Record<string, unknown>>);
  const keys = [...new Set(inputs.flatMap((input) => Object.keys(input)))];
  const text = (value: unknown) => (value === undefined ? "–" : settingText(value));
  const same = keys.filter((key) => inputs.every((input) => text(input[key]) === text(inputs[0]?.[key])));
  const different = keys.filter((key) => !same.includes(key));
  const byRun = {
    head: ["run", ...different],
    rows: runs.map(({ name }, index) => [name, ...different.map((key) => text(inputs[index]?.[key]))]),
  };
  const bySetting = {
    head: ["setting", ...runs.map(({ name }) => name)],
    rows: different.map((key) => [key, ...inputs.map((input) => text(input[key]))]),
  };
  // as few columns as can be
  const table = different.length > runs.length ? bySetting : byRun;
  const align = table.head.map(() => "left" as const);
  return html`<section><h2>Settings</h2>
${different.length === 0 ? null : tableHtml("settings that differ", { ...table, align })}
${runs.length > 1 ? html`<p class="note">The same in all runs:</p>` : null}
${factsHtml(same.map((key) => [key, text(inputs[0]?.[key])]))}</section>`;
}

/** The commands that make the runs again, with versions and fingerprints. */
export function reproduceSection(runs: readonly RunReport[]): Markup {
  const commands = preHtml("commands", runs.map(({ record }) => shellLine(trainCommand(record.settings))).join("\n\n"));
  const record = runs[0]?.record;
  const versions = Object.entries(record?.versions ?? {});
  const prints = Object.entries(record?.fingerprints ?? {});
  return html`<section><h2>Reproduce</h2>${
    runs.length > MOST_COMMANDS
      ? html`<details><summary>The commands of all ${runs.length} runs</summary>${commands}</details>`
      : commands
  }
${factsHtml([...versions, ...prints.map(([name, hash]) => [`SHA-256 of ${name}`, shortHash(hash)] as const)])}</section>`;
}

const shortHash = (hash: string) => hash.replace(/^sha256:/, "").slice(0, SHOWN_DIGITS);
