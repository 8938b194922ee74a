// A settings file as `deft init` writes it: what was chosen as lines, the defaults beside it behind a `#`, a comment each.
import { stringify } from "yaml";
import { type Settings, settingsInput, settingText, trainCommand } from "../settings/index.ts";
import { type Flag, TRAIN_FLAGS } from "./flags.ts";

/**
 * The text of a YAML file that `deft train` takes and that gives these settings back. Keys in `chosen` and values that are no
 * defaults stand as lines; a line behind a `#` without a space is a default.
 */
export function settingsFile(settings: Settings, chosen: ReadonlySet<string>, lead: readonly string[]): string {
  const values: Readonly<Record<string, unknown>> = settingsInput({ ...settings, resume: false });
  const differing = new Set(trainCommand(settings).map((word) => word.replace(/^--(no-)?/, "")));
  const shown = TRAIN_FLAGS.filter((flag) => flag.name in values || isOffered(flag.name, settings)).filter(
    ({ name }) => name !== "resume" && name !== "preset",
  );
  const line = ({ name, help, kind, value: words, default: usual }: Flag) => {
    const value = values[name];
    const isChosen = value !== undefined && (chosen.has(name) || differing.has(name));
    const text = value === undefined ? (usual ?? (kind === "switch" ? "false" : "")) : scalar(name, value);
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

/** Settings without a value that a reader may want to give here. */
function isOffered(name: string, { task, removal, gates, distillation = null }: Settings): boolean {
  switch (name) {
    case "text-column":
    case "label-column":
      return task === "text-classification" || task === "text-pair";
    case "pair-column":
      return task === "text-pair";
    case "source-column":
    case "target-column":
    case "source-prefix":
      return task === "seq2seq";
    case "teacher":
      return distillation === null && task !== "squad" && task !== "seq2seq";
    case "ada":
      return gates === null;
    case "keep-neurons":
      return removal === null;
    default:
      return OFFERED.includes(name);
  }
}

const OFFERED: readonly string[] = [
  "limit-train",
  "limit-eval",
  "max-steps",
  "max-grad-norm",
  "eval-steps",
  "save-steps",
  "patience",
  "output",
  "threads",
];
