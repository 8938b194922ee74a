// What a command is: a light description for help, and a body that is loaded only to run.
import type { Flag } from "./flags.ts";
import type { Terminal } from "./terminal.ts";

/** What a command's body gets. */
export interface Call {
  /** Positional arguments, as many as the description allows. */
  readonly args: readonly string[];
  /** Values of the flags that were given, by name; numbers where the text was one. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly terminal: Terminal;
  readonly json: boolean;
}

/** A command's body: does the work and gives the exit code. */
export type Body = (call: Call) => Promise<number>;

/** A positional argument of a command. */
export type Argument = readonly [
  /** As commander spells them: `<run>` needed, `[run]` optional, `<runs...>` many. */
  spelling: string,
  help: string,
  /** What completion offers: files and folders, folders, or some words. */
  completes: "path" | "folder" | readonly string[],
];

/** A command as `deft --help` knows it. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly args?: readonly Argument[];
  readonly flags: readonly Flag[];
  readonly examples: readonly string[];
  /** Imports the body. */
  readonly load: () => Promise<{ readonly run: Body }>;
}
