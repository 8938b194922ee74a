// The entry of a process that `runApart` starts: opens the engine it is told of, and answers its questions until it is stopped.
import type { Answer, Question } from "./apart-node.ts";

const tell = (answer: Answer) => process.send!(answer);

let reads = 0;
const waiting = new Map<number, { resolve(bytes: Uint8Array): void; reject(reason: Error): void }>();
const read = (offset: number, length: number) =>
  new Promise<Uint8Array>((resolve, reject) => {
    waiting.set(++reads, { resolve, reject });
    tell({ kind: "read", id: reads, offset, length });
  });

interface Engine {
  readonly facts: unknown;
  rows(start: number, end: number): Promise<unknown>;
}
let engine: Engine | null = null;

process.on("message", (question: Question) => {
  if (question.kind === "bytes") {
    const call = waiting.get(question.id)!;
    waiting.delete(question.id);
    if (question.bytes === null) call.reject(new Error(question.message));
    else call.resolve(new Uint8Array(question.bytes));
    return;
  }
  answer(question).then(
    (value) => tell({ kind: "answer", value }),
    (error: unknown) => tell({ kind: "failed", message: messageOf(error) }),
  );
});
// whoever asked is gone
process.on("disconnect", () => process.exit());

async function answer(question: Exclude<Question, { kind: "bytes" }>): Promise<unknown> {
  if (question.kind === "rows") return engine!.rows(question.start, question.end);
  const { module, sizeBytes } = question;
  const { openEngine } = (await import(module)) as { readonly openEngine: (source: object) => Promise<Engine> };
  tell({ kind: "begun" });
  engine = await openEngine({ sizeBytes, read });
  return engine.facts;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
