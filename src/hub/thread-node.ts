// The entry of a thread that `runApart` starts: opens the engine it is told of, and answers its questions until it is stopped.
import { parentPort, workerData } from "node:worker_threads";
import type { Answer, Question } from "./apart-node.ts";

const port = parentPort!;
const { module, sizeBytes } = workerData as { readonly module: string; readonly sizeBytes: number };

let reads = 0;
const waiting = new Map<number, { resolve(bytes: Uint8Array): void; reject(reason: Error): void }>();
const read = (offset: number, length: number) =>
  new Promise<Uint8Array>((resolve, reject) => {
    waiting.set(++reads, { resolve, reject });
    port.postMessage({ kind: "read", id: reads, offset, length } satisfies Answer);
  });

interface Engine {
  readonly facts: unknown;
  rows(start: number, end: number): Promise<unknown>;
}
let engine: Engine | null = null;

port.on("message", (question: Question) => {
  if (question.kind === "bytes") {
    const call = waiting.get(question.id)!;
    waiting.delete(question.id);
    if (question.bytes === null) call.reject(new Error(question.message));
    else call.resolve(question.bytes);
    return;
  }
  answer(question).then(
    (value) => port.postMessage({ kind: "answer", value } satisfies Answer),
    (error: unknown) => port.postMessage({ kind: "failed", message: messageOf(error) } satisfies Answer),
  );
});

async function answer(question: Exclude<Question, { kind: "bytes" }>): Promise<unknown> {
  if (question.kind === "rows") return engine!.rows(question.start, question.end);
  const { openEngine } = (await import(module)) as { readonly openEngine: (source: object) => Promise<Engine> };
  port.postMessage({ kind: "begun" } satisfies Answer);
  engine = await openEngine({ sizeBytes, read });
  return engine.facts;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
