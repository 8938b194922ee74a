// `events.jsonl` read back: what happened, in order, without what a resumed run did over again.
import { DataError } from "../errors.ts";
import { requireShape } from "../hub/index.ts";
import { entryOf, parseBoundedJson } from "../tensor/index.ts";
import type { TrainEvent } from "../train/index.ts";
import { EVENTS } from "./stored-schema.ts";

/**
 * The events of an `events.jsonl`; a torn last line is dropped, as a killed process leaves it.
 *
 * @throws {DataError} when another line is not an event.
 */
export function parseEvents(file: string, text: string): TrainEvent[] {
  const lines = text.split("\n");
  const events: TrainEvent[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const event = parseLine(line);
    if (event !== null) {
      const schema = entryOf(EVENTS, event.type);
      if (schema !== undefined) requireShape(file, schema, event, index + 1);
      events.push(event);
    } else if (index < lines.length - 1) {
      throw new DataError(file, {
        line: index + 1,
        expected: "one training event as JSON",
        got: line.length > 60 ? `${line.slice(0, 60)}…` : line,
        hint: "The file was changed or damaged; a run folder's other files do not depend on it.",
      });
    }
  }
  return events;
}

function parseLine(line: string): TrainEvent | null {
  try {
    const value: unknown = parseBoundedJson(line);
    const type = (value as { type?: unknown } | null)?.type;
    return typeof type === "string" ? (value as TrainEvent) : null;
  } catch {
    return null;
  }
}

/** Whether a run that goes on from `step` keeps an event. */
export function isUpTo(event: TrainEvent, step: number): boolean {
  return (
    event.type === "start" ||
    event.type === "teacher" ||
    ("step" in event && event.type !== "end" && event.step <= step)
  );
}

/** The events of the run as it stands: steps that a resume took back and did again appear once. */
export function effectiveEvents(events: readonly TrainEvent[]): TrainEvent[] {
  let kept: TrainEvent[] = [];
  for (const event of events) {
    if (event.type === "start") {
      kept = kept.filter((before) => isUpTo(before, event.fromStep));
    }
    kept.push(event);
  }
  return kept;
}
