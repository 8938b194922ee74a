// A training run on the terminal: every event is shown, and passed on to those who keep it.
import { advance, eventLines, NO_PROGRESS, progressLine, progressRegion } from "../report/index.ts";
import type { TrainEvent } from "../train/index.ts";
import type { Terminal } from "./terminal.ts";

/** One run's display; `label` stands before each line when several runs share a terminal. */
export function eventDisplay(terminal: Terminal, label = ""): (event: TrainEvent) => void {
  let progress = NO_PROGRESS;
  const prefix = label === "" ? "" : `${label}  `;
  return (event) => {
    progress = advance(progress, event);
    for (const line of eventLines(event)) {
      if (event.type === "warning") terminal.note(terminal.style("yellow", prefix + line));
      else terminal.note(prefix + (event.type === "start" ? terminal.style("dim", line) : line));
    }
    if (event.type !== "step" && event.type !== "teacher") return;
    terminal.live(
      (width) => prefix + progressRegion(progress, width - prefix.length),
      () => prefix + progressLine(progress),
    );
  };
}

/** Something that keeps events: a file, a list. */
export interface EventSink {
  take(event: TrainEvent): Promise<void>;
  close(): Promise<void>;
}

/** Shows and keeps every event until the run ends; the sinks are closed also when it fails. */
export async function follow(
  events: AsyncIterable<TrainEvent>,
  show: (event: TrainEvent) => void,
  sinks: readonly EventSink[] = [],
): Promise<void> {
  try {
    for await (const event of events) {
      show(event);
      for (const sink of sinks) await sink.take(event);
    }
  } finally {
    for (const sink of sinks) await sink.close();
  }
}
