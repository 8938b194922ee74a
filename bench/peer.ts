// The processes of a benchmark that answer one JSON line for each they read (worker.ts, onnx-worker.ts, peer.py), and the checkpoints they open.
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";

/** The interpreter of the PyTorch side. */
export const python = process.env["DEFT_PYTHON"] ?? ".venv/bin/python";

/** The folder of a random checkpoint of a shape that checkpoint.py knows, written where it is not there. */
export function benchCheckpoint(shape: string): string {
  const folder = `.cache/bench/${shape}`;
  if (!existsSync(`${folder}/model.safetensors`))
    execFileSync(python, ["bench/checkpoint.py", shape, folder], { stdio: "inherit" });
  return folder;
}

/** A benchmark process and its one-line-each conversation. */
export class Peer {
  readonly name: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name;
    this.#child = spawn(command, args, {
      stdio: ["pipe", "pipe", "inherit"],
    }) as unknown as ChildProcessWithoutNullStreams;
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async read(): Promise<Record<string, number>> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`${this.name} ended`);
      if (value.startsWith("{")) return JSON.parse(value) as Record<string, number>;
    }
  }

  async ask(request: unknown): Promise<Record<string, number>> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    return this.read();
  }

  end(): void {
    this.#child.stdin.end();
  }
}
