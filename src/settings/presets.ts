// Named runs: a row of the paper each, as the few settings that tell it apart from the others.
import { GLUE_TASKS, type GlueTaskName, glueTask } from "../data/index.ts";
import { nearest } from "../errors.ts";

const METHODS = {
  adapter: "Adapter",
  lora: "LoRA",
  qlora: "QLoRA",
  prompt: "Prompt tuning",
  prefix: "Prefix tuning",
} as const;
const T5_MODELS = { "flan-t5-xl": "google/flan-t5-xl", "flan-t5-xxl": "google/flan-t5-xxl" } as const;
const VARIANTS = {
  deft: { title: "with the density loss", settings: {} },
  peft: { title: "without the density loss", settings: { "density-weight": 0 } },
  "ada-deft": { title: "with the density loss and a gate for each MLP", settings: { ada: true } },
} as const;

type MethodName = keyof typeof METHODS;
type Way = `${MethodName}-${keyof typeof VARIANTS}`;

/** A row of the paper: model, task, PEFT method and variant. */
export type RowPreset = `roberta-large/${GlueTaskName}/${Way}` | `${keyof typeof T5_MODELS}/squad/${Way}`;

/** What `--preset` takes: the paper's values alone, or one of its rows with model, task and method. */
export type PresetName = "paper" | RowPreset;

/** A named run. */
export interface Preset {
  readonly name: RowPreset;
  /** What it is, in a line. */
  readonly title: string;
  /** The settings that make it; all others are those of `preset: paper`, and the defaults. */
  readonly settings: {
    readonly model: string;
    readonly task: GlueTaskName | "squad";
    readonly data: string;
    readonly method: MethodName;
    readonly output: string;
    readonly "density-weight"?: 0;
    readonly ada?: true;
  };
}

/** Every row, models outermost, then tasks, methods and variants. */
export const ROW_PRESETS: readonly Preset[] = [
  ...GLUE_TASKS.flatMap((task) =>
    rowsOf("roberta-large", "FacebookAI/roberta-large", task, `data/${glueTask(task).folder}`),
  ),
  ...keysOf(T5_MODELS).flatMap((name) => rowsOf(name, T5_MODELS[name], "squad", "data/squad")),
];

const BY_NAME: ReadonlyMap<string, Preset> = new Map(ROW_PRESETS.map((preset) => [preset.name, preset]));

/** Every name that `--preset` takes. */
export const PRESET_NAMES: readonly PresetName[] = ["paper", ...ROW_PRESETS.map(({ name }) => name)];

/** The row of that name; null for `paper` and for unknown names. */
export function rowPreset(name: string): Preset | null {
  return BY_NAME.get(name) ?? null;
}

/** Whether `--preset` takes the name. */
export function isPresetName(name: unknown): name is PresetName {
  return name === "paper" || (typeof name === "string" && BY_NAME.has(name));
}

/** The name that was probably meant, part by part where there are three; undefined when none is near. */
export function nearestPreset(name: string): PresetName | undefined {
  const rows = ROW_PRESETS.map((preset) => preset.name.split("/"));
  const parts = name
    .split("/")
    .map((part, at) => nearest(part, [...new Set(rows.map((row) => row[at] ?? ""))]) ?? part);
  const near = isPresetName(parts.join("/")) ? parts.join("/") : nearest(name, PRESET_NAMES);
  return isPresetName(near) ? near : undefined;
}

function rowsOf(model: string, id: string, task: GlueTaskName | "squad", data: string): Preset[] {
  return keysOf(METHODS).flatMap((method) =>
    keysOf(VARIANTS).map((variant): Preset => {
      const name = `${model}/${task}/${method}-${variant}` as RowPreset;
      const { title, settings } = VARIANTS[variant];
      return {
        name,
        title: `${METHODS[method]} on ${id}, ${task}, ${title}`,
        settings: { model: id, task, data, method, output: `runs/${name.replaceAll("/", "-")}`, ...settings },
      };
    }),
  );
}

function keysOf<T extends object>(record: T): (keyof T & string)[] {
  return Object.keys(record) as (keyof T & string)[];
}
