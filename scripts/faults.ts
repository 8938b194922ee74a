// `npm run faults -- --share X --seed S`: killed processes, two writers, flipped bits and full disks; X = 1 is all of it, in about an hour.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fullDisks } from "./faults/disks.ts";
import { flipped } from "./faults/flips.ts";
import { killed } from "./faults/kills.ts";
import { afterTraining, prepare, trainings } from "./faults/subjects.ts";
import { twoWriters } from "./faults/writers.ts";

const { values } = parseArgs({
  options: {
    share: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: "kills,writers,flips,disks" },
  },
});
const [share, seed, only] = [Number(values.share), Number(values.seed), values.only.split(",")];
const times = (whole: number) => Math.max(1, Math.round(whole * share));
const folder = mkdtempSync(join(tmpdir(), "deft-faults-"));
let failures = 0;

/** Prints what a part found, or how it failed, and goes on with the next. */
async function part(name: string, run: () => Promise<string | null>): Promise<void> {
  if (!only.includes(name)) return;
  const began = performance.now();
  const said = await run().catch((error: unknown) => {
    failures++;
    return `FAILED ${error instanceof Error ? error.message : String(error)}`;
  });
  console.log(
    `${said ?? `${name}: skipped, a small file system can be mounted by root only`} (${((performance.now() - began) / 1000).toFixed(0)} s)`,
  );
}

await prepare(folder);
const [lora] = trainings(folder);
const after = afterTraining(folder);
for (const subject of trainings(folder)) await part("kills", () => killed(folder, subject, times(40), seed));
await part("kills", () => killed(folder, after.compress, times(50), seed));
for (const subject of [after.export, after.compare, after.report])
  await part("kills", () => killed(folder, subject, times(20), seed));
await part("writers", () => twoWriters(folder, lora!, times(100), seed));
await part("flips", () => flipped(folder, times(2000), seed));
for (const subject of [lora!, after.compress]) await part("disks", () => fullDisks(folder, subject, times(25), seed));
rmSync(folder, { recursive: true, force: true });
process.exitCode = failures === 0 ? 0 : 1;
