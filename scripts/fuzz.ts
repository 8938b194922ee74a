// `npm run fuzz -- --seconds N --seed S`: damaged files for every reader; what ends in no refusal is kept in test/fuzz/corpus.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { Worker, type WorkerOptions } from "node:worker_threads";
import { Bench, damaged, type Ending, filesOf } from "../test/fuzz/cases.ts";
import { READERS } from "../test/fuzz/readers.ts";
import { writeSeeds } from "../test/fuzz/seeds.ts";

/** A file of a few kilobytes is read in milliseconds of the processor's time, which others on the machine do not use up. */
const MOST_MS = 2000;
/** One that waits for what never comes takes none of it. */
const MOST_WAIT_MS = 30_000;
/** What reading one may take at most, beside what the process holds. */
const MOST_BYTES = 2 ** 28;
/** How often a running case is looked at: nothing fills that much memory in less. */
const LOOK_MS = 10;
const CORPUS = fileURLToPath(new URL("../test/fuzz/corpus", import.meta.url));

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "120" }, seed: { type: "string", default: "1" } },
});
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];

interface Count {
  read: number;
  refused: number;
  faults: number;
  slow: number;
  large: number;
  slowestMs: number;
}

type Message =
  | { readonly kind: "begin"; readonly number: number; readonly reader: string; readonly rss: number }
  | {
      readonly kind: "end";
      readonly number: number;
      readonly reader: string;
      readonly ending: Ending;
      readonly ms: number;
    };

const folder = mkdtempSync(join(tmpdir(), "deft-fuzz-"));
const counts = new Map<string, Count>();
const found = new Map<string, { readonly number: number; readonly reader: string; readonly message: string }>();

function countOf(reader: string): Count {
  const count = counts.get(reader) ?? { read: 0, refused: 0, faults: 0, slow: 0, large: 0, slowestMs: 0 };
  counts.set(reader, count);
  return count;
}

/** Faults with the same place in the code are one. */
function note(reader: string, number: number, message: string): void {
  const place =
    message
      .split("\n")
      .find((line) => /src\/.*:\d+/.test(line))
      ?.trim() ?? "";
  const key = `${reader} ${message.split("\n")[0]!.slice(0, 60)} ${place}`;
  if (!found.has(key)) found.set(key, { number, reader, message });
}

/** A case that is being read, and what the process had used before. */
interface Running {
  readonly number: number;
  readonly reader: string;
  readonly rss: number;
  readonly since: number;
  readonly cpu: NodeJS.CpuUsage;
}

function isSlow({ since, cpu }: Running): boolean {
  const ms = performance.now() - since;
  if (ms <= MOST_MS) return false;
  const { user, system } = process.cpuUsage(cpu);
  return (user + system) / 1000 > MOST_MS || ms > MOST_WAIT_MS;
}

const LARGE = `more than ${MOST_BYTES / 2 ** 20} MB`;

/** A thread that runs a module, which tsx reads. */
function threadOf(module: URL, options: WorkerOptions): Worker {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx/package.json"));
  const api = new URL("dist/esm/api/index.mjs", tsx).href;
  const code = `import(${JSON.stringify(api)}).then(({ register }) => (register(), import(${JSON.stringify(module.href)})))`;
  return new Worker(code, { ...options, eval: true });
}

/** Reads cases from `from` on until `until`; gives the number to go on with where a case never ended. */
function round(from: number, until: number): Promise<number | null> {
  const worker = threadOf(new URL("../test/fuzz/thread.ts", import.meta.url), {
    workerData: { folder, seed, from, step: 1 },
    resourceLimits: { maxOldGenerationSizeMb: MOST_BYTES / 2 ** 20 },
  });
  return new Promise((resolve) => {
    let now: Running | null = null;
    let hasEnded = false;
    const end = (next: number | null) => {
      if (hasEnded) return;
      hasEnded = true;
      clearInterval(watch);
      void worker.terminate().then(() => resolve(next));
    };
    const watch = setInterval(() => {
      if (performance.now() > until) end(null);
      else if (now !== null && isSlow(now)) {
        countOf(now.reader).slow++;
        note(now.reader, now.number, `more than ${MOST_MS} ms`);
        end(now.number + 1);
      } else if (now !== null && process.memoryUsage.rss() - now.rss > MOST_BYTES) {
        countOf(now.reader).large++;
        note(now.reader, now.number, LARGE);
        end(now.number + 1);
      }
    }, LOOK_MS);
    worker.on("message", (message: Message) => {
      if (message.kind === "begin") {
        now = { ...message, since: performance.now(), cpu: process.cpuUsage() };
        return;
      }
      now = null;
      const count = countOf(message.reader);
      count.slowestMs = Math.max(count.slowestMs, message.ms);
      if (message.ending.kind === "read") count.read++;
      else if (message.ending.kind === "refused") count.refused++;
      else {
        count.faults++;
        note(message.reader, message.number, message.ending.message ?? "");
      }
    });
    worker.on("error", (error) => {
      if (now === null) throw error;
      const isLarge = (error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY";
      countOf(now.reader)[isLarge ? "large" : "faults"]++;
      note(now.reader, now.number, isLarge ? LARGE : String(error));
      end(now.number + 1);
    });
  });
}

await writeSeeds(folder);
const seeds = filesOf(folder);
const readers = READERS.filter(({ file }) => seeds.has(file));
// a reader that refuses the valid file would find nothing
const bench = new Bench(seeds);
for (const reader of readers) {
  const { kind, message } = await bench.read(reader, seeds.get(reader.file)!);
  if (kind !== (reader.refuses === true ? "refused" : "read"))
    throw new Error(`${reader.name}: expected the valid file to be read, got ${kind}: ${message}`);
}
const until = performance.now() + seconds * 1000;
for (let from: number | null = 0; from !== null && performance.now() < until; ) from = await round(from, until);

for (const [reader, { read, refused, faults, slow, large, slowestMs }] of counts)
  console.log(
    `${reader.padEnd(28)} ${String(read).padStart(7)} read ${String(refused).padStart(7)} refused ${String(faults).padStart(5)} faults ${String(slow).padStart(4)} slow ${String(large).padStart(4)} large, slowest ${slowestMs.toFixed(0)} ms`,
  );
for (const { number, reader: name, message } of found.values()) {
  const reader = readers.find((one) => one.name === name)!;
  const bytes = damaged(seeds, reader, seed, number);
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 12);
  const file = join(CORPUS, `${name.replaceAll(/[^\w.]+/g, "-")}--${hash}`);
  mkdirSync(CORPUS, { recursive: true });
  writeFileSync(file, bytes);
  console.log(
    `\n${name}, case ${number} of seed ${seed}, kept as ${file}\n${message.split("\n").slice(0, 6).join("\n")}`,
  );
}
rmSync(folder, { recursive: true, force: true });
const total = [...counts.values()].reduce(
  (sum, { read, refused, faults, slow, large }) => sum + read + refused + faults + slow + large,
  0,
);
console.log(`\n${total} files, ${found.size} kinds of fault`);
process.exitCode = found.size === 0 ? 0 : 1;
