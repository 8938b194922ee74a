// kill -9 at random moments: what is left is whole or absent, and going on gives the bytes of the command that was left alone.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { randomStream } from "../../src/tensor/index.ts";
import { checkWhole, deft, files, goOn, requireSame, type Subject } from "./subjects.ts";

/** A command that is killed this often in a row, and then goes on, is one chain. */
const DEATHS = 3;

/** Kills a command `kills` times; gives how often it was done before. */
export async function killed(folder: string, subject: Subject, kills: number, seed: number): Promise<string> {
  const { name, argv, essence } = subject;
  const random = randomStream(seed, name);
  const reference = join(folder, "reference");
  const began = performance.now();
  const { code, err } = await deft(folder, argv(reference));
  if (code !== 0) throw new Error(`${name}: expected exit code 0, got ${code}\n${err}`);
  const wholeMs = performance.now() - began;
  const whole = await essence(reference);
  if (Object.keys(whole).length === 0) throw new Error(`${name}: expected files to compare, got none`);
  let [done, dead] = [0, 0];
  while (dead < kills) {
    // the paths in reports and records are those of the reference
    await rm(reference, { recursive: true, force: true });
    for (let death = 0; death < DEATHS && dead < kills; death++) {
      const { signal } = await deft(folder, await next(argv(reference), reference), random.uniform() * wholeMs);
      if (signal === "SIGKILL") dead++;
      else done++;
      await checkWhole(reference);
      if (signal !== "SIGKILL") break;
    }
    await goOn(folder, subject, reference, whole);
    await checkWhole(reference);
    requireSame(name, await essence(reference), whole);
  }
  await rm(reference, { recursive: true, force: true });
  return `${name}: ${dead} kills within ${(wholeMs / 1000).toFixed(1)} s, ${done} ended before; the same ${Object.keys(whole).length} files each time`;
}

/** The command that goes on with what is there: of a training that is `--resume`. */
async function next(argv: readonly string[], output: string): Promise<readonly string[]> {
  const begun = argv[0] === "train" ? join(output, "run.json") : output;
  const canResume = (argv[0] === "train" || argv[0] === "compare") && (await files.stat(begun)) !== null;
  return canResume ? [...argv, "--resume"] : argv;
}
