// The command line's grammar: commander's commands made from our descriptions.
import { type Argument, Command as Commander, Option } from "commander";
import type { Body, Command } from "./command.ts";
import { COMMON_FLAGS, type Flag } from "./flags.ts";
import { openTerminal, type Screen } from "./terminal.ts";

/** What the program is given from outside. */
export interface ProgramOptions {
  readonly version: string;
  readonly out: Screen;
  readonly err: Screen;
  /** Called with the exit code of the command that ran. */
  readonly onExit: (code: number) => void;
}

/** The program; parsing throws commander's errors instead of leaving the process. */
export function buildProgram(commands: readonly Command[], { version, out, err, onExit }: ProgramOptions): Commander {
  const program = new Commander("deft")
    .description("Density-efficient fine-tuning of transformers: fewer active neurons, measured.")
    .version(version, "-V, --version", "Print the version.")
    .helpOption("-h, --help", "Print this help.")
    .helpCommand("help [command]", "print the help of a command")
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void out.write(text),
      writeErr: (text) => void err.write(text),
      getOutHelpWidth: () => Math.min(out.columns ?? 100, 120),
      getErrHelpWidth: () => Math.min(err.columns ?? 100, 120),
      outputError: (text, write) => write(text.replace(/^error: /, "")),
    })
    .configureHelp({ subcommandTerm: (sub) => [sub.name(), ...sub.registeredArguments.map(argumentTerm)].join(" ") });
  for (const command of commands) addCommand(program, command, { out, err, onExit });
  program.addHelpText(
    "after",
    "\nExamples:\n  deft demo\n  deft train --help\n  source <(deft complete bash)      also zsh, fish, powershell\n",
  );
  return program;
}

function addCommand(program: Commander, command: Command, { out, err, onExit }: Omit<ProgramOptions, "version">): void {
  const sub = program.command(command.name).summary(command.summary).description(sentence(command.summary));
  for (const [spelling, help] of command.args ?? []) sub.argument(spelling, help);
  for (const flag of inOrder([...command.flags, ...COMMON_FLAGS])) {
    sub.addOption(option(flag));
    if (flag.negatable)
      sub.addOption(new Option(`--no-${flag.name}`, `Turn --${flag.name} off.`).helpGroup(headingOf(flag)));
  }
  sub.addHelpOption(new Option("-h, --help", "Print this help.").helpGroup("Output:"));
  sub.allowExcessArguments(false);
  sub.addHelpText("after", `\nExamples:\n${command.examples.map((line) => `  ${line}`).join("\n")}\n`);
  sub.action(async () => {
    const flags = flagValues(sub, [...command.flags, ...COMMON_FLAGS]);
    const { json = false, quiet = false, verbose = false, ...rest } = flags;
    const loudness = json || quiet ? "silent" : verbose ? "verbose" : "normal";
    const terminal = openTerminal({ loudness, out, err });
    const { run } = (await command.load()) satisfies { run: Body };
    try {
      onExit(await run({ args: sub.args, flags: rest, terminal, json: json === true }));
    } finally {
      terminal.done();
    }
  });
}

function argumentTerm(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? "..." : "");
  return argument.required ? `<${name}>` : `[${name}]`;
}

function option(flag: Flag): Option {
  const { name, short, value, help, default: usual = "", otherDefaults: others = "", choices = [] } = flag;
  const spelling = `${short === undefined ? "" : `-${short}, `}--${name}${value === undefined ? "" : ` <${value}>`}`;
  const defaults = [usual, others].filter((words) => words !== "").join("; ");
  const notes = [
    ...(choices.length === 0 ? [] : [` One of ${choices.join(", ")}.`]),
    ...(defaults === "" ? [] : [` (default${usual === "" ? "" : ":"} ${usual === "" ? `of ${others}` : defaults})`]),
  ];
  return new Option(spelling, `${help}${notes.join("")}`).helpGroup(headingOf(flag));
}

const headingOf = ({ level, group }: Flag) => (level === "basic" ? "Basic options:" : `${group}:`);

/** The basic ones first; the others by their headings, which stand in the order of their first flags. */
function inOrder(flags: readonly Flag[]): Flag[] {
  return [...flags.filter(({ level }) => level === "basic"), ...flags.filter(({ level }) => level === "more")];
}

function flagValues(sub: Commander, flags: readonly Flag[]): Record<string, unknown> {
  const values = sub.opts<Record<string, unknown>>();
  return Object.fromEntries(
    flags.flatMap(({ name, kind }) => {
      const value = values[name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())];
      if (value === undefined) return [];
      return [[name, kind === "number" && typeof value === "string" ? numberIn(value) : value]];
    }),
  );
}

// text that is no number stays text, so that the settings' schema can name it among all mistakes
function numberIn(text: string): number | string {
  return text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
