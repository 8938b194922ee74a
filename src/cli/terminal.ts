// The terminal: results on standard output, notices and one live region on standard error.
import { styleText } from "node:util";
import { visible } from "./streams.ts";

/** The stream a terminal writes to; the two standard streams fit. */
export interface Screen {
  write(text: string): boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** How much is said: `silent` for `--json` and `-q`. */
export type Loudness = "silent" | "normal" | "verbose";

export type Style = "bold" | "dim" | "red" | "yellow" | "green" | "cyan";

/** Where a command writes. */
export interface Terminal {
  readonly loudness: Loudness;
  /** Whether the live region can be redrawn. */
  readonly isLive: boolean;
  /** Columns of standard error. */
  readonly width: number;
  /** A result: always written, to standard output. */
  print(text: string): void;
  /** A notice that stays; not when silent. */
  note(text: string): void;
  /** An error or warning that stays, also when silent. */
  warn(text: string): void;
  /** Redraws the live region, or at most every few seconds writes the plain line; not when silent. */
  live(region: (width: number) => string, plain: () => string): void;
  /** Removes the live region; call before ending. */
  done(): void;
  /** Styled for standard output (`out`) or standard error. */
  style(style: Style, text: string, where?: "out"): string;
}

export interface TerminalOptions {
  readonly loudness?: Loudness;
  readonly out?: Screen;
  readonly err?: Screen;
  /** Milliseconds since some start; the clock in tests. */
  readonly now?: () => number;
}

const REDRAW_MS = 80;
const PLAIN_LINE_MS = 5000;
const CLEAR = "\r\u001b[2K";

/** A terminal over two streams; colours and redrawing only where the stream can. */
export function openTerminal({
  loudness = "normal",
  out = process.stdout,
  err = process.stderr,
  now = () => performance.now(),
}: TerminalOptions = {}): Terminal {
  const isLive = err.isTTY === true && process.env.TERM !== "dumb";
  let shown = false;
  let lastAt = Number.NEGATIVE_INFINITY;
  const clear = () => {
    if (shown) err.write(CLEAR);
    shown = false;
  };
  const keep = (text: string) => {
    clear();
    err.write(`${visible(text)}\n`);
  };
  return {
    loudness,
    isLive,
    get width() {
      return err.columns ?? 80;
    },
    print(text) {
      clear();
      // what is read by a program is as it is
      out.write(`${out.isTTY === true ? visible(text) : text}\n`);
    },
    note(text) {
      if (loudness !== "silent") keep(text);
    },
    warn: keep,
    live(region, plain) {
      if (loudness === "silent" || now() - lastAt < (isLive ? REDRAW_MS : PLAIN_LINE_MS)) return;
      lastAt = now();
      if (!isLive) return keep(plain());
      // the last column stays free: writing there wraps in some terminals
      err.write(CLEAR + visible(region((err.columns ?? 80) - 1)));
      shown = true;
    },
    done: clear,
    style(style, text, where) {
      const stream = where === "out" ? out : err;
      if (stream.isTTY !== true && !process.env.FORCE_COLOR) return text;
      return isStream(stream) ? styleText(style, text, { stream }) : text;
    },
  };
}

function isStream(screen: Screen): screen is Screen & NodeJS.WriteStream {
  return screen === process.stdout || screen === process.stderr;
}
