// What may stand at the cursor: commands, flags, values and files, as a shell's completion asks for them.
import type { Argument, Command } from "./command.ts";
import { COMMON_FLAGS, type Flag } from "./flags.ts";

/** Shells that a script for completion can be made for. */
export const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;

/** Words that complete the last one, and whether the shell adds names of files or folders itself. */
export interface Completions {
  readonly words: readonly Suggestion[];
  readonly files: "none" | "path" | "folder";
}

/** A word and what it means. */
export interface Suggestion {
  readonly word: string;
  readonly help: string;
}

const NOTHING: Completions = { words: [], files: "none" };

/** Directives of the shells' scripts: let the shell complete files, folders, or nothing more. */
const DIRECTIVES = { path: 0, none: 4, folder: 16 } as const;

/** What completes the last of `words`, which stand behind `deft`. */
export async function completions(commands: readonly Command[], words: readonly string[]): Promise<Completions> {
  const current = words.at(-1) ?? "";
  const [name, ...before] = words.slice(0, -1);
  if (name === undefined) return { words: startingWith(current, commandWords(commands)), files: "none" };
  if (name === "help") return { words: startingWith(current, commandWords(commands)), files: "none" };
  const command = commands.find((of) => of.name === name);
  if (command === undefined) return NOTHING;
  const flags = [...command.flags, ...COMMON_FLAGS];
  const { open, positionals, given } = readWords(flags, before);
  if (open !== null) return flagValues(open, current, before);
  const assigned = /^(--[\w-]+)=(.*)$/s.exec(current);
  if (assigned) {
    const flag = flagOf(flags, assigned[1]!);
    return flag?.value === undefined ? NOTHING : flagValues(flag, assigned[2]!, before);
  }
  if (current.startsWith("-")) return { words: startingWith(current, flagWords(flags, given)), files: "none" };
  return argumentValues(command.args ?? [], positionals, current);
}

/** The answer as the shells' scripts read it: a word and its meaning on each line, a directive last. */
export function completionText({ words, files }: Completions): string {
  return [...words.map(({ word, help }) => `${word}\t${help}`), `:${DIRECTIVES[files]}`].join("\n");
}

function startingWith(start: string, suggestions: readonly Suggestion[]): readonly Suggestion[] {
  return suggestions.filter(({ word }) => word.startsWith(start));
}

function commandWords(commands: readonly Command[]): readonly Suggestion[] {
  return commands.map(({ name, summary }) => ({ word: name, help: summary }));
}

function flagWords(flags: readonly Flag[], given: ReadonlySet<string>): readonly Suggestion[] {
  return flags
    .filter(({ name }) => !given.has(name))
    .flatMap(({ name, help, negatable }) => [
      { word: `--${name}`, help },
      ...(negatable ? [{ word: `--no-${name}`, help: `Turn --${name} off.` }] : []),
    ]);
}

function flagOf(flags: readonly Flag[], word: string): Flag | undefined {
  return flags.find(({ name, short }) => word === `--${name}` || word === `-${short}`);
}

/** The flag whose value comes next, how many positional arguments there are, and the flags that were given. */
function readWords(flags: readonly Flag[], words: readonly string[]) {
  let open: Flag | null = null;
  let positionals = 0;
  const given = new Set<string>();
  for (const word of words) {
    if (open !== null) open = null;
    else if (word.startsWith("-")) {
      const flag = flagOf(flags, word.replace(/=.*$/s, ""));
      if (flag !== undefined) given.add(flag.name);
      open = flag?.value !== undefined && !word.includes("=") ? flag : null;
    } else positionals++;
  }
  return { open, positionals, given };
}

async function flagValues(flag: Flag, current: string, before: readonly string[]): Promise<Completions> {
  const known = flag.suggested ?? (await namesOf(flag.name, before));
  // in a list, what stands before the last comma stays
  const kept = flag.isList ? current.slice(0, current.lastIndexOf(",") + 1) : "";
  const taken = new Set(kept.split(","));
  const words = known.filter((word) => !taken.has(word)).map((word) => ({ word: `${kept}${word}`, help: "" }));
  return { words: startingWith(current, words), files: flag.completes ?? "none" };
}

/** Names that are known only with the settings loaded. */
async function namesOf(flag: string, before: readonly string[]): Promise<readonly string[]> {
  if (flag !== "preset" && flag !== "metric") return [];
  const { metricsOf, PRESET_NAMES, TASKS } = await import("../settings/index.ts");
  if (flag === "preset") return PRESET_NAMES;
  const task = before[before.lastIndexOf("--task") + 1];
  const asked = TASKS.filter((name) => name === task);
  return [...new Set((asked.length > 0 ? asked : TASKS).flatMap(metricsOf))];
}

function argumentValues(args: readonly Argument[], positionals: number, current: string): Completions {
  const last = args.at(-1);
  const argument = args[positionals] ?? (last?.[0].includes("...") ? last : undefined);
  if (argument === undefined) return NOTHING;
  const [, , completes] = argument;
  if (typeof completes === "string") return { words: [], files: completes };
  const words = completes.map((word) => ({ word, help: "" }));
  return { words: startingWith(current, words), files: "none" };
}
