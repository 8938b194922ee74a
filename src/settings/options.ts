// The library's options as settings: the same names in camel case, data and method as objects.
import { ConfigError } from "../errors.ts";
import { METHOD_RECORDS, type Method, type MethodOption, methodOf, recordOf } from "../peft/index.ts";
import type { SettingsInput, SettingsKey } from "./schema.ts";
import type { AutoWeightSettings, DensitySettings, TaskName } from "./settings.ts";

// every density setting and its flag: one that is missing does not compile
const DENSITY_KEYS = {
  margin: "task-loss-margin",
  targetDensity: "target-density",
  reference: "reference",
  weight: "density-weight",
  loss: "density-loss",
  warmupRatio: "density-warmup-ratio",
  cooldownRatio: "density-cooldown-ratio",
  epsilon: "epsilon",
  positions: "positions",
} as const satisfies { readonly [K in Exclude<keyof DensitySettings, "auto"> | keyof AutoWeightSettings]: SettingsKey };
type DensityKey = (typeof DENSITY_KEYS)[keyof typeof DENSITY_KEYS];

type CamelCase<K extends string> = K extends `${infer Head}-${infer Rest}`
  ? `${Head}${Capitalize<CamelCase<Rest>>}`
  : K;

/** What options give by other means, or what only the command line has. */
type ObjectKey =
  | "model"
  | "adapter"
  | "task"
  | "data"
  | "text-column"
  | "pair-column"
  | "label-column"
  | "source-column"
  | "target-column"
  | "source-prefix"
  | "limit-train"
  | "limit-eval"
  | "split"
  | "method"
  | "methods"
  | MethodOption
  | DensityKey
  | "seeds"
  | "output";

/** Settings of `deft train` that are single values, by their names in camel case: `batchSize`, `learningRate`, … */
export type PlainOptions = {
  readonly [K in Exclude<SettingsKey, ObjectKey> as CamelCase<K>]?: SettingsInput[K] | undefined;
};

/** Where examples are, and which of their columns to read; `glue`, `table`, `squad` and `seq2seq` make one. */
export interface DataSource {
  readonly task: TaskName;
  /** A folder in GLUE's layout, a folder of tables, or one file. */
  readonly path: string;
  readonly textColumn?: string | undefined;
  readonly pairColumn?: string | undefined;
  readonly labelColumn?: string | undefined;
  /** The columns of `seq2seq`, and what is put before each source. */
  readonly sourceColumn?: string | undefined;
  readonly targetColumn?: string | undefined;
  readonly sourcePrefix?: string | undefined;
  /** Use only so many examples of the training split. */
  readonly limitTrain?: number | undefined;
  /** Use only so many examples of each other split. */
  readonly limitEval?: number | undefined;
}

/** The density loss of a run; what is left out is our recipe's. `epsilon` as one number is not annealed. */
export interface DensityOptions extends Partial<Omit<DensitySettings, "epsilon" | "auto" | "weight">> {
  /** `"auto"`: found by feedback against `reference`, a run of plain PEFT. */
  readonly weight?: number | "auto";
  /** With `"auto"`: how far the task loss may rise, as a share of what guessing costs. */
  readonly margin?: number;
  /** With `"auto"`: share of |a| > 0.01 at which the weight no longer rises. */
  readonly targetDensity?: number;
  /** With `"auto"`: the folder of a run of plain PEFT. */
  readonly reference?: string;
  readonly epsilon?: number | DensitySettings["epsilon"];
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
  readonly data?: DataSource;
  /** Default: the task's evaluation split. */
  readonly split?: string;
}

/** A data source as settings. */
export function dataInput({ task, path, ...options }: DataSource) {
  return { task, data: path, ...plainInput(options) };
}

/** The density loss as settings; null is plain fine-tuning. */
export function densityInput(density: DensityOptions | null): Record<string, unknown> {
  if (density === null) return { "density-weight": 0 };
  const given = Object.entries(density) as [keyof typeof DENSITY_KEYS, unknown][];
  return withoutAbsent(Object.fromEntries(given.map(([name, value]) => [DENSITY_KEYS[name], value])));
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
          expected: `one of ${METHOD_RECORDS.map(({ maker }) => maker).join(", ")}`,
          got: "one with hooks of its own",
        },
      ],
      {
        hint: "Score with hooks of your own by loadModel(model, { hooks }); a run stores only what it can make again.",
      },
    );
  }
  return { method: settings.kind, ...recordOf(settings).valuesOf(settings) };
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
