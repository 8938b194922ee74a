// Errors as a program's author reads them: settings by the names of the library's options, in place of a command's flags.
import { DataError, DeftError } from "../errors.ts";
import { COMPRESS_KEYS } from "../jobs/index.ts";
import { camelCase, optionName, SETTINGS_KEYS } from "../settings/index.ts";

/** Options of the library that are no settings of a run: of `compress`, `export` and `predict`. */
const OWN = [...COMPRESS_KEYS, "format", "text", "pair", "question", "context"];

/** What the library calls that which a flag gives. */
const OPTIONS: ReadonlyMap<string, string> = new Map<string, string>([
  ...OWN.map((key) => [key, camelCase(key)] as const),
  ...SETTINGS_KEYS.map((key) => [key, optionName(key)] as const),
  ["precision", "precisions"],
]);

/** A command line, which stays one, up to the end of its sentence. */
const COMMAND = /(?<![\w/.-])deft [a-z]+(?:[^;.`\n,]|\.(?=\S))*/g;
const FLAG = /(?<![\w-])--(no-)?([a-z][a-z-]*[a-z])(?![\w-])/g;

/** A text in which flags of settings are named as options: `--label-column` is `labelColumn`. Command lines stay. */
export function inTypeScript(text: string): string {
  let end = 0;
  let said = "";
  for (const { 0: command, index } of text.matchAll(COMMAND)) {
    said += withOptions(text.slice(end, index)) + command;
    end = index + command.length;
  }
  return said + withOptions(text.slice(end));
}

function withOptions(text: string): string {
  return text.replace(FLAG, (flag, no: string | undefined, name: string) => {
    const whole = OPTIONS.get(`${no ?? ""}${name}`);
    if (whole !== undefined) return whole;
    const option = OPTIONS.get(name);
    return option === undefined ? flag : `${option}: false`;
  });
}

/** What failed, worded for the library; `rows` names rows that lie in memory. */
export function worded(error: unknown, rows: (text: string) => string = (text) => text): unknown {
  if (!(error instanceof DeftError)) return error;
  // what stands in a person's own data is not looked through for flags
  const facts = !(error instanceof DataError) ? (text: string) => rows(inTypeScript(text)) : rows;
  error.reword({ facts, hint: (text) => rows(inTypeScript(text)) });
  return error;
}

/** The result of `work`; what it throws speaks of options. */
export async function speaking<T>(work: () => Promise<T>, rows?: (text: string) => string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw worded(error, rows);
  }
}
