// Paths and Python inside the commands that hints give, so that they can be run as they stand.

/** A word as a POSIX shell takes it. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A Python string. */
export function pythonText(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

/** A line of a POSIX shell that runs Python code. */
export function pythonCommand(code: string): string {
  return `python -c "${code.replace(/[\\"$`]/g, "\\$&")}"`;
}
