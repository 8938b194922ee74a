// Readers of untrusted files in a process of their own, which is stopped when it takes too long or too much memory. A thread would not do:
// where one list outgrows its heap in a single step, V8 ends the process with all of its threads.
import { type ChildProcess, fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Apart, ApartLimits, ByteSource } from "../tensor/index.ts";

/** What the process is asked, and given. */
export type Question =
  | { readonly kind: "open"; readonly module: string; readonly sizeBytes: number }
  | { readonly kind: "rows"; readonly start: number; readonly end: number }
  | { readonly kind: "bytes"; readonly id: number; readonly bytes: Uint8Array | null; readonly message?: string };

/** What it answers, and asks for. */
export type Answer =
  | { readonly kind: "answer"; readonly value: unknown }
  | { readonly kind: "failed"; readonly message: string }
  /** The engine is loaded, and begins with the file. */
  | { readonly kind: "begun" }
  | { readonly kind: "read"; readonly id: number; readonly offset: number; readonly length: number };

interface Call {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: Error) => void;
}

/** A process that has not loaded its engine by then never will. */
const START_MS = 60_000;

/** The process's entry, whose file ends as this one's. */
const ENTRY = new URL(import.meta.url.replace(/apart-node\.(ts|js)$/, "apart-entry-node.$1"));

/**
 * Starts a process with the engine of `module`, whose `openEngine` takes a source of bytes. Errors of its calls are `Error`s with the
 * engine's message, or with what the limit was.
 */
export function runApart(module: URL, source: ByteSource, { ms, memoryBytes }: ApartLimits): Apart {
  const child = startProcess(memoryBytes);
  let call: Call | null = null;
  let begin = () => {};
  const settle = (how: (one: Call) => void) => {
    const one = call;
    call = null;
    if (one) how(one);
  };
  child.on("message", (answer: Answer) => {
    if (answer.kind === "answer") settle(({ resolve }) => resolve(answer.value));
    else if (answer.kind === "failed") settle(({ reject }) => reject(new Error(answer.message)));
    else if (answer.kind === "begun") begin();
    else void give(child, source, answer);
  });
  child.on("error", (error) => settle(({ reject }) => reject(error)));
  child.on("exit", (code, signal) => settle(({ reject }) => reject(new Error(endOf(code, signal, memoryBytes)))));
  const ask = (question: Question) =>
    new Promise<unknown>((resolve, reject) => {
      const stop = () => {
        settle((one) => one.reject(new Error(`more than ${Math.round(ms / 100) / 10} s of work for one part of it`)));
        child.kill("SIGKILL");
      };
      // the time in which the engine is loaded is not the file's
      let timer = setTimeout(stop, question.kind === "open" ? START_MS + ms : ms);
      begin = () => {
        clearTimeout(timer);
        timer = setTimeout(stop, ms);
      };
      const ended =
        <T>(tell: (of: T) => void) =>
        (of: T) => {
          clearTimeout(timer);
          hold(child, false);
          tell(of);
        };
      hold(child, true);
      call = { resolve: ended(resolve), reject: ended(reject) };
      send(child, question);
    });
  return {
    open: () => ask({ kind: "open", module: module.href, sizeBytes: source.sizeBytes }),
    rows: (start, end) => ask({ kind: "rows", start, end }),
    end: async () => void child.kill("SIGKILL"),
  };
}

/** The process; where it is TypeScript, as where this package is developed, tsx reads it. It does not keep this one from ending. */
function startProcess(memoryBytes: number): ChildProcess {
  const loader = ENTRY.href.endsWith(".ts")
    ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href]
    : [];
  const child = fork(fileURLToPath(ENTRY), [], {
    execArgv: [`--max-old-space-size=${Math.ceil(memoryBytes / 2 ** 20)}`, ...loader],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  hold(child, false);
  return child;
}

/** Whether this process waits for the other. */
function hold(child: ChildProcess, isHeld: boolean): void {
  if (isHeld) {
    child.ref();
    child.channel?.ref();
  } else {
    child.unref();
    child.channel?.unref();
  }
}

/** Why a process ended: V8 aborts where it is out of memory. */
function endOf(code: number | null, signal: NodeJS.Signals | null, memoryBytes: number): string {
  const isMemory = signal === "SIGABRT" || signal === "SIGTRAP" || signal === "SIGILL" || code === 134;
  if (isMemory) return `more than ${Math.round(memoryBytes / 2 ** 20)} MB to hold what it says`;
  return `an end of the process that reads it (${signal ?? code})`;
}

/** A process that has ended meanwhile is told of by its end. */
function send(child: ChildProcess, message: Question): void {
  if (child.connected) child.send(message, () => {});
}

async function give(
  child: ChildProcess,
  source: ByteSource,
  { id, offset, length }: Extract<Answer, { kind: "read" }>,
): Promise<void> {
  try {
    send(child, { kind: "bytes", id, bytes: await source.read(offset, length) });
  } catch (error) {
    send(child, { kind: "bytes", id, bytes: null, message: (error as Error).message });
  }
}
