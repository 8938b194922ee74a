// Errors as a person sees them: the message, a stack only where it is our fault, and the exit code.
import {
  CheckpointError,
  ConfigError,
  DataError,
  DeftError,
  FileError,
  InternalError,
  NotFiniteError,
  TrainingError,
  UnsupportedError,
} from "../errors.ts";

/** What to write and how to leave. */
export interface ErrorReport {
  readonly text: string;
  readonly code: 1 | 2;
}

const SCREEN_LINES = 20;
const INPUT_ERRORS = [
  ConfigError,
  DataError,
  CheckpointError,
  FileError,
  NotFiniteError,
  UnsupportedError,
  TrainingError,
];

/** 2 and no stack when the input is wrong; 1 for the rest, with a stack when it is a fault of ours. */
export function errorReport(error: unknown, { verbose = false } = {}): ErrorReport {
  if (!(error instanceof Error)) return { text: String(error), code: 1 };
  const code = INPUT_ERRORS.some((kind) => error instanceof kind) ? 2 : 1;
  const expected = error instanceof DeftError && !(error instanceof InternalError);
  const causes = verbose && error.cause !== undefined ? `\ncause: ${causeText(error.cause)}` : "";
  return { text: expected && !verbose ? oneScreen(error) : `${error.stack ?? error.message}${causes}`, code };
}

/** A message of many like lines is cut in the middle; what mends it stands at the end and stays. */
function oneScreen({ message, hint }: DeftError): string {
  const lines = message.split("\n");
  if (lines.length <= SCREEN_LINES) return message;
  const last = hint === undefined ? [] : hint.split("\n");
  const shown = SCREEN_LINES - last.length - 1;
  return [...lines.slice(0, shown), `… and ${lines.length - last.length - shown} more; -v shows all`, ...last].join(
    "\n",
  );
}

function causeText(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
