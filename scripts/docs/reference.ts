// The reference page that is made from the command line's own descriptions.
import { COMMANDS } from "../../src/cli/commands.ts";
import { COMMON_FLAGS, type Flag } from "../../src/cli/flags.ts";

const MADE =
  "<!-- Made by `npm run api` from the command line's descriptions; `test/reference.test.ts` holds it to them. -->";

/** Text for a cell of a Markdown table. */
const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");

const code = (text: string) => `\`${text.replaceAll("|", "\\|")}\``;

/** The words that describe a flag's value in a table. */
function valueWords({ value, kind, negatable, name }: Flag): string {
  if (value === undefined) return negatable === true ? `switch; ${code(`--no-${name}`)} turns it off` : "switch";
  const choices = value.split("|");
  if (choices.length > 1 && choices.every((choice) => choice === choice.toLowerCase()))
    return choices.map(code).join(", ");
  if (kind === "number") return value === "N" ? "whole number" : "number";
  return code(value);
}

function sentence(text: string): string {
  const whole = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

function flagTable(flags: readonly Flag[], spell: (flag: Flag) => string, head: string): string {
  const rows = flags.map((flag) => {
    const usual = flag.default === undefined ? "" : code(flag.default);
    return `| ${spell(flag)} | ${valueWords(flag)} | ${usual} | ${cell(sentence(flag.help))} |`;
  });
  return [`| ${head} | value | default | meaning |`, "| --- | --- | --- | --- |", ...rows].join("\n");
}

function byGroup(flags: readonly Flag[]): ReadonlyMap<string, readonly Flag[]> {
  const groups = new Map<string, Flag[]>();
  for (const flag of flags) groups.set(flag.group, [...(groups.get(flag.group) ?? []), flag]);
  return groups;
}

const spelled = ({ name, short }: Flag) => code(`${short === undefined ? "" : `-${short}, `}--${name}`);

/** docs/reference/commands.md: every command with its arguments, flags and examples. */
export function commandsPage(): string {
  const parts = COMMANDS.map(({ name, summary, args = [], flags, examples }) => {
    const usage = ["deft", name, ...args.map(([spelling]) => spelling), "[flags]"].join(" ");
    return [
      `## deft ${name}`,
      sentence(summary),
      `\`\`\`text\n${usage}\n\`\`\``,
      ...(args.length === 0 ? [] : [args.map(([spelling, help]) => `- ${code(spelling)}: ${help}`).join("\n")]),
      ...[...byGroup(flags)].map(([group, of]) => `**${group}**\n\n${flagTable(of, spelled, "flag")}`),
      `Examples:\n\n\`\`\`sh\n${examples.join("\n")}\n\`\`\``,
    ].join("\n\n");
  });
  const intro = `Every command prints results on standard output and everything else on standard error. \`deft COMMAND --help\`
prints the same text as this page. Exit codes: 0 when the command has done its work, 1 when deft itself has failed, 2 when the
input is wrong (the message says what is wrong, where, and how to correct it), and 130 after Ctrl-C.

Every command takes these flags:

${flagTable(COMMON_FLAGS, spelled, "flag")}`;
  return `# Commands\n\n${MADE}\n\n${intro}\n\n${parts.join("\n\n")}\n`;
}
