// Two processes on one output: one runs, one says who holds it.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { randomStream } from "../../src/tensor/index.ts";
import { deft, requireSame, type Subject } from "./subjects.ts";

/** Starts two trainings into one folder `times` times, a little apart. */
export async function twoWriters(folder: string, subject: Subject, times: number, seed: number): Promise<string> {
  const random = randomStream(seed, "writers");
  const output = join(folder, "both");
  const argv = subject.argv(output);
  await deft(folder, argv);
  const whole = await subject.essence(output);
  let late = 0;
  for (let time = 0; time < times; time++) {
    await rm(output, { recursive: true, force: true });
    const second = new Promise((resolve) => setTimeout(resolve, random.uniform() * 300)).then(() => deft(folder, argv));
    const ended = await Promise.all([deft(folder, argv), second]);
    const [winners, others] = [ended.filter(({ code }) => code === 0), ended.filter(({ code }) => code !== 0)];
    const [refused] = others;
    if (winners.length !== 1 || refused?.code !== 2)
      throw new Error(`two writers: expected one to run, got ${ended.map(({ code, err }) => `${code} ${err}`).join()}`);
    // the other may come when the first is done
    if (!/held by process \d+/.test(refused.err)) {
      if (!/holds a run|--resume/.test(refused.err)) throw new Error(`expected who holds it, got ${refused.err}`);
      late++;
    }
    requireSame("two writers", await subject.essence(output), whole);
  }
  await rm(output, { recursive: true, force: true });
  return `two writers: ${times} times one ran and one was refused, ${times - late} of these with the other's process`;
}
