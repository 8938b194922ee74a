// Settings proposed for data: the task and its columns, a model, and what the classes and the lengths of the texts ask for.
import { type ClassCount, type Guess, guessData, type Look, lookAt } from "../../data/index.ts";
import { ConfigError } from "../../errors.ts";
import { requireTask } from "../../load/index.ts";
import { anyModel, WRITER_TYPES } from "../../models/index.ts";
import type { Environment } from "../../runs/index.ts";
import type { SettingsInput, TaskName } from "../../settings/index.ts";
import { type Files, joinPath, parseBoundedJson } from "../../tensor/index.ts";
import { fittingLength, type LocalModel } from "./lengths.ts";

/** Settings for data that were looked at. */
export interface Proposal {
  /** What was guessed; what was given is not among them. */
  readonly settings: SettingsInput;
  /** What was found, a line each. */
  readonly found: readonly string[];
}

/** A model that reads, and one that writes, where none is given. */
const USUAL_MODEL = "FacebookAI/roberta-base";
const USUAL_WRITER = "google/flan-t5-small";
/** So many times the rows of the rarest class make the most frequent one weigh too much. */
const UNBALANCED = 4;
/** Classes named in a line. */
const MAX_SHOWN = 12;

/**
 * Looks at `data` and proposes settings; those `given` hold, and decide what is guessed of the rest.
 * @throws {ConfigError} naming the columns, and the flag that decides, where they leave it open. Errors as `openTable`.
 */
export async function proposeSettings(
  environment: Pick<Environment, "files">,
  data: string,
  given: SettingsInput,
): Promise<Proposal> {
  const { files } = environment;
  const look = await lookAt(files, data, given.task);
  const model = await localModel(files, given.model);
  const guess = guessData(look, {
    task: given.task,
    writes: model?.model.writes,
    textColumn: given["text-column"],
    pairColumn: given["pair-column"],
    labelColumn: given["label-column"],
    sourceColumn: given["source-column"],
    targetColumn: given["target-column"],
  });
  if (model !== null) checkModel(model, guess, given.task);
  const settings: Record<string, unknown> = { data, task: guess.task, ...columnSettings(guess), ...given };
  const found = [lookLine(look), ...guessLines(look, guess)];
  const weights = given["class-weights"] === undefined ? unbalanced(guess) : null;
  if (weights !== null) {
    settings["class-weights"] = "balanced";
    found.push(weights);
  }
  if (given.model === undefined) {
    settings["model"] = guess.task === "seq2seq" ? USUAL_WRITER : USUAL_MODEL;
    found.push(`model: ${String(settings["model"])}, because none was given (--model)`);
  } else if (model !== null && given["max-length"] === undefined) {
    const fitting = await fittingLength(files, data, model, guess);
    if (fitting !== null) {
      settings["max-length"] = fitting.length;
      found.push(fitting.line);
    }
  }
  if (given.output === undefined) settings["output"] = await freeFolder(environment, data);
  const guessed = Object.entries(settings).filter(([key]) => given[key as keyof SettingsInput] === undefined);
  return { settings: Object.fromEntries(guessed), found };
}

/** The model where it is a folder here: nothing is fetched for a guess. Errors as `anyModel`. */
async function localModel(files: Files, name: string | undefined): Promise<LocalModel | null> {
  const file = name === undefined ? null : joinPath(name, "config.json");
  if (file === null || (await files.stat(file)) === null) return null;
  return { name: name!, model: anyModel(parseBoundedJson(await files.readText(file)), file) };
}

/** @throws {ConfigError} where such a model cannot do the task that was given or guessed. */
function checkModel(model: LocalModel, { task, why }: Guess, asked: TaskName | undefined): void {
  if (asked !== undefined || task !== "seq2seq" || model.model.writes) {
    requireTask(task as TaskName, model);
    return;
  }
  const got = `${model.name} (${model.model.facts.modelType}), which writes nothing`;
  throw new ConfigError(
    [{ path: "--model", expected: `an encoder–decoder (${WRITER_TYPES.join(", ")}), because ${why}`, got }],
    {
      hint: "Give another model, or say what the columns are for with --task.",
    },
  );
}

function columnSettings({ columns }: Guess): SettingsInput {
  const { textColumn, pairColumn, labelColumn, sourceColumn, targetColumn } = columns;
  const all = {
    "text-column": textColumn,
    "pair-column": pairColumn,
    "label-column": labelColumn,
    "source-column": sourceColumn,
    "target-column": targetColumn,
  };
  return Object.fromEntries(Object.entries(all).filter(([, name]) => name !== undefined));
}

function lookLine({ file, rows, isWhole, columns }: Look): string {
  const count = rows.toLocaleString("en-US");
  const looked = isWhole ? `all ${count} rows were looked at` : `the first ${count} rows were looked at`;
  return `${file}: ${looked}; the columns are ${columns.map(({ name }) => name).join(", ")}`;
}

function guessLines(look: Look, { task, columns, classes, why }: Guess): string[] {
  const { textColumn, pairColumn, labelColumn, sourceColumn, targetColumn } = columns;
  const words = (name: string) => {
    const mean = look.columns.find((column) => column.name === name)?.words ?? 0;
    return `${name} (${Math.max(1, Math.round(mean)).toLocaleString("en-US")} words on average)`;
  };
  const texts = [textColumn, pairColumn].filter((name) => name !== undefined);
  const isList = look.columns.some((column) => column.name === textColumn && column.isList);
  return [
    `task: ${task}, because ${why}`,
    ...(texts.length === 0 ? [] : [`text: ${texts.map((name) => (isList ? name : words(name))).join(" and ")}`]),
    ...(labelColumn === undefined ? [] : [`label: ${labelColumn}${classes === null ? "" : `; ${classLine(classes)}`}`]),
    ...(sourceColumn === undefined ? [] : [`source: ${words(sourceColumn)}`]),
    ...(targetColumn === undefined ? [] : [`target: ${words(targetColumn)}`]),
  ];
}

function classLine(classes: readonly ClassCount[]): string {
  const shown = classes.slice(0, MAX_SHOWN).map(([name, rows]) => `${name} ${rows.toLocaleString("en-US")}`);
  const count = `${classes.length.toLocaleString("en-US")} class${classes.length === 1 ? "" : "es"}`;
  return `${count}: ${shown.join(", ")}${classes.length > MAX_SHOWN ? ", …" : ""}`;
}

/** Why classes should weigh alike; null where none is much rarer than another, or where most words have none. */
function unbalanced({ task, classes }: Guess): string | null {
  if (classes === null || classes.length < 2 || task === "token-classification" || task === "multi-label") return null;
  const sorted = classes.toSorted(([, a], [, b]) => b - a);
  const [[most, many], [least, few]] = [sorted[0]!, sorted.at(-1)!];
  if (many <= UNBALANCED * few) return null;
  const share = Math.round((100 * many) / classes.reduce((sum, [, rows]) => sum + rows, 0));
  const counts = `${most} has ${many.toLocaleString("en-US")} rows (${share} %), ${least} ${few.toLocaleString("en-US")}`;
  return `class-weights: balanced, because ${counts}; an accuracy of ${share} % is that of answering ${most} always`;
}

/** `runs/NAME`, with a number where that is taken. */
async function freeFolder({ files }: Pick<Environment, "files">, data: string): Promise<string> {
  const base = data.replace(/\/+$/, "").split("/").at(-1)!;
  const stem = base.replace(/(?<=.)\.(?:\w+)(?:\.gz)?$/i, "").replaceAll(/[^\w.-]+/g, "-");
  const name = stem === "" || /^\.+$/.test(stem) ? "data" : stem;
  for (let i = 1; ; i++) {
    const folder = `runs/${name}${i === 1 ? "" : `-${i}`}`;
    if ((await files.stat(folder)) === null) return folder;
  }
}
