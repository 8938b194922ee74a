// `deft init`: a commented settings file from data, from a preset, from flags, or from questions.
import { noSuchPath, tableFileFormat } from "../../data/index.ts";
import { ConfigError } from "../../errors.ts";
import { renderTable, shellLine, toJson } from "../../report/index.ts";
import {
  PAPER_KEYS,
  ROW_PRESETS,
  resolvePartial,
  resolveSettings,
  rowPreset,
  settingsInput,
} from "../../settings/index.ts";
import type { Files } from "../../tensor/index.ts";
import type { Body } from "../command.ts";
import { INTERRUPTED } from "../interrupt.ts";
import { askSettings } from "../questions.ts";
import { settingsFile } from "../settings-file.ts";
import type { Terminal } from "../terminal.ts";
import { openFiles, openWorkflow } from "../workflow.ts";

export const run: Body = async ({ args, flags: { list, ...flags }, terminal, json }) => {
  if (list === true) {
    terminal.print(json ? JSON.stringify(ROW_PRESETS) : presetLines(terminal).join("\n"));
    return 0;
  }
  const files = await openFiles();
  const { data, file } = await places(files, args);
  if (file !== "-" && (await files.stat(file)) !== null)
    throw new ConfigError([{ path: file, expected: "a new file", got: "one that is there" }], {
      hint: "Name another: deft init FILE. With - the settings are printed.",
    });
  const row = typeof flags.preset === "string" ? rowPreset(flags.preset) : null;
  const proposal = data === null ? null : await proposed(data, flags, terminal);
  const given =
    proposal?.settings ?? (row === null && mayAsk(terminal, json) ? await answered(flags, terminal) : flags);
  if (given === null) return INTERRUPTED;
  const settings = resolveSettings({ flags: given });
  const chosen = new Set([
    ...Object.keys(given),
    ...Object.keys(row?.settings ?? {}),
    ...(flags.preset === undefined ? [] : PAPER_KEYS),
  ]);
  const text = settingsFile(settings, chosen, [...leadOf(flags.preset, row?.title, file), ...(proposal?.found ?? [])]);
  if (file !== "-") await files.write(file, text);
  const result = {
    file: file === "-" ? null : file,
    settings: settingsInput(settings),
    ...(proposal === null ? {} : { found: proposal.found }),
  };
  if (json) terminal.print(JSON.stringify(toJson(result)));
  else if (file === "-") terminal.print(text.trimEnd());
  else {
    terminal.print(file);
    const next = [
      ["deft", "train", file, "--dry-run"],
      ["deft", "train", file],
      ...(settings.density.weight === 0 ? [] : [["deft", "compare", file, "--seeds", "1,2,3"]]),
    ];
    terminal.note(`\nNext:\n${next.map((words) => `  ${shellLine(words)}`).join("\n")}`);
  }
  return 0;
};

/** What is looked at, and what is written: the first argument is data where such a file or folder is there, or is named so. */
async function places(
  files: Files,
  [first, second]: readonly string[],
): Promise<{ readonly data: string | null; readonly file: string }> {
  if (first === undefined || first === "-") return { data: null, file: first ?? "deft.yaml" };
  const isData = tableFileFormat(first) !== null || (await files.stat(first))?.isFolder === true;
  if (isData || second !== undefined) {
    if ((await files.stat(first)) === null) throw await noSuchPath(files, first);
    return { data: first, file: second ?? "deft.yaml" };
  }
  return { data: null, file: first };
}

/** Settings for data that were looked at; what was found is said. */
async function proposed(
  data: string,
  flags: Readonly<Record<string, unknown>>,
  terminal: Terminal,
): Promise<{ readonly settings: Readonly<Record<string, unknown>>; readonly found: readonly string[] }> {
  if (flags.data !== undefined)
    throw new ConfigError([
      { path: "--data", expected: `nothing beside the data ${data}`, got: JSON.stringify(flags.data) },
    ]);
  const given = resolvePartial({ flags });
  const workflow = await openWorkflow(terminal);
  const { settings, found } = await workflow.propose(data, given);
  for (const line of found) terminal.note(line);
  return { settings: { ...settings, ...flags }, found };
}

function leadOf(preset: unknown, title: string | undefined, file: string): string[] {
  return [
    ...(title === undefined ? [] : [`${title}: ${String(preset)} of arXiv 2402.01911.`]),
    `Settings of \`deft train ${file === "-" ? "FILE" : file}\`; flags override them.`,
    "A line that begins with # and a name is a default: take the # away to change it.",
  ];
}

/** What can be named: a table a model, a row a task. */
function presetLines(terminal: Terminal): string[] {
  const parts = ROW_PRESETS.map(({ name, settings }) => {
    const [model = "", task = "", way = ""] = name.split("/");
    return { model, task, way, id: settings.model };
  });
  const unique = (of: readonly string[]) => [...new Set(of)];
  const models = unique(parts.map(({ model }) => model));
  const rows = models.map((model) => {
    const own = parts.filter((of) => of.model === model);
    return [model, own[0]?.id ?? "", unique(own.map(({ task }) => task)).join(" ")];
  });
  const ways = unique(parts.map(({ way }) => way));
  const methods = unique(ways.map((way) => way.split("-")[0] ?? ""));
  const variants = unique(ways.map((way) => way.replace(/^\w+-/, "")));
  const table = { head: ["MODEL", "checkpoint", "TASK"], rows, align: ["left", "left", "left"] as const };
  return [
    "A preset is MODEL/TASK/METHOD-VARIANT, or paper for its values alone.",
    "",
    ...renderTable(table, (text) => terminal.style("bold", text, "out")),
    "",
    `METHOD   ${methods.join(" ")}`,
    `VARIANT  ${variants.join(" ")}   (deft: with the density loss; peft: without; ada-deft: with gates too)`,
    "",
    "Examples:",
    "  deft init --preset roberta-large/sst2/adapter-deft",
    "  deft compare --preset roberta-large/rte/lora-deft --methods lora,adapter --seeds 1,2,3",
    "  deft train --preset flan-t5-xl/squad/lora-ada-deft --data data/squad",
  ];
}

function mayAsk({ loudness }: Terminal, json: boolean): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true && !json && loudness !== "silent";
}

/** The flags with what was asked for besides; null when the person left. */
async function answered(
  flags: Readonly<Record<string, unknown>>,
  terminal: Terminal,
): Promise<Readonly<Record<string, unknown>> | null> {
  const { createInterface } = await import("node:readline/promises");
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const left = new Promise<null>((resolve) => lines.once("close", () => resolve(null)));
  try {
    const ask = (question: string, usual: string) =>
      Promise.race([lines.question(`${terminal.style("bold", question)} [${usual}]\n> `), left]);
    return await askSettings(flags, ask, (text) => terminal.warn(text));
  } finally {
    lines.close();
  }
}
