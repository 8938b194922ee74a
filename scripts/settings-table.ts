// `npm run settings`: writes what is derived from the table of settings as files: the types of options with their hover text, and
// the tables of docs/reference/settings.md. `npm run settings -- --check` says which are out of step.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  camelCase,
  HEADINGS,
  type Kind,
  optionHelp,
  otherDefaults,
  SETTINGS,
  SETTINGS_KEYS,
  type Setting,
  type SettingsKey,
  settingText,
  valueName,
} from "../src/settings/table/index.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** A file that is written whole, or between its markers. */
interface Derived {
  readonly path: string;
  readonly text: string;
}

/** A kind's values as TypeScript writes their type. */
function typeText(kind: Kind): string {
  switch (kind.type) {
    case "text":
      return "string";
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "choice":
      return kind.choices.map((word) => JSON.stringify(word)).join(" | ");
    case "words":
      return kind.choices === null
        ? "readonly string[]"
        : `readonly (${kind.choices.map((w) => `"${w}"`).join(" | ")})[]`;
    case "wholes":
      return "readonly number[]";
    case "preset":
      return "PresetName";
    case "parsed":
      return kind.typeText;
  }
}

/** What values are allowed, in words; empty where the type says it all. */
function boundsText(kind: Kind): string {
  if (kind.type !== "number") return "";
  const { isWhole, min, above, max, below } = kind;
  const noun = isWhole ? "A whole number" : "A number";
  if (min !== undefined && max !== undefined) return `${noun} from ${min} to ${max}`;
  const low = min !== undefined ? ` ≥ ${min}` : above !== undefined ? ` > ${above}` : "";
  const high = max !== undefined ? ` ≤ ${max}` : below !== undefined ? ` < ${below}` : "";
  return `${noun}${[low, high].filter((of) => of !== "").join(" and")}`;
}

/** The default in words; empty where there is none. */
function defaultSentence(key: SettingsKey): string {
  const { default: usual } = SETTINGS[key] as Setting;
  const others = otherDefaults(key);
  if (usual === undefined || usual === "") return others === "" ? "" : `Default of ${others}.`;
  return `Default: \`${settingText(usual)}\`${others === "" ? "" : `; ${others}`}.`;
}

const sentences = (...of: readonly string[]) => of.filter((text) => text !== "").join(" ");

function field(name: string, type: string, doc: string): string {
  return `  /** ${doc} */\n  readonly ${name}: ${type};`;
}

/** A part of a run's `Settings`: the rows that stand directly at `place`. */
function partOf(place: string): string[] {
  return SETTINGS_KEYS.flatMap((key) => {
    const row: Setting = SETTINGS[key];
    const at = row.at ?? "";
    const parent = at.includes(".") ? at.slice(0, at.lastIndexOf(".")) : "";
    if (at === "" || parent !== place) return [];
    const type = row.stored ?? (key === "task" ? "TaskName" : typeText(row.kind));
    const isNull = row.default === undefined && row.isNeeded !== true;
    const bounds = boundsText(row.kind);
    const doc = sentences(optionHelp(key), bounds && `${bounds}.`, isNull ? "Null where nothing was given." : "");
    return [field(at.slice(at.lastIndexOf(".") + 1), isNull ? `${type} | null` : type, doc)];
  });
}

/** The options of the library that are given in this way. */
function optionsOf(way: Setting["option"], nameOf: (key: SettingsKey) => string): string[] {
  return SETTINGS_KEYS.filter((key) => (SETTINGS[key] as Setting).option === way).map((key) => {
    const { kind }: Setting = SETTINGS[key];
    const bounds = boundsText(kind);
    const doc = sentences(optionHelp(key), bounds && `${bounds}.`, defaultSentence(key));
    const type = key === "epsilon" ? `number | ${typeText(kind)}` : typeText(kind);
    return field(`${nameOf(key)}?`, `${type} | undefined`, doc);
  });
}

const lastOf = (key: SettingsKey) => {
  const at = (SETTINGS[key] as Setting).at!;
  return at.slice(at.lastIndexOf(".") + 1);
};

const PARTS: readonly (readonly [name: string, place: string, doc: string])[] = [
  ["RunSettings", "", "Settings of a run that stand for themselves."],
  ["DataSettings", "data", "Where examples come from and how they become token ids."],
  ["AnswerSettings", "answers", "How answers are chosen; means nothing to a classifier."],
  ["DensityLossSettings", "density", "The density loss; `weight` 0 is plain fine-tuning."],
  ["AutoWeightSettings", "density.auto", "The density weight by feedback."],
  ["GateSettings", "gates", "ADA-DEFT: a learned gate for each MLP."],
  ["RemovalSettings", "removal", "Gradual removal of MLP neurons while training."],
  ["DistillationSettings", "distillation", "Learning from the answers of a model trained before, beside the labels."],
  ["OptimSettings", "optim", "AdamW and its schedule."],
];

function typesFile(): string {
  const block = (name: string, doc: string, fields: readonly string[]) =>
    `/** ${doc} */\nexport interface ${name} {\n${fields.join("\n")}\n}`;
  return `${[
    "// Types of settings and options, with their hover text. Written by `npm run settings` from the table; do not edit.",
    'import type { PresetName } from "../presets.ts";\nimport type { TaskName } from "../table/index.ts";',
    ...PARTS.map(([name, place, doc]) => block(name, doc, partOf(place))),
    block(
      "PlainOptions",
      "Options of a run that are single values; what is left out has its default.",
      optionsOf(undefined, camelCase),
    ),
    block("DataOptions", "Options of a data source: columns, classes and limits.", optionsOf("data", camelCase)),
    block(
      "DensityOptions",
      "The density loss of a run; what is left out has its default.",
      optionsOf("density", lastOf),
    ),
  ].join("\n\n")}\n`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

/** The tables of the reference page, a heading each. */
function markdown(): string {
  return HEADINGS.map((heading) => {
    const keys = SETTINGS_KEYS.filter((key) => SETTINGS[key].heading === heading);
    const rows = keys.map((key) => {
      const { kind, help, commands }: Setting = SETTINGS[key];
      const value = valueName(key);
      const flag = `\`--${key}${value === undefined ? "" : ` ${value}`}\``;
      const bounds = boundsText(kind);
      return `| ${[flag, sentences(help, bounds && `${bounds}.`), defaultSentence(key).replace(/^Default: |\.$/g, ""), commands.join(", ")].map(cell).join(" | ")} |`;
    });
    return [
      `## ${heading}`,
      "",
      "| setting | what it does | default | commands |",
      "| --- | --- | --- | --- |",
      ...rows,
    ].join("\n");
  }).join("\n\n");
}

const START = "<!-- settings:start -->";
const END = "<!-- settings:end -->";

function derived(): Derived[] {
  const page = "docs/reference/settings.md";
  const before = existsSync(join(ROOT, page))
    ? readFileSync(join(ROOT, page), "utf8")
    : `# Settings\n\n${START}\n${END}\n`;
  const between = new RegExp(`${START}[\\s\\S]*?${END}`);
  return [
    { path: "src/settings/generated/options.ts", text: typesFile() },
    { path: page, text: before.replace(between, () => `${START}\n\n${markdown()}\n\n${END}`) },
  ];
}

const isCheck = process.argv.includes("--check");
const stale = derived().filter(({ path, text }) => {
  const file = join(ROOT, path);
  const isStale = !existsSync(file) || readFileSync(file, "utf8") !== text;
  if (isStale && !isCheck) writeFileSync(file, text);
  return isStale;
});
if (stale.length > 0)
  console.log(`${isCheck ? "out of step" : "written"}: ${stale.map(({ path }) => path).join(", ")}`);
process.exitCode = isCheck && stale.length > 0 ? 1 : 0;
