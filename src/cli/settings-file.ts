// A settings file as `deft init` writes it: what was chosen as lines, the defaults beside it behind a `#`, a comment each.

import { stringify } from "yaml";
import {
  DEFAULTS,
  isUsed,
  type Settings,
  type SettingsInput,
  type SettingsKey,
  settingsInput,
  settingText,
  trainCommand,
} from "../settings/index.ts";
import { type Flag, settingFlags } from "./flags.ts";

/**
 * The text of a YAML file that `deft train` takes and that gives these settings back. Keys in `chosen` and values that are no
 * defaults stand as lines; a line behind a `#` without a space is a default.
 */
export function settingsFile(settings: Settings, chosen: ReadonlySet<string>, lead: readonly string[]): string {
  const values = settingsInput({ ...settings, resume: false });
  const differing = new Set(trainCommand(settings).map((word) => word.replace(/^--(no-)?/, "")));
  const shown = settingFlags("init").filter(
    ({ name }) => name !== "preset" && (name in values || isOffered(name as SettingsKey, values)),
  );
  const line = ({ name, help, kind, value: words, default: usual }: Flag) => {
    const value = values[name as SettingsKey];
    const isChosen = value !== undefined && (chosen.has(name) || differing.has(name));
    const text =
      value === undefined ? (usual ?? (kind === "switch" && name in DEFAULTS ? "false" : "")) : scalar(name, value);
    const choices = /^[a-z0-9]+(\|[a-z0-9]+)+$/.test(words ?? "") ? `${words}: ` : "";
    return `${`${isChosen ? "" : "#"}${name}: ${text}`.trimEnd().padEnd(34)}  # ${choices}${help}`;
  };
  const groups = [...new Set(shown.map(({ group }) => group))];
  return `${[
    ...lead.map((words) => `# ${words}`),
    ...groups.flatMap((group) => ["", `# ${group}`, ...shown.filter((flag) => flag.group === group).map(line)]),
  ].join("\n")}\n`;
}

function scalar(name: string, value: unknown): string {
  // a list as a list, ε as FROM:TO
  const plain = Array.isArray(value) ? value : typeof value === "object" ? numberOr(settingText(value)) : value;
  const text = stringify({ [name]: plain }, { collectionStyle: "flow", lineWidth: 0 }).trim();
  // one flow collection: `{ name: value }`
  return text.slice(2 + name.length + 1, -2).trim();
}

const numberOr = (text: string) => (Number.isNaN(Number(text)) ? text : Number(text));

/** Settings without a value that have a place beside the others. */
function isOffered(key: SettingsKey, values: SettingsInput): boolean {
  return isUsed(key, values, [values.method ?? DEFAULTS.method]);
}
