// Commands and flags taken out of hints, to be followed to the letter.

/** A POSIX shell's words, as `shellWord` quotes them. */
export function shellWords(line: string): string[] {
  const words = line.match(/(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+/g) ?? [];
  return words.map((word) =>
    word.replace(
      /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/g,
      (_, single?: string, double?: string, one?: string) =>
        single ?? double?.replace(/\\(["\\$`])/g, "$1") ?? one ?? "",
    ),
  );
}

/** The `deft …` commands of a message, each to the end of its line, a `;` or a full stop, without `deft`. */
export function deftCommands(message: string): string[][] {
  return [...message.matchAll(/\bdeft ((?:[^;.\n']|'[^']*'|\.(?=\S))+)/g)].map(([, line]) => shellWords(line!.trim()));
}

/** The flags that a message ends a line with: `--model X --adapter Y`. */
export function flagsOf(message: string): string[] {
  const line = /(--(?:model|adapter) (?:[^;.\n']|'[^']*'|\.(?=\S))+)/.exec(message)?.[1] ?? "";
  return shellWords(line.trim());
}

/** The `python -c …` command of a message, as a line for a shell. */
export function pythonLine(message: string): string {
  return /python -c "(?:[^"\\]|\\.)*"/.exec(message)?.[0] ?? "";
}
