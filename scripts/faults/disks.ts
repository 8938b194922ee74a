// A disk that is full at a random size: the command says so, leaves nothing half-written, and goes on once there is room.
import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { randomStream } from "../../src/tensor/index.ts";
import { checkWhole, deft, files, goOn, requireSame, type Subject } from "./subjects.ts";

const ROOM_KB = 65_536;

/** Runs a command on `disks` disks of random sizes; null where no small file system can be mounted. */
export async function fullDisks(folder: string, subject: Subject, disks: number, seed: number): Promise<string | null> {
  const { name, argv, essence } = subject;
  const disk = join(folder, "disk");
  const output = join(disk, "out");
  await mkdir(disk, { recursive: true });
  if (!mount(disk, ROOM_KB)) return null;
  try {
    const { code, err } = await deft(folder, argv(output));
    if (code !== 0) throw new Error(`${name}: expected exit code 0, got\n${err}`);
    const whole = await essence(output);
    const used = Number(execFileSync("du", ["-sk", disk]).toString().split("\t")[0]);
    const random = randomStream(seed, name, "disks");
    let refused = 0;
    for (let time = 0; time < disks; time++) {
      execFileSync("umount", [disk]);
      mount(disk, 8 + random.integer(used));
      const full = await deft(folder, argv(output));
      await checkWhole(output);
      if (full.code !== 0) {
        refused++;
        if (full.code !== 2 || !full.err.includes("a full disk"))
          throw new Error(`${name}: expected a message of a full disk, got ${full.code}\n${full.err}`);
      }
      execFileSync("mount", ["-o", `remount,size=${ROOM_KB}k`, disk]);
      if (full.code !== 0) await goOn(folder, subject, output, whole);
      requireSame(`${name}, after a full disk`, await essence(output), whole);
      const passing = (await files.list(output)).filter((of) => of.startsWith("."));
      if (passing.length > 0) throw new Error(`${name}: expected nothing left behind, got ${passing.join(", ")}`);
    }
    return `${name}: ${disks} disks of 8 to ${used + 8} KB, ${refused} too small; the same bytes once there was room`;
  } finally {
    execFileSync("umount", [disk]);
  }
}

function mount(disk: string, kilobytes: number): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${kilobytes}k`, "tmpfs", disk], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
