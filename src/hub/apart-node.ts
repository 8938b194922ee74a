// Readers of untrusted files in a thread of their own, which is stopped when it takes too long or too much memory.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";
import type { Apart, ApartLimits, ByteSource } from "../tensor/index.ts";

/** What the thread is asked, and given. */
export type Question =
  | { readonly kind: "open" }
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

/** A thread that runs a module; where that is TypeScript, as where this package is developed, tsx reads it. */
export function threadOf(module: URL, options: WorkerOptions): Worker {
  if (!module.href.endsWith(".ts")) return new Worker(module, options);
  const tsx = new URL(
    "dist/esm/api/index.mjs",
    pathToFileURL(createRequire(import.meta.url).resolve("tsx/package.json")),
  ).href;
  const code = `import(${JSON.stringify(tsx)}).then(({ register }) => (register(), import(${JSON.stringify(module.href)})))`;
  return new Worker(code, { ...options, eval: true });
}

/** A thread that has not loaded its engine by then never will. */
const START_MS = 60_000;

/** This package's thread, whose file ends as this one's. */
const THREAD = new URL(import.meta.url.replace(/apart-node\.(ts|js)$/, "thread-node.$1"));

/**
 * Starts a thread with the engine of `module`, whose `openEngine` takes a source of bytes. Errors of its calls are `Error`s with the
 * engine's message, or with what the limit was.
 */
export function runApart(module: URL, source: ByteSource, { ms, memoryBytes }: ApartLimits): Apart {
  const worker = threadOf(THREAD, {
    workerData: { module: module.href, sizeBytes: source.sizeBytes },
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: Math.ceil(memoryBytes / 2 ** 20) },
    stderr: true,
  });
  worker.unref();
  let call: Call | null = null;
  let begin = () => {};
  const settle = (how: (one: Call) => void) => {
    const one = call;
    call = null;
    if (one) how(one);
  };
  worker.on("message", (answer: Answer) => {
    if (answer.kind === "answer") settle(({ resolve }) => resolve(answer.value));
    else if (answer.kind === "failed") settle(({ reject }) => reject(new Error(answer.message)));
    else if (answer.kind === "begun") begin();
    else void give(worker, source, answer);
  });
  worker.on("error", (error) => settle(({ reject }) => reject(new Error(endOf(error, memoryBytes)))));
  const ask = (question: Question) =>
    new Promise<unknown>((resolve, reject) => {
      const stop = () => {
        settle((one) => one.reject(new Error(`more than ${Math.round(ms / 100) / 10} s of work for one part of it`)));
        void worker.terminate();
      };
      // the time in which the engine is loaded is not the file's
      let timer = setTimeout(stop, question.kind === "open" ? START_MS + ms : ms);
      begin = () => {
        clearTimeout(timer);
        timer = setTimeout(stop, ms);
      };
      const done = () => {
        clearTimeout(timer);
        worker.unref();
      };
      worker.ref();
      call = {
        resolve: (value) => {
          done();
          resolve(value);
        },
        reject: (reason) => {
          done();
          reject(reason);
        },
      };
      worker.postMessage(question);
    });
  return {
    open: () => ask({ kind: "open" }),
    rows: (start, end) => ask({ kind: "rows", start, end }),
    end: async () => void (await worker.terminate()),
  };
}

/** Why a thread ended. */
function endOf({ code, message }: NodeJS.ErrnoException, memoryBytes: number): string {
  if (code !== "ERR_WORKER_OUT_OF_MEMORY") return message;
  return `more than ${Math.round(memoryBytes / 2 ** 20)} MB to hold what it says`;
}

async function give(
  worker: Worker,
  source: ByteSource,
  { id, offset, length }: Extract<Answer, { kind: "read" }>,
): Promise<void> {
  try {
    worker.postMessage({ kind: "bytes", id, bytes: await source.read(offset, length) } satisfies Question);
  } catch (error) {
    worker.postMessage({ kind: "bytes", id, bytes: null, message: (error as Error).message } satisfies Question);
  }
}
