// The standard streams as they may be found: closed, full, or a terminal that obeys what it is sent.

const ESCAPE = String.fromCharCode(27);
/** A style of text (SGR), which this command writes itself, or a control character. */
const STYLE_OR_CONTROL = new RegExp(`${ESCAPE}\\[[\\d;]*m|\\p{Cc}`, "gu");

/** Text for a terminal: characters that would move its cursor, ring, or change its title are shown as what they are. */
export function visible(text: string): string {
  return text.replace(STYLE_OR_CONTROL, (found) =>
    found.length > 1 || found === "\n" || found === "\t"
      ? found
      : `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A stream as far as it is guarded. */
interface Guarded {
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/**
 * Lets the process end as a person expects where its streams cannot be written: a reader of standard output that has gone (`| head`) ends it
 * quietly, a full disk behind it with a message. Standard error that cannot be written says nothing, and the work goes on.
 */
export function guardStreams(
  out: Guarded,
  err: Guarded & { write(text: string): unknown },
  exit: (code: number) => void,
): void {
  err.on("error", () => {});
  out.on("error", (error) => {
    if (error.code === "EPIPE") {
      exit(0);
      return;
    }
    const got = error.code === "ENOSPC" ? "a full disk" : error.message;
    err.write(`standard output: cannot write: expected a place to write, got ${got}\n`);
    exit(1);
  });
}
