// The load of other programs: from recorded texts of /proc, and from processes that are really busy. No time is asserted.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { foreignLoadMeter, foreignShare, loadSnapshot } from "./foreign-load.ts";

/** As proc(5) has it: user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice. */
const machine = (...fields: readonly number[]) =>
  `cpu  ${fields.join(" ")}\ncpu0 ${fields.join(" ")}\nintr 47201514 0 0\n`;

interface Ticks {
  readonly utime?: number;
  readonly stime?: number;
  readonly cutime?: number;
  readonly cstime?: number;
  readonly start?: number;
  readonly name?: string;
}

function processText(id: number, parent: number, ticks: Ticks): string {
  const { utime = 0, stime = 0, cutime = 0, cstime = 0, start = 100 + id, name = "node" } = ticks;
  const times = `${utime} ${stime} ${cutime} ${cstime} 20 0 11 0 ${start}`;
  return `${id} (${name}) S ${parent} 29923 29923 0 -1 4194304 100 0 0 0 ${times} 3133440 408 18446744073709551615\n`;
}

const IDLE = machine(1000, 0, 200, 5000, 10, 0, 5, 0, 0, 0);

test("what is busy and not of own processes is foreign", () => {
  const before = loadSnapshot(IDLE, [processText(10, 1, { utime: 40, stime: 2 })], [10]);
  // 100 ticks: 30 idle, 5 waiting for a disk, 65 busy, of which 45 are own
  const stat = machine(1040, 5, 215, 5030, 15, 2, 8, 0, 0, 0);
  const after = loadSnapshot(stat, [processText(10, 1, { utime: 80, stime: 7 })], [10]);
  expect(foreignShare(before, after)).toBeCloseTo(0.2, 12);
});

test("what the host takes away counts as foreign", () => {
  const own = processText(10, 1, {});
  const after = machine(1000, 0, 200, 5060, 10, 0, 5, 40, 0, 0);
  expect(foreignShare(loadSnapshot(IDLE, [own], [10]), loadSnapshot(after, [own], [10]))).toBeCloseTo(0.4, 12);
});

test("descendants are own, whatever they are called, and siblings are not", () => {
  const texts = (ticks: number) => [
    processText(10, 1, {}),
    processText(11, 10, { utime: ticks, name: "a (b) c) S 1" }),
    processText(12, 11, { stime: ticks }),
    processText(13, 1, { utime: 3 * ticks }),
  ];
  const before = loadSnapshot(IDLE, texts(0), [10]);
  const after = loadSnapshot(machine(1050, 0, 200, 5050, 10, 0, 5, 0, 0, 0), texts(10), [10]);
  expect([...after.own.keys()]).toEqual(["10/110", "11/111", "12/112"]);
  expect(foreignShare(before, after)).toBeCloseTo(0.3, 12);
});

describe("a process that ended in between", () => {
  const stat = machine(1050, 0, 200, 5050, 10, 0, 5, 0, 0, 0);

  test("is own by what its parent took over, without what it had before", () => {
    const before = loadSnapshot(
      IDLE,
      [
        processText(10, 1, { utime: 5, cutime: 7 }),
        processText(11, 10, { utime: 30 }),
        processText(12, 11, { stime: 9 }),
      ],
      [10],
    );
    // the child took its own child over, and the parent both: 20 ticks more than before
    const after = loadSnapshot(stat, [processText(10, 1, { utime: 15, cutime: 57, cstime: 9 })], [10]);
    expect(foreignShare(before, after)).toBeCloseTo(0.2, 12);
  });

  test("is foreign where nobody took it over: no time is claimed that cannot be shown", () => {
    const before = loadSnapshot(IDLE, [processText(10, 1, { utime: 5 }), processText(20, 1, { utime: 30 })], [10, 20]);
    const after = loadSnapshot(stat, [processText(10, 1, { utime: 25 })], [10, 20]);
    expect(foreignShare(before, after)).toBeCloseTo(0.3, 12);
  });

  test("and whose id another has now, which began in between", () => {
    const parent = processText(10, 1, {});
    const before = loadSnapshot(IDLE, [parent, processText(11, 10, { utime: 500, start: 300 })], [10]);
    const now = [processText(10, 1, { cutime: 510 }), processText(11, 10, { utime: 15, start: 900 })];
    expect(foreignShare(before, loadSnapshot(stat, now, [10]))).toBeCloseTo(0.25, 12);
  });
});

test("a share is never below 0 nor above 1, and null where no time has passed", () => {
  const at = (utime: number) => [processText(10, 1, { utime })];
  const after = machine(1050, 0, 200, 5050, 10, 0, 5, 0, 0, 0);
  expect(foreignShare(loadSnapshot(IDLE, at(0), [10]), loadSnapshot(after, at(90), [10]))).toBe(0);
  expect(foreignShare(loadSnapshot(IDLE, at(0), [10]), loadSnapshot(IDLE, at(0), [10]))).toBeNull();
});

/** A process that computes until it is killed. */
function spin(): ChildProcess {
  return spawn(process.execPath, ["-e", "process.stdout.write('x'); for (;;);"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
}

async function shareOver(meter: ReturnType<typeof foreignLoadMeter>, seconds: number): Promise<number> {
  const window = meter.start()!;
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  while (!window.isLong()) await new Promise((resolve) => setTimeout(resolve, 50));
  return window.share()!;
}

describe.runIf(existsSync("/proc/stat"))("on this machine", () => {
  test("a busy process counts where it is not own, and does not where it is", async () => {
    const [busy, idle] = [spin(), spawn("sleep", ["600"])];
    try {
      await new Promise((resolve) => busy.stdout!.once("data", resolve));
      const { availableParallelism } = await import("node:os");
      // seen from another process, and in the same second from its parent's: their difference is the busy process
      const [foreign, own] = await Promise.all([
        shareOver(foreignLoadMeter([idle.pid!]), 2),
        shareOver(foreignLoadMeter([process.pid]), 2),
      ]);
      const atLeast = 0.1 / availableParallelism();
      expect(foreign).toBeGreaterThan(atLeast);
      expect(foreign - own).toBeGreaterThan(atLeast);
    } finally {
      busy.kill("SIGKILL");
      idle.kill("SIGKILL");
    }
  });
});
