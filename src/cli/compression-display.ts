// A compression on the terminal: a line for each stage, and one that moves while a search goes on.
import type { CompressEvent } from "../jobs/index.ts";
import { compressionLine } from "../report/index.ts";
import type { Terminal } from "./terminal.ts";

/** Shows the events of a compression. */
export function compressionDisplay(terminal: Terminal): (event: CompressEvent) => void {
  return (event) => {
    const line = compressionLine(event);
    if (event.type === "stage") terminal.note(terminal.style("dim", line));
    else
      terminal.live(
        () => line,
        () => line,
      );
  };
}
