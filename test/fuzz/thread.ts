// Reads damaged files one after the other, and tells before each which one it is: whoever started this thread ends it where one never ends.
import { parentPort, workerData } from "node:worker_threads";
import { Bench, damaged, filesOf } from "./cases.ts";
import { READERS } from "./readers.ts";

const { folder, seed, from, step } = workerData as { folder: string; seed: number; from: number; step: number };
const seeds = filesOf(folder);
const readers = READERS.filter(({ file }) => seeds.has(file));
const bench = new Bench(seeds);
const port = parentPort!;

for (let number = from; ; number += step) {
  const reader = readers[number % readers.length]!;
  if (Math.floor(number / readers.length) % (reader.every ?? 1) !== 0) continue;
  port.postMessage({ kind: "begin", number, reader: reader.name, rss: process.memoryUsage.rss() });
  const started = performance.now();
  const ending = await bench.read(reader, damaged(seeds, reader, seed, number));
  port.postMessage({
    kind: "end",
    number,
    reader: reader.name,
    ending: ending.kind === "fault" ? ending : { kind: ending.kind },
    ms: performance.now() - started,
  });
  // lets messages out
  if (number % 50 < step) await new Promise((resolve) => setTimeout(resolve, 0));
}
