// The library's options as settings: the same names in camel case, data and method as objects.
import { ConfigError } from "../errors.ts";
import { type Method, methodOf } from "../peft/index.ts";
import type { DataOptions, DensityOptions, PlainOptions } from "./generated/options.ts";
import { SETTINGS, SETTINGS_KEYS, type Setting, type SettingsInput, type TaskName } from "./table/index.ts";
import { methodInput } from "./text.ts";

/** Density options and their settings: `warmupRatio` is `density-warmup-ratio`. */
const DENSITY_KEYS: Readonly<Record<string, string>> = Object.fromEntries(
  SETTINGS_KEYS.flatMap((key) => {
    const { option, at }: Setting = SETTINGS[key];
    return option === "density" && at !== undefined ? [[at.slice(at.lastIndexOf(".") + 1), key]] : [];
  }),
);

/** Where examples are, and which of their columns to read; `glue`, `table`, `squad` and `seq2seq` make one. */
export interface DataSource extends DataOptions {
  /** What is asked of the model; decides its head, loss and metrics. */
  readonly task: TaskName;
  /** A folder in GLUE's layout, a folder of tables, or one file. */
  readonly path: string;
}

/** How answers are chosen and texts written. */
type AnswerOption =
  | "docStride"
  | "nBest"
  | "maxAnswerLength"
  | "nullThreshold"
  | "maxTargetLength"
  | "numBeams"
  | "maxNewTokens"
  | "lengthPenalty"
  | "temperature"
  | "topK"
  | "topP"
  | "seed";

/** Where to score a model, and how; what is left out is as the run was trained. */
export interface ScoreOptions
  extends Pick<PlainOptions, "batchSize" | "maxLength" | "padding" | "backend" | "threads" | AnswerOption> {
  /** Default: the run's own data. */
  readonly data?: DataSource;
  /** Default: the task's evaluation split. */
  readonly split?: string;
  /** Write with the rows of active neurons, where that is faster here. */
  readonly sparseDecoding?: boolean;
}

/** A data source as settings. */
export function dataInput({ task, path, ...options }: DataSource) {
  return { task, data: path, ...plainInput(options) };
}

/** The density loss as settings; null is plain fine-tuning. */
export function densityInput(density: DensityOptions | null): Record<string, unknown> {
  if (density === null) return { "density-weight": 0 };
  return withoutAbsent(
    Object.fromEntries(Object.entries(density).map(([name, value]) => [DENSITY_KEYS[name] ?? name, value])),
  );
}

/**
 * A method as settings.
 * @throws {ConfigError} for hooks of one's own, which a stored run could not make again.
 */
export function methodSettings(method: Method): Record<string, unknown> {
  const { settings } = method;
  const remade = methodOf(settings);
  const isOwn = Object.keys(method.hooks).some((name) => !(name in remade.hooks));
  if (isOwn) {
    throw new ConfigError(
      [
        {
          path: "method",
          expected: "lora(), adapter(), prompt(), prefix(), headOnly() or full()",
          got: "one with hooks of its own",
        },
      ],
      {
        hint: "Score with hooks of your own by loadModel(model, { hooks }); a run stores only what it can make again.",
      },
    );
  }
  return { method: settings.kind, ...methodInput(settings) };
}

/** Plain options by the settings' names; what is undefined was not given. */
export function plainInput(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return withoutAbsent(
    Object.fromEntries(
      Object.entries(options).map(([name, value]) => [
        name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
        value,
      ]),
    ),
  );
}

/** Score options as overrides of a run's settings. */
export function scoreInput({ data, ...options }: ScoreOptions): SettingsInput {
  return { ...(data === undefined ? {} : dataInput(data)), ...plainInput({ ...options }) };
}

function withoutAbsent(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
